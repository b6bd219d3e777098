//! AV1 (AOMedia "RTP Payload Format For AV1" v1.0.0): the aggregation header and the first OBU.

use super::Facts;

/// The first OBU element continues one of the packet before (§4.4, as all below).
const Z: u8 = 0x80;
/// `W`: how many OBU elements follow; 0 means that each has a length.
const W: u8 = 0x30;
/// This packet begins a coded video sequence.
const N: u8 = 0x08;

/// `obu_type`, AV1 specification §6.2.2.
const SEQUENCE_HEADER: u8 = 1;
const TILE_GROUP: u8 = 4;
const REDUNDANT_FRAME_HEADER: u8 = 7;
const TILE_LIST: u8 = 8;
const FORBIDDEN: u8 = 0x80;

/// AV1 specification §4.10.5.
const LEB128_BYTES_MAX: usize = 8;

pub(super) fn facts(payload: &[u8]) -> Option<Facts> {
    let (header, rest) = payload.split_first()?;
    let first_obu = if header & W == W_ONE { rest } else { skip_leb128(rest)? };
    if header & Z != 0 {
        // A sequence cannot begin in the middle of an OBU.
        return (header & N == 0).then(Facts::default);
    }
    let obu_header = *first_obu.first()?;
    if obu_header & FORBIDDEN != 0 {
        return None;
    }
    let kind = obu_header >> 3 & 0x0f;
    let starts_sequence = header & N != 0 || kind == SEQUENCE_HEADER;
    let starts_frame = !matches!(kind, TILE_GROUP | REDUNDANT_FRAME_HEADER | TILE_LIST);
    Some(Facts {
        keyframe: starts_sequence,
        starts_frame: starts_sequence || starts_frame,
        ..Facts::default()
    })
}

/// One OBU element, which therefore needs no length.
const W_ONE: u8 = 0x10;

/// What follows a length (AV1 specification §4.10.5).
fn skip_leb128(bytes: &[u8]) -> Option<&[u8]> {
    let last = bytes.iter().take(LEB128_BYTES_MAX).position(|byte| byte & 0x80 == 0)?;
    bytes.get(last + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyframe(payload: &[u8]) -> Option<(bool, bool)> {
        facts(payload).map(|f| (f.keyframe, f.starts_frame))
    }

    #[test]
    fn a_sequence_starts_with_the_n_bit_or_its_header() {
        assert_eq!(keyframe(&[N | 0x20, 1, SEQUENCE_HEADER << 3, 0x32]), Some((true, true)));
        assert_eq!(keyframe(&[0x20, 1, SEQUENCE_HEADER << 3, 0x32]), Some((true, true)));
        assert_eq!(keyframe(&[W_ONE, 6 << 3, 0]), Some((false, true)), "a predicted frame");
        assert_eq!(keyframe(&[W_ONE, TILE_GROUP << 3, 0]), Some((false, false)));
        assert_eq!(keyframe(&[Z | W_ONE, 6 << 3]), Some((false, false)), "a continued frame");
    }

    #[test]
    fn contradictions_and_cut_headers_are_refused() {
        assert_eq!(facts(&[Z | N | W_ONE, 0]), None);
        assert_eq!(facts(&[N | W_ONE]), None);
        assert_eq!(facts(&[0x20, 0x80, 0x80]), None);
        assert_eq!(facts(&[0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0]), None);
        assert_eq!(facts(&[W_ONE, FORBIDDEN]), None);
    }
}
