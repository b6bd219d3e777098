//! The answer's text (RFC 8829 §5.3.1).

use std::net::SocketAddr;

use media_engine::api::{Feedback, IceCredentials};
use media_model::{MediaKind, SlotIndex, SlotPool};
use rtc_sdp::{
    MediaDescription, SessionDescription,
    description::{
        common::{Address, Attribute, ConnectionInformation},
        media::{MediaName, RangedPort},
        session::{Origin, TimeDescription},
    },
};

use super::{
    Kept, Ours,
    formats::Accepted,
    offer::{Line, Live, values},
};

/// What was decided about one line.
pub(super) enum AnsweredLine<'a> {
    Accepted {
        live: Live,
        media: &'a MediaDescription,
        role: Role,
        formats: Vec<Accepted>,
        extensions: Vec<String>,
    },
    Rejected(&'a Line),
}

/// The server's side of a line.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Receives,
    Sends { slot: SlotIndex, ssrc: u32, rtx_ssrc: u32 },
    Rests,
}

/// Attributes as they are added to a description.
#[derive(Default)]
struct Attributes(Vec<Attribute>);

impl Attributes {
    fn flag(&mut self, key: &str) {
        self.0.push(Attribute::new(key.into(), None));
    }

    fn value(&mut self, key: &str, value: impl Into<String>) {
        self.0.push(Attribute::new(key.into(), Some(value.into())));
    }
}

/// Writes the whole answer.
pub(super) fn write(
    lines: &[AnsweredLine<'_>],
    ours: &Ours<'_>,
    ice: &IceCredentials,
    kept: &Kept,
) -> String {
    let bundled: Vec<&str> = lines.iter().filter_map(mid).collect();
    let mut session = Attributes::default();
    session.value("group", format!("BUNDLE {}", bundled.join(" ")));
    session.flag("ice-lite");
    session.value("ice-options", "trickle");
    session.flag("extmap-allow-mixed");
    session.value("fingerprint", format!("sha-256 {}", hexadecimal(&ours.fingerprint)));

    // The transport's addresses stand on the answerer's tagged line only (RFC 9143 §7.3.1).
    let mut candidates = Some(ours.candidates);
    let media = lines.iter().map(|line| match line {
        AnsweredLine::Rejected(line) => rejected(line),
        AnsweredLine::Accepted { .. } => accepted(line, ice, candidates.take(), &kept.cname),
    });
    SessionDescription {
        origin: Origin {
            username: "-".into(),
            session_id: kept.session_id,
            session_version: kept.session_version,
            network_type: "IN".into(),
            address_type: "IP4".into(),
            unicast_address: "0.0.0.0".into(),
        },
        session_name: "-".into(),
        time_descriptions: vec![TimeDescription::default()],
        media_descriptions: media.collect(),
        attributes: session.0,
        ..SessionDescription::default()
    }
    .marshal()
}

fn mid<'a>(line: &'a AnsweredLine<'_>) -> Option<&'a str> {
    match line {
        AnsweredLine::Accepted { live, .. } => Some(live.mid.as_str()),
        AnsweredLine::Rejected(_) => None,
    }
}

/// Port 0 with the offer's formats (RFC 3264 §6), and the mid so that clients find their transceiver.
fn rejected(line: &Line) -> MediaDescription {
    let mut attributes = Attributes::default();
    if let Some(mid) = values(&line.media.attributes, "mid").next() {
        attributes.value("mid", mid);
    }
    attributes.flag("inactive");
    description(&line.media, 0, line.media.media_name.formats.clone(), attributes)
}

fn accepted(
    line: &AnsweredLine<'_>,
    ice: &IceCredentials,
    candidates: Option<&[SocketAddr]>,
    cname: &str,
) -> MediaDescription {
    let AnsweredLine::Accepted { live, media, role, formats, extensions } = line else {
        return MediaDescription::default();
    };
    let mut attributes = Attributes::default();
    for (index, address) in candidates.unwrap_or_default().iter().enumerate() {
        attributes.value("candidate", candidate(index, *address));
    }
    if candidates.is_some() {
        attributes.flag("end-of-candidates");
    }
    attributes.value("ice-ufrag", &*ice.ufrag);
    attributes.value("ice-pwd", &*ice.password);
    attributes.value("setup", "passive");
    attributes.value("mid", live.mid.as_str());
    extensions.iter().for_each(|extension| attributes.value("extmap", extension));
    attributes.flag(match role {
        Role::Receives => "recvonly",
        Role::Sends { .. } => "sendonly",
        Role::Rests => "inactive",
    });
    if let Role::Sends { slot, .. } = role {
        attributes.value("msid", msid(*slot, live.kind));
    }
    attributes.flag("rtcp-mux");
    let mut listed = Vec::new();
    for format in formats {
        write_format(format, &mut attributes, &mut listed);
    }
    if let Role::Sends { slot, ssrc, rtx_ssrc } = *role {
        let has_rtx = formats.iter().any(|format| format.params.rtx_payload_type.is_some());
        let rtx_ssrc = has_rtx.then_some(rtx_ssrc);
        write_ssrcs(ssrc, rtx_ssrc, cname, &msid(slot, live.kind), &mut attributes);
    }
    description(media, 9, listed, attributes)
}

fn write_format(format: &Accepted, attributes: &mut Attributes, listed: &mut Vec<String>) {
    let own = format.params.payload_type;
    listed.push(own.to_string());
    attributes.value("rtpmap", format!("{own} {}", format.rtpmap));
    if !format.fmtp.is_empty() {
        attributes.value("fmtp", format!("{own} {}", format.fmtp));
    }
    let Feedback { nack, pli, fir, transport_cc } = format.params.feedback;
    let all = [(nack, "nack"), (pli, "nack pli"), (fir, "ccm fir"), (transport_cc, "transport-cc")];
    for (_, feedback) in all.into_iter().filter(|(agreed, _)| *agreed) {
        attributes.value("rtcp-fb", format!("{own} {feedback}"));
    }
    if let Some(rtx) = format.params.rtx_payload_type {
        listed.push(rtx.to_string());
        attributes.value("rtpmap", format!("{rtx} rtx/90000"));
        attributes.value("fmtp", format!("{rtx} apt={own}"));
    }
}

/// RFC 5576 §4; browsers take the stream from `a=msid`, older clients from here.
fn write_ssrcs(ssrc: u32, rtx_ssrc: Option<u32>, cname: &str, msid: &str, attributes: &mut Attributes) {
    if let Some(rtx_ssrc) = rtx_ssrc {
        attributes.value("ssrc-group", format!("FID {ssrc} {rtx_ssrc}"));
    }
    for ssrc in [Some(ssrc), rtx_ssrc].into_iter().flatten() {
        attributes.value("ssrc", format!("{ssrc} cname:{cname}"));
        attributes.value("ssrc", format!("{ssrc} msid:{msid}"));
    }
}

/// Both halves of a slot pair have one stream, so that browsers keep lips in sync (RFC 8830 §2).
fn msid(slot: SlotIndex, kind: MediaKind) -> String {
    let pool = match slot.pool {
        SlotPool::Camera => "camera",
        SlotPool::Screen => "screen",
    };
    let kind = match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    format!("slot-{pool}-{index} {kind}-{pool}-{index}", index = slot.index)
}

/// RFC 8445 §5.1.2.1: host preference 126, earlier ones preferred, component 1. RFC 8839 §5.1 for the form.
fn candidate(index: usize, address: SocketAddr) -> String {
    let local_preference = 65_535_u32.saturating_sub(u32::try_from(index).unwrap_or(u32::MAX));
    let priority = (126 << 24) + (local_preference << 8) + (256 - 1);
    let (ip, port) = (address.ip(), address.port());
    format!("{foundation} 1 udp {priority} {ip} {port} typ host", foundation = index + 1)
}

fn description(
    offered: &MediaDescription,
    port: isize,
    formats: Vec<String>,
    attributes: Attributes,
) -> MediaDescription {
    MediaDescription {
        media_name: MediaName {
            media: offered.media_name.media.clone(),
            port: RangedPort { value: port, range: None },
            protos: offered.media_name.protos.clone(),
            formats,
        },
        connection_information: Some(ConnectionInformation {
            network_type: "IN".into(),
            address_type: "IP4".into(),
            address: Some(Address { address: "0.0.0.0".into(), ttl: None, range: None }),
        }),
        attributes: attributes.0,
        ..MediaDescription::default()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
