//! The packets: a 12-byte RTP header, a payload, AES-128-GCM's tag. And the datagram by which a participant registers.

use std::ops::Range;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// An RTP header and nothing else.
pub const HEADER_BYTES: usize = 12;
/// Of AES-128-GCM.
pub const TAG_BYTES: usize = 16;

/// Both directions of one participant.
pub struct Keys {
    /// What the participant seals with.
    pub from_client: LessSafeKey,
    /// What the server seals with for him.
    pub to_client: LessSafeKey,
}

impl Keys {
    /// By his number; nothing is secret here.
    pub fn of(participant: u32) -> Self {
        Self { from_client: key(participant), to_client: key(!participant) }
    }
}

fn key(word: u32) -> LessSafeKey {
    let mut bytes = [0; 16];
    bytes.chunks_exact_mut(4).for_each(|chunk| chunk.copy_from_slice(&word.to_be_bytes()));
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &bytes).expect("16 bytes are a key"))
}

/// By which a participant registers, and which is sent back to him: `F`, three zeroes, who, how many form a group.
pub fn registration(participant: u32, group_size: u32) -> [u8; 12] {
    let mut bytes = [b'F', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..8].copy_from_slice(&participant.to_be_bytes());
    bytes[8..].copy_from_slice(&group_size.to_be_bytes());
    bytes
}

pub fn parse_registration(datagram: &[u8]) -> Option<(u32, u32)> {
    let rest: [u8; 8] = datagram.strip_prefix(b"F\0\0\0")?.try_into().ok()?;
    let [p0, p1, p2, p3, g0, g1, g2, g3] = rest;
    Some((u32::from_be_bytes([p0, p1, p2, p3]), u32::from_be_bytes([g0, g1, g2, g3])))
}

/// 0, 0, SSRC, 0, 0, 0, 0, sequence number: RFC 7714 §8.1 with neither salt nor rollover.
fn nonce(header: &[u8; HEADER_BYTES]) -> Nonce {
    let [_, _, n0, n1, _, _, _, _, s0, s1, s2, s3] = *header;
    Nonce::assume_unique_for_key([0, 0, s0, s1, s2, s3, 0, 0, 0, 0, n0, n1])
}

/// Opens a packet in place and says where its payload is; the tag stays behind it.
pub fn open(key: &LessSafeKey, packet: &mut [u8]) -> Option<Range<usize>> {
    let (header, sealed) = packet.split_first_chunk_mut::<HEADER_BYTES>()?;
    let payload = key.open_in_place(nonce(header), Aad::from(&*header), sealed).ok()?;
    Some(HEADER_BYTES..HEADER_BYTES + payload.len())
}

/// Seals a packet in place; its last bytes are room for the tag.
pub fn seal(key: &LessSafeKey, packet: &mut [u8]) -> Option<()> {
    let (header, rest) = packet.split_first_chunk_mut::<HEADER_BYTES>()?;
    let (payload, room) = rest.split_last_chunk_mut::<TAG_BYTES>()?;
    let tag = key.seal_in_place_separate_tag(nonce(header), Aad::from(&*header), payload).ok()?;
    room.copy_from_slice(tag.as_ref());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_key_seals_it_opens_and_no_other_does() {
        let keys = Keys::of(7);
        let mut packet = vec![0x80; HEADER_BYTES + 50 + TAG_BYTES];
        seal(&keys.from_client, &mut packet).unwrap();
        assert_eq!(open(&keys.to_client, &mut packet.clone()), None);
        assert_eq!(open(&keys.from_client, &mut packet), Some(12..62));
        assert_eq!(packet[12..62], [0x80; 50]);
    }

    #[test]
    fn a_registration_is_read_as_it_was_written() {
        assert_eq!(parse_registration(&registration(9, 3)), Some((9, 3)));
        assert_eq!(parse_registration(&[0x80; 12]), None);
    }
}
