//! Which negotiated parameters are refused: those that contradict each other or exceed a limit.

use media_model::limits::TRANSPORT_MEDIA_MAX;

use crate::api::{CodecParams, MediaParams, SlotParams};

/// Seven bits (RFC 3550 §5.1).
const PAYLOAD_TYPE_MAX: u8 = 127;

/// Whether a transport can be built from these.
pub fn are_valid(media: &MediaParams) -> bool {
    let tracks = || media.tracks.iter();
    let slots = || media.slots.iter();
    media.tracks.len() + media.slots.len() <= TRANSPORT_MEDIA_MAX
        && are_distinct(tracks().map(|t| t.mid).chain(slots().map(|s| s.mid)))
        && are_distinct(tracks().map(|t| t.source))
        && are_distinct(tracks().flat_map(|t| [t.ssrc, t.rtx_ssrc]).flatten())
        && are_distinct(slots().map(|s| (s.slot, s.kind)))
        // Two streams under one SSRC would share nonces (RFC 7714 §8.1).
        && are_distinct(slots().flat_map(ssrcs))
        && tracks().all(|t| formats_are_valid(&t.codecs) && t.codecs.iter().all(|c| c.codec.kind() == t.source.kind()))
        && slots().all(|s| formats_are_valid(&s.codecs) && s.codecs.iter().all(|c| c.codec.kind() == s.kind))
}

/// The SSRCs that a slot sends with.
pub fn ssrcs(slot: &SlotParams) -> impl Iterator<Item = u32> {
    let retransmits = slot.codecs.iter().any(|c| c.rtx_payload_type.is_some());
    std::iter::once(slot.ssrc).chain(retransmits.then_some(slot.rtx_ssrc))
}

fn formats_are_valid(codecs: &[CodecParams]) -> bool {
    let types = || codecs.iter().flat_map(|c| std::iter::once(c.payload_type).chain(c.rtx_payload_type));
    types().all(|pt| pt <= PAYLOAD_TYPE_MAX) && are_distinct(types())
}

fn are_distinct<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.windows(2).all(|pair| pair[0] != pair[1])
}
