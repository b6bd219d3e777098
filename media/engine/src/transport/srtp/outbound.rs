//! Sealing what a transport sends, in the send buffer.

use std::mem::offset_of;

use prefetch::prefetch;

use super::{
    cipher::{GCM_TAG_BYTES, SessionKeys},
    inbound::rtcp_authenticated,
    keys::{InvalidKey, Label, MasterKey, Profile},
};
use crate::rtp::RtpHeader;

/// Roll-over counter and sequence number have 48 bits together (RFC 3711 §3.3.1).
const RTP_INDEX_MAX: u64 = (1 << 48) - 1;
/// The SRTCP index has 31 (RFC 3711 §3.4).
const RTCP_INDEX_MAX: u32 = (1 << 31) - 1;

/// An RTP packet that has been written and is to be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    /// As its header says.
    pub ssrc: u32,
    /// Roll-over counter and sequence number: see [`SrtpOutbound::seal_rtp`].
    pub index: u64,
    /// Where its payload begins.
    pub header_len: usize,
    /// Of the whole packet.
    pub length: usize,
}

/// Keys of one direction: from the server to the client.
#[repr(C, align(64))]
pub struct SrtpOutbound {
    /// Apart from what every packet needs.
    rtcp_keys: Box<SessionKeys>,
    /// Of the next SRTCP packet. One count for all senders: an index must not come twice for any one of them.
    rtcp_index: u32,
    profile: Profile,
    rtp_keys: SessionKeys,
}

impl SrtpOutbound {
    /// What SRTCP takes, beside its keys.
    pub const FRONT_BYTES: usize = offset_of!(Self, rtp_keys);

    /// Derives the session keys.
    ///
    /// # Errors
    /// [`InvalidKey`] when key or salt are not as long as the profile wants them.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, InvalidKey> {
        let master = MasterKey::new(profile, key, salt)?;
        let rtp_keys = SessionKeys::derive(profile, &master, 0)?;
        let rtcp_keys = SessionKeys::derive(profile, &master, Label::SRTCP)?;
        Ok(Self::with_session_keys(profile, rtp_keys, rtcp_keys))
    }

    pub(super) fn with_session_keys(profile: Profile, rtp_keys: SessionKeys, rtcp_keys: SessionKeys) -> Self {
        Self { profile, rtp_keys, rtcp_keys: Box::new(rtcp_keys), rtcp_index: 0 }
    }

    /// The profile, which says how much room a packet needs.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Has the processor fetch what sealing RTCP takes.
    pub fn prefetch_rtcp(&self) {
        prefetch(&*self.rtcp_keys);
    }

    /// Encrypts the plain RTP packet in the first `plain_len` bytes of `packet`, in place, and appends the tag; the
    /// sealed length. `packet` needs [`Profile::rtp_overhead`] bytes more than `plain_len`.
    ///
    /// `index` is `roc << 16 | sequence`, kept by the caller for each SSRC; its low 16 bits have to be the packet's
    /// sequence number.
    ///
    /// **The caller's duty: an index is used once per SSRC and key, for one content only.** Under AES-GCM two packets
    /// with the same SSRC and index give away the difference of their plain texts and the key of the
    /// authentication (RFC 7714 §8.1); under AES-CM the former. So a retransmission goes out under an SSRC and index of
    /// its own (RFC 4588), and an index never goes back, not even after an error.
    ///
    /// `None` when there is no room, no RTP header, another sequence number, or the key's 2^48 packets are used up.
    pub fn seal_rtp(&self, index: u64, packet: &mut [u8], plain_len: usize) -> Option<usize> {
        let header = RtpHeader::parse(packet.get(..plain_len)?).ok()?;
        if index as u16 != header.sequence {
            return None;
        }
        let (ssrc, header_len) = (header.ssrc, header.header_len());
        self.seal_plain(&Plain { ssrc, index, header_len, length: plain_len }, packet)
    }

    /// [`Self::seal_rtp`] for who has written the header just now and need not have it read again.
    pub(crate) fn seal_plain(&self, plain: &Plain, packet: &mut [u8]) -> Option<usize> {
        let Plain { ssrc, index, header_len, length } = *plain;
        let sealed_len = length.checked_add(self.profile.rtp_overhead())?;
        let (plain, tag_space) = packet.get_mut(..sealed_len)?.split_at_mut_checked(length)?;
        if index > RTP_INDEX_MAX {
            return None;
        }
        match &self.rtp_keys {
            SessionKeys::Gcm(keys) => {
                let (clear, text) = plain.split_at_mut_checked(header_len)?;
                keys.seal(ssrc, index, clear, text, tag_space)?;
            }
            SessionKeys::CmSha1(keys) => {
                keys.apply(ssrc, index, plain.get_mut(header_len..)?)?;
                let roll_over_counter = (index >> 16) as u32;
                tag_space.copy_from_slice(&keys.tag([plain, &roll_over_counter.to_be_bytes()]));
            }
        }
        Some(sealed_len)
    }

    /// Encrypts the plain RTCP compound in the first `plain_len` bytes of `packet`, in place, and appends tag and index;
    /// the sealed length. `packet` needs [`Profile::rtcp_overhead`] bytes more than `plain_len`.
    ///
    /// `None` when there is no room, no RTCP header, or the key's 2^31 packets are used up.
    pub fn seal_rtcp(&mut self, packet: &mut [u8], plain_len: usize) -> Option<usize> {
        let sealed_len = plain_len.checked_add(self.profile.rtcp_overhead())?;
        let (plain, trailer_space) = packet.get_mut(..sealed_len)?.split_at_mut_checked(plain_len)?;
        let index = self.rtcp_index;
        let (clear, text) = plain.split_first_chunk_mut::<8>()?;
        let [_, _, _, _, ssrc @ ..] = *clear;
        let ssrc = u32::from_be_bytes(ssrc);
        if index > RTCP_INDEX_MAX {
            return None;
        }
        // Before anything is encrypted, so that no way out of here leads to a second use.
        self.rtcp_index += 1;
        let trailer = 1 << 31 | index;
        match &*self.rtcp_keys {
            SessionKeys::Gcm(keys) => {
                let (tag_space, index_space) = trailer_space.split_at_mut_checked(GCM_TAG_BYTES)?;
                keys.seal(ssrc, index.into(), &rtcp_authenticated(clear, trailer), text, tag_space)?;
                index_space.copy_from_slice(&trailer.to_be_bytes());
            }
            SessionKeys::CmSha1(keys) => {
                keys.apply(ssrc, index.into(), text)?;
                let (index_space, tag_space) = trailer_space.split_at_mut_checked(4)?;
                index_space.copy_from_slice(&trailer.to_be_bytes());
                tag_space.copy_from_slice(&keys.tag([plain, index_space]));
            }
        }
        Some(sealed_len)
    }
}

impl std::fmt::Debug for SrtpOutbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrtpOutbound").field("profile", &self.profile).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{SrtpInbound, cipher::GcmKeys},
        *,
    };

    const SALT: &[u8; 12] = b"Quid pro quo";
    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
                       69736120 696e2070 61727465 73207472 6573";
    const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
                        deadbeef deadbeef deadbeef deadbeef deadbeef";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }

    fn both(profile: Profile) -> (SrtpOutbound, SrtpInbound) {
        let key: Vec<u8> = (0..profile.key_len() as u8).collect();
        let keys = || SessionKeys::Gcm(GcmKeys::new(&key, *SALT).unwrap());
        (
            SrtpOutbound::with_session_keys(profile, keys(), keys()),
            SrtpInbound::with_session_keys(profile, keys(), keys()),
        )
    }

    /// RFC 7714 §16.1.1, §16.2.1
    #[test]
    fn rtp_is_sealed_and_opened_as_rfc_7714_shows() {
        let sealed_128 = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
                          0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";
        let sealed_256 = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
                          9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";
        for (profile, sealed) in [(Profile::AeadAes128Gcm, sealed_128), (Profile::AeadAes256Gcm, sealed_256)]
        {
            let (outbound, mut inbound) = both(profile);
            let (plain, mut packet) = (hex(RTP), [hex(RTP), vec![0; 16]].concat());
            assert_eq!(outbound.seal_rtp(0xf17b, &mut packet, plain.len()), Some(packet.len()));
            assert_eq!(packet, hex(sealed));
            let opened = inbound.open_rtp(&mut packet).unwrap();
            assert_eq!((opened.index, &packet[..opened.payload.end]), (0xf17b, &plain[..]));
        }
    }

    /// RFC 7714 §17.1, §17.3
    #[test]
    fn rtcp_is_sealed_and_opened_as_rfc_7714_shows() {
        let sealed_128 = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
                          c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872
                          45d9eade 800005d4";
        let sealed_256 = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
                          a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c
                          b26ac3be 800005d4";
        for (profile, sealed) in [(Profile::AeadAes128Gcm, sealed_128), (Profile::AeadAes256Gcm, sealed_256)]
        {
            let (mut outbound, mut inbound) = both(profile);
            outbound.rtcp_index = 0x5d4;
            let (plain, mut packet) = (hex(RTCP), [hex(RTCP), vec![0; 20]].concat());
            assert_eq!(outbound.seal_rtcp(&mut packet, plain.len()), Some(packet.len()));
            assert_eq!(packet, hex(sealed));
            assert_eq!(inbound.open_rtcp(&mut packet), Ok(plain.len()));
            assert_eq!(packet[..plain.len()], plain);
        }
    }

    #[test]
    fn a_key_that_is_used_up_seals_nothing_more() {
        let (mut outbound, _) = both(Profile::AeadAes128Gcm);
        outbound.rtcp_index = RTCP_INDEX_MAX;
        let mut packet = [hex(RTCP), vec![0; 20]].concat();
        assert!(outbound.seal_rtcp(&mut packet, 52).is_some());
        assert_eq!(outbound.seal_rtcp(&mut packet, 52), None);
        let mut packet = [hex(RTP), vec![0; 16]].concat();
        assert_eq!(outbound.seal_rtp(1 << 48 | 0xf17b, &mut packet, 50), None);
        assert_eq!(outbound.seal_rtp(0xf17c, &mut packet, 50), None, "not the packet's sequence number");
        assert_eq!(outbound.seal_rtp(0xf17b, &mut packet, 51), None, "no room for the tag");
    }
}
