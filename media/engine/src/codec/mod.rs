//! What an SFU needs to know of a payload: where a frame starts and whether decoding can start there.
//!
//! To add a codec: one file here, one row in [`facts`].

mod av1;
mod h264;
mod opus;
pub mod vp8;
mod vp9;

use media_model::Codec;

use crate::DropReason;

/// What one RTP payload is, as far as it matters for forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// A decoder that has seen nothing yet can start with this packet.
    pub keyframe: bool,
    /// The first packet of a frame, as far as the payload tells.
    pub starts_frame: bool,
    /// The payload stands for silence: comfort noise or nothing (discontinuous transmission).
    pub silence: bool,
    /// VP8's counters, which have to go on when a slot shows another publisher.
    pub vp8: Option<vp8::Descriptor>,
}

/// Reads a payload without its RTP padding. [`DropReason::PayloadMalformed`] when its headers are cut short or
/// contradict themselves.
pub fn facts(codec: Codec, payload: &[u8]) -> Result<Facts, DropReason> {
    match codec {
        Codec::Opus => opus::facts(payload),
        Codec::Vp8 => vp8::facts(payload),
        Codec::Vp9 { .. } => vp9::facts(payload),
        Codec::H264 { .. } => h264::facts(payload),
        Codec::Av1 { .. } => av1::facts(payload),
    }
    .ok_or(DropReason::PayloadMalformed)
}

/// Every prefix of `payload` parses or is refused; the tests' guard against reading past the end.
#[cfg(test)]
fn prefixes_that_parse(codec: Codec, payload: &[u8]) -> usize {
    (0..=payload.len()).filter(|length| facts(codec, &payload[..*length]).is_ok()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODECS: [Codec; 5] = [
        Codec::Opus,
        Codec::Vp8,
        Codec::Vp9 { profile: 0 },
        Codec::H264 { packetization_mode: 1, profile: 0x42e0 },
        Codec::Av1 { profile: 0 },
    ];

    #[test]
    fn random_payloads_are_read_or_refused_but_never_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut refused = 0;
        for _ in 0..20_000 {
            let length = (random() % 24) as usize;
            let mut payload: Vec<u8> = (0..length).map(|_| random() as u8).collect();
            for codec in CODECS {
                refused += u32::from(facts(codec, &payload).is_err());
            }
            let picture_id = vp8::PictureId { value: 0, wide: random() & 1 == 0 };
            let descriptor = vp8::Descriptor {
                picture_id: (random() & 1 == 0).then_some(picture_id),
                tl0_picture_index: (random() & 1 == 0).then_some(0),
                temporal_id: None,
            };
            vp8::rewrite(&mut payload, &descriptor, random() as u16, random() as u8);
        }
        assert!(refused > 0);
    }

    #[test]
    fn an_empty_payload_is_no_picture() {
        for codec in &CODECS[1..] {
            assert_eq!(facts(*codec, &[]), Err(DropReason::PayloadMalformed), "{codec:?}");
        }
    }
}
