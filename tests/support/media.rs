//! Synthetic Opus and VP8: valid for whoever looks at payload headers, and marked with who sent them.

use bytes::Bytes;

/// Who sent a packet and which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The publisher's person, chosen by the test.
    pub publisher: u32,
    /// Counts up with each packet of a track.
    pub count: u32,
}

impl Mark {
    const MAGIC: [u8; 4] = *b"mark";
    const BYTES: usize = 12;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&Self::MAGIC);
        bytes[4..8].copy_from_slice(&self.publisher.to_be_bytes());
        bytes[8..].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    /// The mark in a payload, wherever it stands: payload headers may have been rewritten on the way.
    pub fn find(payload: &[u8]) -> Option<Self> {
        let at = payload.windows(Self::BYTES).find(|window| window.starts_with(&Self::MAGIC))?;
        let word = |from: usize| u32::from_be_bytes([at[from], at[from + 1], at[from + 2], at[from + 3]]);
        Some(Self { publisher: word(4), count: word(8) })
    }
}

/// RFC 6716 §3.1: CELT, fullband, 20 ms, mono, one frame.
const OPUS_TOC: u8 = 31 << 3;
const OPUS_BYTES: usize = 80;

/// One Opus packet of 20 ms.
pub fn opus(mark: Mark) -> Bytes {
    let mut payload = vec![OPUS_TOC];
    payload.extend(mark.to_bytes());
    payload.resize(OPUS_BYTES, 0x5a);
    payload.into()
}

/// Largest payload of one packet of a picture.
const VP8_PACKET_BYTES: usize = 1_000;

/// The packets of one VP8 picture (RFC 7741 §4.2 and §4.3): two for a key frame, one for others. `first` marks the first,
/// the next one counts one more.
pub fn vp8(first: Mark, picture_id: u16, is_key_frame: bool) -> Vec<Bytes> {
    let packets = if is_key_frame { 2 } else { 1 };
    let marks = (0..packets).map(|i| Mark { count: first.count + i, ..first });
    let mut payloads = Vec::new();
    for (i, mark) in marks.enumerate() {
        let starts_partition = if i == 0 { 0x10 } else { 0 };
        let [high, low] = (0x8000 | picture_id).to_be_bytes();
        // X and S; I; a picture id of 15 bits.
        let mut payload = vec![0x80 | starts_partition, 0x80, high, low];
        if i == 0 {
            // The frame tag's bit 0 is 0 for key frames; it shows (RFC 6386 §9.1).
            payload.extend(if is_key_frame { [0x10, 0, 0] } else { [0x11, 0, 0] });
        }
        if i == 0 && is_key_frame {
            // The start code, and 320 by 180.
            payload.extend([0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
        }
        payload.extend(mark.to_bytes());
        payload.resize(if is_key_frame { VP8_PACKET_BYTES } else { VP8_PACKET_BYTES / 2 }, 0xa5);
        payloads.push(payload.into());
    }
    payloads
}

/// The picture id in a VP8 payload descriptor, and whether a key frame begins in the packet.
pub fn vp8_facts(payload: &[u8]) -> Option<(u16, bool)> {
    let (first, second) = (*payload.first()?, *payload.get(1)?);
    if first & 0x80 == 0 || second & 0x80 == 0 {
        return None;
    }
    let (high, low) = (*payload.get(2)?, *payload.get(3)?);
    let optional = usize::from(second & 0x40 != 0) + usize::from(second & 0x30 != 0);
    let starts_key_frame = first & 0x10 != 0 && payload.get(4 + optional)? & 1 == 0;
    Some((u16::from_be_bytes([high & 0x7f, low]), starts_key_frame))
}
