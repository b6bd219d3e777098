//! VP8 that decodes to nothing but is shaped as it should be (RFC 7741 §4).

/// Descriptor with a 15-bit picture id (RFC 7741 §4.2), then room for a key frame's header (RFC 6386 §9.1).
pub const DESCRIPTOR_BYTES: usize = 4;
/// Where the stamp stands: behind the longest header, on every packet at the same place.
pub const STAMP_AT: usize = DESCRIPTOR_BYTES + 10;

/// Writes descriptor and, on the first packet of a frame, the frame's header. `to` has at least [`STAMP_AT`] bytes.
pub fn write(to: &mut [u8], picture_id: u16, starts_frame: bool, keyframe: bool) {
    let Some(to) = to.first_chunk_mut::<STAMP_AT>() else { return };
    let [high, low] = picture_id.to_be_bytes();
    *to = [0; STAMP_AT];
    to[0] = 0x80 | if starts_frame { 0x10 } else { 0 };
    to[1] = 0x80;
    to[2] = 0x80 | high;
    to[3] = low;
    if !starts_frame {
        return;
    }
    // Frame tag: P (0 for a key frame), version 0, shown, size of the first partition.
    to[4] = 0x10 | if keyframe { 0 } else { 1 };
    if keyframe {
        to[7..14].copy_from_slice(&[0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01]);
    }
}

/// Whether this payload begins a key frame.
pub fn starts_keyframe(payload: &[u8]) -> bool {
    matches!(payload, [0x90, 0x80, _, _, tag, ..] if tag & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_packet_of_a_key_frame_is_one() {
        let mut payload = [0xff; 64];
        for (starts, key, is) in [(true, true, true), (true, false, false), (false, true, false)] {
            write(&mut payload, 0x1234, starts, key);
            assert_eq!(starts_keyframe(&payload), is);
            assert_eq!(payload[2..4], [0x92, 0x34]);
        }
    }
}
