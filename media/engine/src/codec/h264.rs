//! H.264 (RFC 6184): single NAL unit packets, STAP-A and FU-A, as packetization modes 0 and 1 have them.

use super::Facts;

/// `nal_unit_type`, ITU-T H.264 table 7-1.
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const ACCESS_UNIT_DELIMITER: u8 = 9;
/// RFC 6184 §5.2.
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// `S` of the FU header (RFC 6184 §5.8).
const FU_START: u8 = 0x80;
const TYPE: u8 = 0x1f;

pub(super) fn facts(payload: &[u8]) -> Option<Facts> {
    let (first, rest) = payload.split_first()?;
    match first & TYPE {
        1..=23 => Some(unit(first & TYPE, rest)),
        STAP_A => aggregate(rest),
        FU_A => {
            let (header, data) = rest.split_first()?;
            Some(if header & FU_START != 0 { unit(header & TYPE, data) } else { Facts::default() })
        }
        // STAP-B, MTAP and FU-B belong to packetization mode 2, which is never accepted.
        _ => None,
    }
}

/// A NAL unit of which the header is gone already.
fn unit(kind: u8, data: &[u8]) -> Facts {
    // `first_mb_in_slice` is Exp-Golomb coded: a leading one is 0, the picture's first slice.
    let first_slice = data.first().is_some_and(|byte| byte & 0x80 != 0);
    let starts_frame = match kind {
        SLICE..=IDR_SLICE => first_slice,
        SEI | SPS | ACCESS_UNIT_DELIMITER => true,
        _ => false,
    };
    Facts { keyframe: kind == SPS || kind == IDR_SLICE && first_slice, starts_frame, ..Facts::default() }
}

/// The units of a STAP-A, each behind its 16-bit size (RFC 6184 §5.7.1).
fn aggregate(mut rest: &[u8]) -> Option<Facts> {
    let mut facts = Facts::default();
    while !rest.is_empty() {
        let (size, data) = rest.split_first_chunk::<2>()?;
        let (nal, next) = data.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
        let (header, data) = nal.split_first()?;
        let unit = unit(header & TYPE, data);
        facts.keyframe |= unit.keyframe;
        facts.starts_frame |= unit.starts_frame;
        rest = next;
    }
    Some(facts)
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
    fn a_key_frame_starts_with_its_parameters_or_its_first_slice() {
        assert_eq!(keyframe(&[0x67, 0x42, 0xe0]), Some((true, true)), "SPS");
        assert_eq!(keyframe(&[0x65, 0x88]), Some((true, true)), "first IDR slice");
        assert_eq!(keyframe(&[0x65, 0x48]), Some((false, false)), "a later IDR slice");
        assert_eq!(keyframe(&[0x41, 0x9a]), Some((false, true)), "predicted slice");
        assert_eq!(keyframe(&[0x68, 0xce]), Some((false, false)), "PPS alone");
    }

    #[test]
    fn only_the_first_fragment_starts_a_key_frame() {
        assert_eq!(keyframe(&[0x7c, 0x85, 0x88, 0]), Some((true, true)));
        assert_eq!(keyframe(&[0x7c, 0x05, 0x88, 0]), Some((false, false)));
        assert_eq!(keyframe(&[0x7c, 0x81, 0x9a, 0]), Some((false, true)));
    }

    #[test]
    fn an_aggregate_is_what_its_units_are() {
        let stap = [0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88];
        assert_eq!(keyframe(&stap), Some((true, true)));
        assert_eq!(keyframe(&[0x78, 0, 2, 0x68, 0xce]), Some((false, false)));
        // Complete after the type byte and after each unit.
        assert_eq!(prefixes_that_parse(Codec::H264 { packetization_mode: 1, profile: 0x42e0 }, &stap), 4);
    }

    #[test]
    fn types_of_other_packetization_modes_are_refused() {
        for kind in [0, 25, 26, 27, 29, 30, 31] {
            assert_eq!(facts(&[kind, 0, 0, 0, 0]), None, "{kind}");
        }
    }
}
