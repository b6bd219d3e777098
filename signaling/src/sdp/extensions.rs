//! RTP header extensions (RFC 8285): which are served, and the one mapping that a bundle has (RFC 9143 §9.2).

use media_engine::api::ExtensionIds;
use media_model::MediaKind;
use rtc_sdp::MediaDescription;

use super::offer::values;

/// A row of the table.
struct Served {
    uri: &'static str,
    /// The kind of line that it is for; `None`: both.
    kind: Option<MediaKind>,
    /// Whether the server writes it too. Otherwise it is accepted only where the client sends.
    on_slots: bool,
    id: fn(&mut ExtensionIds) -> &mut Option<u8>,
}

const TABLE: [Served; 4] = [
    Served {
        uri: "urn:ietf:params:rtp-hdrext:sdes:mid",
        kind: None,
        on_slots: false,
        id: |ids| &mut ids.mid,
    },
    Served {
        uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        kind: Some(MediaKind::Audio),
        on_slots: true,
        id: |ids| &mut ids.audio_level,
    },
    Served {
        uri: rtc_sdp::description::media::EXT_MAP_VALUE_TRANSPORT_CC_URI,
        kind: None,
        on_slots: false,
        id: |ids| &mut ids.transport_cc,
    },
    Served {
        uri: "urn:3gpp:video-orientation",
        kind: Some(MediaKind::Video),
        on_slots: true,
        id: |ids| &mut ids.orientation,
    },
];

/// The `a=extmap` values of one line's answer; what is new goes into the mapping.
///
/// `sends`: the client sends on this line, else the server does. An id or URI that the bundle has mapped otherwise
/// is not accepted, nor an id beyond the one-byte form (RFC 8285 §4.2).
pub(super) fn agree(
    media: &MediaDescription,
    kind: MediaKind,
    sends: bool,
    ids: &mut ExtensionIds,
) -> Vec<String> {
    let mut agreed = Vec::new();
    for value in values(&media.attributes, "extmap") {
        let Some((id, direction, row)) = parse(value) else { continue };
        let fits = row.kind.is_none_or(|of| of == kind) && (sends || row.on_slots);
        let Some(answered) = answered_direction(direction, sends).filter(|_| fits) else { continue };
        let known = *(row.id)(ids);
        if known.is_some_and(|known| known != id) || (known.is_none() && is_taken(ids, id)) {
            continue;
        }
        *(row.id)(ids) = Some(id);
        let text = format!("{id}{answered} {}", row.uri);
        if !agreed.contains(&text) {
            agreed.push(text);
        }
    }
    agreed
}

/// `id[/direction] URI [attributes]`
fn parse(value: &str) -> Option<(u8, Option<&str>, &'static Served)> {
    let mut parts = value.split_ascii_whitespace();
    let (mapping, uri) = (parts.next()?, parts.next()?);
    let (id, direction) = match mapping.split_once('/') {
        Some((id, direction)) => (id, Some(direction)),
        None => (mapping, None),
    };
    let id = id.parse().ok().filter(|id| (1..=14).contains(id))?;
    Some((id, direction, TABLE.iter().find(|row| row.uri == uri)?))
}

/// The direction's mirror image (RFC 8285 §7), if it lets the sender of the line use the extension.
fn answered_direction(offered: Option<&str>, client_sends: bool) -> Option<&'static str> {
    match (offered, client_sends) {
        (None | Some("sendrecv"), _) => Some(""),
        (Some("sendonly"), true) => Some("/recvonly"),
        (Some("recvonly"), false) => Some("/sendonly"),
        _ => None,
    }
}

fn is_taken(ids: &ExtensionIds, id: u8) -> bool {
    [ids.mid, ids.audio_level, ids.transport_cc, ids.orientation].contains(&Some(id))
}
