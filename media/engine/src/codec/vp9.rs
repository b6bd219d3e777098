//! VP9 (RFC 9628): the payload descriptor tells frames and key frames apart.

use super::Facts;

/// Picture id present (RFC 9628 §4.2, as all below).
const I: u8 = 0x80;
/// Inter-picture predicted.
const P: u8 = 0x40;
/// Layer indices present.
const L: u8 = 0x20;
/// Flexible mode.
const F: u8 = 0x10;
/// Start of a frame.
const B: u8 = 0x08;
/// The picture id has 15 bits, not 7.
const M: u8 = 0x80;
/// Another reference follows.
const N: u8 = 0x01;
const REFERENCES_MAX: usize = 3;

pub(super) fn facts(payload: &[u8]) -> Option<Facts> {
    let first = *payload.first()?;
    let mut at = 1;
    if first & I != 0 {
        at += if payload.get(at)? & M != 0 { 2 } else { 1 };
    }
    let mut spatial_id = 0;
    if first & L != 0 {
        spatial_id = payload.get(at)? >> 1 & 0b111;
        // TL0PICIDX stands only in non-flexible mode.
        at += if first & F == 0 { 2 } else { 1 };
    }
    if first & F != 0 && first & P != 0 {
        at += references(payload.get(at..)?)?;
    }
    payload.get(at)?;
    let starts_frame = first & B != 0 && spatial_id == 0;
    Some(Facts { keyframe: starts_frame && first & P == 0, starts_frame, ..Facts::default() })
}

/// How many bytes the reference indices take.
fn references(bytes: &[u8]) -> Option<usize> {
    for count in 1..=REFERENCES_MAX {
        if bytes.get(count - 1)? & N == 0 {
            return Some(count);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use media_model::Codec;

    use super::*;
    use crate::codec::prefixes_that_parse;

    fn keyframe(payload: &[u8]) -> Option<(bool, bool)> {
        facts(payload).map(|f| (f.keyframe, f.starts_frame))
    }

    #[test]
    fn a_key_frame_starts_in_the_lowest_spatial_layer_without_prediction() {
        assert_eq!(keyframe(&[I | B, 0x80, 1, 0xaa]), Some((true, true)));
        assert_eq!(keyframe(&[I | P | B, 0x80, 1, 0xaa]), Some((false, true)), "predicted");
        assert_eq!(keyframe(&[I, 0x80, 1, 0xaa]), Some((false, false)), "a frame's second packet");
        assert_eq!(
            keyframe(&[I | L | B, 0x01, 0b0000_0010, 9, 0xaa]),
            Some((false, false)),
            "a second layer"
        );
    }

    #[test]
    fn a_cut_descriptor_is_refused() {
        let flexible = [I | P | L | F | B, 0x92, 0x34, 0x00, 0x03, 0x05, 0x02, 0xaa];
        assert_eq!(prefixes_that_parse(Codec::Vp9 { profile: 0 }, &flexible), 1);
        assert_eq!(facts(&[P | F | B, 0x03, 0x03, 0x03, 0xaa]), None, "four references");
    }
}
