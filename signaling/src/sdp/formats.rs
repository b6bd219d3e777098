//! Payload types: which of a line's formats are served, with their `rtpmap`, `fmtp` and feedback.

use std::collections::{BTreeMap, HashSet};

use media_engine::api::{CodecParams, Feedback};
use media_model::{Codec, MediaKind};
use rtc_sdp::MediaDescription;

use super::{SdpError, offer::values};

/// Formats of one m= line; a payload type has seven bits.
const FORMATS_MAX: usize = 128;

/// A format that is in the answer.
#[derive(Clone)]
pub(super) struct Accepted {
    pub(super) params: CodecParams,
    /// `encoding/clock rate[/channels]`
    pub(super) rtpmap: &'static str,
    /// Parameters to be said again, in the client's order and words.
    pub(super) fmtp: String,
}

/// A row for every codec: its name, its `rtpmap`, and the parameters that are said again in the answer.
///
/// Of Opus only what the sender should do for the receiver; `stereo` is the client's own wish as a receiver.
const CODECS: [(&str, &str, &[&str]); 5] = [
    ("opus", "opus/48000/2", &["minptime", "useinbandfec", "usedtx"]),
    ("VP8", "VP8/90000", &["max-fs", "max-fr"]),
    ("VP9", "VP9/90000", &["max-fs", "max-fr", "profile-id"]),
    ("H264", "H264/90000", &["level-asymmetry-allowed", "packetization-mode", "profile-level-id"]),
    ("AV1", "AV1/90000", &["level-idx", "profile", "tier"]),
];

/// What the attributes of a line say about one payload type.
#[derive(Default)]
struct Described<'a> {
    rtpmap: &'a str,
    fmtp: Vec<(&'a str, &'a str)>,
    feedback: Feedback,
}

/// The formats of a line that the engine serves, in the client's order.
///
/// `sends`: the client sends on it; only then there is anything to report by `transport-cc`.
pub(super) fn served(
    media: &MediaDescription,
    kind: MediaKind,
    sends: bool,
) -> Result<Vec<Accepted>, SdpError> {
    if media.media_name.formats.len() > FORMATS_MAX {
        return Err(SdpError::TooLarge);
    }
    let mut seen = HashSet::new();
    let listed: Vec<u8> = media
        .media_name
        .formats
        .iter()
        .filter_map(|format| format.parse().ok())
        .filter(|payload_type| is_usable(*payload_type) && seen.insert(*payload_type))
        .collect();
    let described = describe(media, &seen);
    let rtx: BTreeMap<u8, u8> =
        listed.iter().rev().filter_map(|own| Some((apt(described.get(own)?)?, *own))).collect();
    let accept = |payload_type: &u8| {
        let described = described.get(payload_type)?;
        let (codec, rtpmap, said_again) = recognise(described)?;
        let feedback =
            Feedback { transport_cc: described.feedback.transport_cc && sends, ..described.feedback };
        let rtx_payload_type = rtx.get(payload_type).copied();
        let params = CodecParams { payload_type: *payload_type, codec, rtx_payload_type, feedback };
        (codec.kind() == kind).then(|| Accepted { params, rtpmap, fmtp: fmtp_text(described, said_again) })
    };
    Ok(listed.iter().filter_map(accept).collect())
}

/// What published formats are narrowed to.
///
/// Where nothing is left that everyone decodes it is VP8 (RFC 7742 §5), and for a client that has not even that,
/// everything it has: somebody may decode it, and the engine forwards a format to nobody who does not.
pub(super) fn narrow(accepted: Vec<Accepted>, decodable: Option<&HashSet<Codec>>) -> Vec<Accepted> {
    let Some(decodable) = decodable else { return accepted };
    let keep = |wanted: &dyn Fn(Codec) -> bool| -> Vec<Accepted> {
        accepted.iter().filter(|format| wanted(format.params.codec)).cloned().collect()
    };
    let narrowed = keep(&|codec| codec == Codec::Opus || decodable.contains(&codec));
    if !narrowed.is_empty() {
        return narrowed;
    }
    let vp8 = keep(&|codec| codec == Codec::Vp8);
    if vp8.is_empty() { accepted } else { vp8 }
}

/// Seven bits, and not what would be taken for RTCP where the two share a port (RFC 5761 §4).
fn is_usable(payload_type: u8) -> bool {
    matches!(payload_type, 0..=63 | 96..=127)
}

/// Attributes by payload type. What names a payload type that the m= line does not list is passed over, as is
/// feedback without any, which Firefox writes once its codecs are narrowed.
fn describe<'a>(media: &'a MediaDescription, listed: &HashSet<u8>) -> BTreeMap<u8, Described<'a>> {
    let mut all: BTreeMap<u8, Described<'a>> =
        listed.iter().map(|own| (*own, Described::default())).collect();
    for (payload_type, rtpmap) in values(&media.attributes, "rtpmap").filter_map(split_payload_type) {
        if let Some(described) = all.get_mut(&payload_type) {
            described.rtpmap = rtpmap;
        }
    }
    for (payload_type, fmtp) in values(&media.attributes, "fmtp").filter_map(split_payload_type) {
        if let Some(described) = all.get_mut(&payload_type) {
            described.fmtp = fmtp.split(';').filter_map(|p| p.trim().split_once('=')).collect();
        }
    }
    for value in values(&media.attributes, "rtcp-fb") {
        let Some((formats, feedback)) = value.split_once(' ') else { continue };
        if formats == "*" {
            all.values_mut().for_each(|described| add_feedback(&mut described.feedback, feedback));
        } else if let Some(described) = formats.parse().ok().and_then(|own: u8| all.get_mut(&own)) {
            add_feedback(&mut described.feedback, feedback);
        }
    }
    all
}

fn split_payload_type(value: &str) -> Option<(u8, &str)> {
    let (payload_type, rest) = value.split_once(' ')?;
    Some((payload_type.parse().ok()?, rest.trim()))
}

/// RFC 4585 §4.2, RFC 5104 §7.1; anything else (`goog-remb`, `rrtr`, …) is not served.
fn add_feedback(to: &mut Feedback, feedback: &str) {
    match feedback.trim() {
        "nack" => to.nack = true,
        "nack pli" => to.pli = true,
        "ccm fir" => to.fir = true,
        "transport-cc" => to.transport_cc = true,
        _ => {}
    }
}

/// RFC 4588 §8.1
fn apt(described: &Described<'_>) -> Option<u8> {
    described.rtpmap.eq_ignore_ascii_case("rtx/90000").then(|| parameter(described, "apt")?.parse().ok())?
}

fn parameter<'a>(described: &Described<'a>, key: &str) -> Option<&'a str> {
    described.fmtp.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim())
}

/// The codec, if it is one that passes through here and its parameters make sense.
fn recognise(described: &Described<'_>) -> Option<(Codec, &'static str, &'static [&'static str])> {
    let (name, rtpmap, said_again) =
        CODECS.into_iter().find(|(_, rtpmap, _)| rtpmap.eq_ignore_ascii_case(described.rtpmap))?;
    let number = |key| parameter(described, key).map_or(Some(0), |value| value.parse::<u8>().ok());
    let codec = match name {
        "opus" => Codec::Opus,
        "VP8" => Codec::Vp8,
        "VP9" => Codec::Vp9 { profile: number("profile-id")? },
        "H264" => h264(number("packetization-mode")?, parameter(described, "profile-level-id"))?,
        _ => Codec::Av1 { profile: number("profile")? },
    };
    Some((codec, rtpmap, said_again))
}

/// RFC 6184 §8.1: without `profile-level-id` it is Baseline; interleaved mode is not for conversation.
///
/// Baseline and Main with the constraint flags that make them Constrained Baseline are the same to a decoder
/// (RFC 6184 §8.1, table 5).
fn h264(packetization_mode: u8, profile_level_id: Option<&str>) -> Option<Codec> {
    const CONSTRAINED_BASELINE: u16 = 0x42e0;
    let id = profile_level_id.unwrap_or("42000a");
    if packetization_mode > 1 || id.len() != 6 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let [_, idc, iop, _level] = u32::from_str_radix(id, 16).ok()?.to_be_bytes();
    let profile = match idc {
        0x42 if iop & 0x40 != 0 => CONSTRAINED_BASELINE,
        0x4d if iop & 0x80 != 0 => CONSTRAINED_BASELINE,
        _ => u16::from_be_bytes([idc, iop]),
    };
    Some(Codec::H264 { packetization_mode, profile })
}

/// Only bounded, plain values are said again: they go to the client that said them, and nothing else does.
fn fmtp_text(described: &Described<'_>, said_again: &[&str]) -> String {
    let is_plain = |value: &str| value.len() <= 16 && value.bytes().all(|b| b.is_ascii_alphanumeric());
    let parameters = described.fmtp.iter().filter(|(k, v)| said_again.contains(k) && is_plain(v));
    parameters.map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(";")
}
