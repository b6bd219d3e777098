//! The offer as read: what goes for the transport, and one [`Line`] for each m= line. Everything is bounded here.

use std::{collections::HashSet, io::Cursor};

use media_engine::api::IceCredentials;
use media_model::{MediaKind, Mid, limits::TRANSPORT_MEDIA_MAX};
use rtc_sdp::{
    MediaDescription, SessionDescription, description::common::Attribute, direction::Direction,
    util::ConnectionRole,
};
use signaling_protocol::limits::SDP_BYTES_MAX;

use super::SdpError;

/// Attributes of one m= line or of the session; a browser has about 250 on a video line.
const ATTRIBUTES_MAX: usize = 2_000;

/// An offer whose transport this server can serve.
pub(super) struct OfferedSession {
    /// `sess-id` of `o=`: another one is another session (RFC 8866 §5.2).
    pub(super) id: u64,
    pub(super) ice: IceCredentials,
    pub(super) fingerprint: [u8; 32],
    /// In the order of the offer, which is the order of the answer (RFC 3264 §6).
    pub(super) lines: Vec<Line>,
}

/// One m= line.
pub(super) struct Line {
    pub(super) state: LineState,
    /// What it says beside that.
    pub(super) media: MediaDescription,
}

/// Whether a line can be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineState {
    /// Audio or video in the bundle.
    Live(Live),
    /// Stopped, or of a kind that is not served: answered with port 0.
    Dead,
}

/// A line that can carry media.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) mid: Mid,
    pub(super) kind: MediaKind,
    /// Whether the client offers to send on it.
    pub(super) sends: bool,
    /// Whether the client offers to receive on it.
    pub(super) receives: bool,
}

impl Line {
    pub(super) fn live(&self) -> Option<Live> {
        match self.state {
            LineState::Live(live) => Some(live),
            LineState::Dead => None,
        }
    }
}

/// The values of every attribute with this name, in order; a flag has the value "".
pub(super) fn values<'a>(attributes: &'a [Attribute], key: &'a str) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter(move |a| a.key == key).map(|a| a.value.as_deref().unwrap_or_default())
}

/// Reads an offer.
pub(super) fn parse(sdp: &str) -> Result<OfferedSession, SdpError> {
    let session = parse_syntax(sdp)?;
    let bundled: Vec<&str> = bundle(&session);
    let mut seen = HashSet::new();
    let mut lines = Vec::with_capacity(session.media_descriptions.len());
    for media in &session.media_descriptions {
        let state = match live_kind(media) {
            Some(kind) => LineState::Live(live(&session, media, kind, &bundled, &mut seen)?),
            None => LineState::Dead,
        };
        lines.push(Line { state, media: media.clone() });
    }
    let transport = Transport { session: &session, bundled: &bundled };
    transport.check_setup()?;
    let (ice, fingerprint) = (transport.ice()?, transport.fingerprint()?);
    Ok(OfferedSession { id: session.origin.session_id, ice, fingerprint, lines })
}

fn parse_syntax(sdp: &str) -> Result<SessionDescription, SdpError> {
    if sdp.len() > SDP_BYTES_MAX {
        return Err(SdpError::TooLarge);
    }
    let session = SessionDescription::unmarshal(&mut Cursor::new(sdp)).map_err(|_| SdpError::NotSdp)?;
    let too_many = |attributes: &[Attribute]| attributes.len() > ATTRIBUTES_MAX;
    if session.media_descriptions.len() > TRANSPORT_MEDIA_MAX
        || too_many(&session.attributes)
        || session.media_descriptions.iter().any(|media| too_many(&media.attributes))
    {
        return Err(SdpError::TooLarge);
    }
    Ok(session)
}

/// The mids of the first BUNDLE group (RFC 9143 §7.1).
fn bundle(session: &SessionDescription) -> Vec<&str> {
    values(&session.attributes, "group")
        .find_map(|value| value.strip_prefix("BUNDLE "))
        .map(|mids| mids.split_ascii_whitespace().collect())
        .unwrap_or_default()
}

/// Sound or picture over SRTP that has not been stopped.
///
/// Port 0 with `a=bundle-only` is alive (RFC 9143 §6), without it the line was rejected or stopped (RFC 3264 §8.2).
fn live_kind(media: &MediaDescription) -> Option<MediaKind> {
    let kind = match media.media_name.media.as_str() {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => return None,
    };
    // RFC 8829 §5.1.2
    let protocols: Vec<&str> = media.media_name.protos.iter().map(String::as_str).collect();
    let served = matches!(protocols[..], ["UDP" | "TCP", "TLS", "RTP", "SAVPF"] | ["RTP", "SAVPF"]);
    let alive = media.media_name.port.value != 0 || media.has_attribute("bundle-only");
    (served && alive).then_some(kind)
}

fn live(
    session: &SessionDescription,
    media: &MediaDescription,
    kind: MediaKind,
    bundled: &[&str],
    seen: &mut HashSet<Mid>,
) -> Result<Live, SdpError> {
    let mid = values(&media.attributes, "mid").next().ok_or(SdpError::MidInvalid)?;
    if !bundled.contains(&mid) {
        return Err(SdpError::BundleRequired);
    }
    let mid: Mid = mid.parse().map_err(|_| SdpError::MidInvalid)?;
    if !seen.insert(mid) {
        return Err(SdpError::MidInvalid);
    }
    if !media.has_attribute("rtcp-mux") {
        return Err(SdpError::RtcpMuxRequired);
    }
    // RFC 8866 §6.7: the session's direction counts where the line has none, and `sendrecv` where neither has.
    let of = |attributes: &[Attribute]| attributes.iter().map(|a| Direction::new(&a.key)).find(is_direction);
    let direction = of(&media.attributes).or_else(|| of(&session.attributes)).unwrap_or(Direction::SendRecv);
    Ok(Live {
        mid,
        kind,
        sends: matches!(direction, Direction::SendRecv | Direction::SendOnly),
        receives: matches!(direction, Direction::SendRecv | Direction::RecvOnly),
    })
}

fn is_direction(direction: &Direction) -> bool {
    *direction != Direction::Unspecified
}

/// Where attributes of the one transport are looked up: on the bundle's lines in the group's order, whose first is
/// the tagged one (RFC 9143 §7.2), then on the session.
struct Transport<'a> {
    session: &'a SessionDescription,
    bundled: &'a [&'a str],
}

impl<'a> Transport<'a> {
    fn values(&self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let session = self.session;
        let line = move |mid: &'a &'a str| {
            let is_it = |media: &&'a MediaDescription| values(&media.attributes, "mid").next() == Some(*mid);
            session.media_descriptions.iter().find(is_it)
        };
        // A bundle can name no more lines than there are.
        let bundled = self.bundled.iter().take(TRANSPORT_MEDIA_MAX).filter_map(line);
        bundled.flat_map(move |media| values(&media.attributes, key)).chain(values(&session.attributes, key))
    }

    /// RFC 8839 §5.4: 4 to 256 and 22 to 256 of `ice-char`.
    fn ice(&self) -> Result<IceCredentials, SdpError> {
        let value = |key, length_min| {
            let is_ice_char = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
            self.values(key)
                .next()
                .filter(|value| (length_min..=256).contains(&value.len()) && value.bytes().all(is_ice_char))
                .ok_or(SdpError::IceCredentialsInvalid)
        };
        Ok(IceCredentials { ufrag: value("ice-ufrag", 4)?.into(), password: value("ice-pwd", 22)?.into() })
    }

    /// The first SHA-256 among the fingerprints (RFC 8122 §5).
    fn fingerprint(&self) -> Result<[u8; 32], SdpError> {
        self.values("fingerprint").find_map(parse_sha_256).ok_or(SdpError::FingerprintMissing)
    }

    /// RFC 8842 §5.2; the server is always passive, so the client has to be able to be active.
    fn check_setup(&self) -> Result<(), SdpError> {
        let active = ConnectionRole::Active.to_string();
        let actpass = ConnectionRole::Actpass.to_string();
        match self.values("setup").next() {
            Some(setup) if setup == active || setup == actpass => Ok(()),
            _ => Err(SdpError::SetupUnsupported),
        }
    }
}

/// `sha-256 AB:CD:…`; the hash's name in any case.
fn parse_sha_256(value: &str) -> Option<[u8; 32]> {
    let (hash, digits) = value.split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut bytes = [0; 32];
    let mut pairs = digits.trim().split(':');
    for byte in &mut bytes {
        let pair =
            pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(bytes)
}
