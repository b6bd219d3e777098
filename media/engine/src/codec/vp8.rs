//! VP8 (RFC 7741): the payload descriptor's counters, and the bit that marks a key frame.

use super::Facts;

/// Extended control bits are present (RFC 7741 §4.2, as all below).
const X: u8 = 0x80;
/// Start of a VP8 partition.
const S: u8 = 0x10;
const PARTITION_INDEX: u8 = 0x0f;
const I: u8 = 0x80;
const L: u8 = 0x40;
const T: u8 = 0x20;
const K: u8 = 0x10;
/// The picture id has 15 bits, not 7.
const M: u8 = 0x80;
/// `P` of the payload header: an interframe (RFC 7741 §4.3).
const INTERFRAME: u8 = 0x01;

/// The counters of a VP8 payload descriptor, as the publisher's encoder set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// Counts frames, modulo 2^7 or 2^15.
    pub picture_id: Option<PictureId>,
    /// Counts frames of the lowest temporal layer (`TL0PICIDX`), modulo 2^8.
    pub tl0_picture_index: Option<u8>,
    /// `TID`: the temporal layer.
    pub temporal_id: Option<u8>,
}

/// A picture id with its width, which a rewrite keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// Its value.
    pub value: u16,
    /// 15 bits in two bytes instead of 7 in one.
    pub wide: bool,
}

/// Where the counters begin: picture id first, then `TL0PICIDX`, where they are there.
const COUNTERS_AT: usize = 2;

/// A descriptor and where it ends.
struct Parsed {
    descriptor: Descriptor,
    payload_at: usize,
}

pub(super) fn facts(payload: &[u8]) -> Option<Facts> {
    let parsed = parse(payload)?;
    let first = *payload.first()?;
    let starts_frame = first & S != 0 && first & PARTITION_INDEX == 0;
    // Only the first packet of a frame has a payload header; every other still has at least one byte of data.
    let data = *payload.get(parsed.payload_at)?;
    Some(Facts {
        keyframe: starts_frame && data & INTERFRAME == 0,
        starts_frame,
        vp8: Some(parsed.descriptor),
        ..Facts::default()
    })
}

/// Sets the counters that the descriptor has, without changing its length. A 7-bit picture id takes the lower bits.
///
/// `descriptor` is the payload's own, as [`super::facts`] read it: nothing is read again for each subscriber.
pub fn rewrite(payload: &mut [u8], descriptor: &Descriptor, picture_id: u16, tl0_picture_index: u8) {
    let mut tl0_at = COUNTERS_AT;
    if let Some(PictureId { wide, .. }) = descriptor.picture_id {
        let [high, low] = picture_id.to_be_bytes();
        match payload.get_mut(COUNTERS_AT..) {
            Some([first, second, ..]) if wide => (*first, *second) = (high | M, low),
            Some([only, ..]) if !wide => *only = low & !M,
            _ => {}
        }
        tl0_at += if wide { 2 } else { 1 };
    }
    if let (Some(_), Some(index)) = (descriptor.tl0_picture_index, payload.get_mut(tl0_at)) {
        *index = tl0_picture_index;
    }
}

fn parse(payload: &[u8]) -> Option<Parsed> {
    let mut parsed = Parsed { descriptor: Descriptor::default(), payload_at: 1 };
    if payload.first()? & X == 0 {
        return Some(parsed);
    }
    let extended = *payload.get(1)?;
    let mut at = COUNTERS_AT;
    if extended & I != 0 {
        let first = *payload.get(at)?;
        let wide = first & M != 0;
        let value = match wide {
            true => u16::from_be_bytes([first & !M, *payload.get(at + 1)?]),
            false => u16::from(first),
        };
        parsed.descriptor.picture_id = Some(PictureId { value, wide });
        at += if wide { 2 } else { 1 };
    }
    if extended & L != 0 {
        parsed.descriptor.tl0_picture_index = Some(*payload.get(at)?);
        at += 1;
    }
    if extended & (T | K) != 0 {
        let byte = *payload.get(at)?;
        parsed.descriptor.temporal_id = (extended & T != 0).then_some(byte >> 6);
        at += 1;
    }
    parsed.payload_at = at;
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use media_model::Codec;

    use super::*;
    use crate::codec::prefixes_that_parse;

    /// X, S; I, L, T; picture id 0x1234 wide; TL0PICIDX 7; TID 1; a key frame's payload header.
    const KEYFRAME: [u8; 9] = [0x90, 0xe0, 0x92, 0x34, 7, 0x40, 0x10, 0, 0];

    #[test]
    fn a_key_frame_is_known_by_its_first_packet_only() {
        let keyframe = |payload: &[u8]| facts(payload).map(|f| (f.keyframe, f.starts_frame));
        assert_eq!(keyframe(&KEYFRAME), Some((true, true)));
        assert_eq!(keyframe(&[0x10, 0x11]), Some((false, true)), "an interframe");
        assert_eq!(keyframe(&[0x00, 0x10]), Some((false, false)), "a frame's second packet");
        assert_eq!(keyframe(&[0x11, 0x10]), Some((false, false)), "a second partition");
    }

    #[test]
    fn the_counters_are_read() {
        let expected = Descriptor {
            picture_id: Some(PictureId { value: 0x1234, wide: true }),
            tl0_picture_index: Some(7),
            temporal_id: Some(1),
        };
        assert_eq!(facts(&KEYFRAME).and_then(|f| f.vp8), Some(expected));
        let narrow = facts(&[0x90, 0x80, 0x7f, 0x10]).and_then(|f| f.vp8?.picture_id);
        assert_eq!(narrow, Some(PictureId { value: 0x7f, wide: false }));
    }

    #[test]
    fn a_rewrite_keeps_the_width_and_everything_else() {
        let rewrite = |payload: &mut [u8], picture_id, tl0_picture_index| {
            let descriptor = facts(payload).and_then(|f| f.vp8).expect("a descriptor");
            super::rewrite(payload, &descriptor, picture_id, tl0_picture_index);
        };
        let mut payload = KEYFRAME;
        rewrite(&mut payload, 0x7fff, 255);
        assert_eq!(payload, [0x90, 0xe0, 0xff, 0xff, 255, 0x40, 0x10, 0, 0]);
        let mut narrow = [0x90, 0x80, 0x05, 0x10];
        rewrite(&mut narrow, 0x0181, 9);
        assert_eq!(narrow, [0x90, 0x80, 0x01, 0x10]);
        let mut bare = [0x10, 0x10];
        rewrite(&mut bare, 1, 1);
        assert_eq!(bare, [0x10, 0x10]);
    }

    #[test]
    fn a_cut_descriptor_is_refused() {
        assert_eq!(prefixes_that_parse(Codec::Vp8, &KEYFRAME), 3, "from the payload header on");
    }
}
