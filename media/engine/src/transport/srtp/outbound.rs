//! Sealing what a transport sends, in the send buffer.

use super::{
    cipher::SessionKeys,
    inbound::rtcp_authenticated,
    keys::{InvalidKey, Label, MasterKey, Profile},
};
use crate::rtp::RtpHeader;

/// Roll-over counter and sequence number have 48 bits together (RFC 3711 §3.3.1).
const RTP_INDEX_MAX: u64 = (1 << 48) - 1;
/// The SRTCP index has 31 (RFC 3711 §3.4).
const RTCP_INDEX_MAX: u32 = (1 << 31) - 1;

/// Keys of one direction: from the server to the client.
pub struct SrtpOutbound {
    profile: Profile,
    rtp_keys: SessionKeys,
    rtcp_keys: SessionKeys,
    /// Of the next SRTCP packet. One count for all senders: an index must not come twice for any one of them.
    rtcp_index: u32,
}

impl SrtpOutbound {
    /// Derives the session keys.
    ///
    /// # Errors
    /// [`InvalidKey`] when key or salt are not as long as the profile wants them.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, InvalidKey> {
        let master = MasterKey::new(profile, key, salt)?;
        Ok(Self {
            profile,
            rtp_keys: SessionKeys::derive(profile, &master, 0)?,
            rtcp_keys: SessionKeys::derive(profile, &master, Label::SRTCP)?,
            rtcp_index: 0,
        })
    }

    /// The profile, which says how much room a packet needs.
    pub fn profile(&self) -> Profile {
        self.profile
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
        let sealed_len = plain_len.checked_add(self.profile.rtp_overhead())?;
        let (plain, tag_space) = packet.get_mut(..sealed_len)?.split_at_mut_checked(plain_len)?;
        let header = RtpHeader::parse(plain).ok()?;
        if index > RTP_INDEX_MAX || index as u16 != header.sequence {
            return None;
        }
        match &self.rtp_keys {
            SessionKeys::Gcm(keys) => {
                let (clear, text) = plain.split_at_mut_checked(header.header_len())?;
                tag_space.copy_from_slice(&keys.seal(header.ssrc, index, clear, text)?);
            }
            SessionKeys::CmSha1(keys) => {
                keys.apply(header.ssrc, index, plain.get_mut(header.header_len()..)?)?;
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
        match &self.rtcp_keys {
            SessionKeys::Gcm(keys) => {
                let tag = keys.seal(ssrc, index.into(), &rtcp_authenticated(clear, trailer), text)?;
                let (tag_space, index_space) = trailer_space.split_at_mut_checked(tag.len())?;
                tag_space.copy_from_slice(&tag);
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
