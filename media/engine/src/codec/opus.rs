//! Opus (RFC 7587): a payload is one Opus packet (RFC 6716 §3), and any packet can be decoded first.

use super::Facts;

/// An Opus packet of so many bytes or fewer holds no sound: the encoder is in discontinuous transmission.
/// RFC 6716 §2.1.9 lets it send such a packet now and then.
const SILENCE_BYTES_MAX: usize = 2;

pub(super) fn facts(payload: &[u8]) -> Option<Facts> {
    Some(Facts {
        keyframe: true,
        starts_frame: true,
        silence: payload.len() <= SILENCE_BYTES_MAX,
        ..Facts::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_two_bytes_is_silence_and_speech_is_not() {
        assert!(facts(&[0x78, 0xff]).is_some_and(|f| f.silence && f.keyframe));
        assert!(facts(&[0x78; 80]).is_some_and(|f| !f.silence));
    }
}
