//! SRTP and SRTCP, in place and without allocation (RFC 3711, RFC 7714). Replays are found by the stamps instead.
//!
//! | file | holds |
//! |---|---|
//! | `cipher.rs` | AES-GCM, and AES-CM with HMAC-SHA1 |
//! | `keys.rs` | session keys from master keys |

mod cipher;
mod keys;

use cipher::Cipher;
pub use keys::{InvalidKey, Profile};

/// Bytes that have to be free behind a packet that is sealed.
pub const OVERHEAD_BYTES_MAX: usize = 16 + 4;
const E_FLAG: u32 = 1 << 31;

/// Keys of one direction.
#[derive(Debug)]
pub struct Srtp {
    rtp: Cipher,
    rtcp: Option<Cipher>,
}

impl Srtp {
    /// From a master key and salt.
    pub fn derive(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, InvalidKey> {
        let rtp = Cipher::derive(profile, key, salt, 0)?;
        let rtcp = Some(Cipher::derive(profile, key, salt, 3)?);
        Ok(Self { rtp, rtcp })
    }

    /// AES-128-GCM with this session key and a zero salt, for RTP only.
    pub fn raw(key: [u8; 16]) -> Result<Self, InvalidKey> {
        Ok(Self { rtp: Cipher::gcm(&key, [0; 12])?, rtcp: None })
    }

    /// Bytes that sealing an RTP packet adds.
    pub fn rtp_overhead(&self) -> usize {
        self.rtp.tag_len()
    }

    /// Seals a packet of `plain` bytes whose header has `header` bytes; the buffer has room for the tag.
    pub fn seal_rtp(
        &self,
        ssrc: u32,
        index: u64,
        buffer: &mut [u8],
        header: usize,
        plain: usize,
    ) -> Option<usize> {
        let end = plain + self.rtp.tag_len();
        let (head, rest) = buffer.get_mut(..end)?.split_at_mut_checked(header)?;
        let (text, tag) = rest.split_at_mut_checked(plain.checked_sub(header)?)?;
        // RFC 3711 §4.2: the roll-over counter is authenticated behind the packet.
        let roc = ((index >> 16) as u32).to_be_bytes();
        self.rtp.seal(ssrc, index, head, text, &roc, tag)?;
        Some(end)
    }

    /// Opens a packet whose header has `header` bytes; tells where the payload ends.
    pub fn open_rtp(&self, ssrc: u32, index: u64, packet: &mut [u8], header: usize) -> Option<usize> {
        let end = packet.len().checked_sub(self.rtp.tag_len())?;
        let (head, rest) = packet.split_at_mut_checked(header)?;
        let roc = ((index >> 16) as u32).to_be_bytes();
        self.rtp.open(ssrc, index, head, rest, &roc)?;
        Some(end)
    }

    /// Seals a compound of `plain` bytes; the buffer has [`OVERHEAD_BYTES_MAX`] more.
    pub fn seal_rtcp(&self, index: u32, buffer: &mut [u8], plain: usize) -> Option<usize> {
        let rtcp = self.rtcp.as_ref()?;
        let ssrc = u32::from_be_bytes(*buffer.get(4..)?.first_chunk()?);
        let trailer = (index | E_FLAG).to_be_bytes();
        let text_end = plain;
        let (head, rest) = buffer.split_at_mut_checked(8)?;
        let (text, rest) = rest.split_at_mut_checked(text_end.checked_sub(8)?)?;
        match rtcp {
            // RFC 7714 §9.2: tag, then index. RFC 3711 §3.4: index, then tag.
            Cipher::Gcm(_) => {
                let (tag, rest) = rest.split_at_mut_checked(rtcp.tag_len())?;
                rest.first_chunk_mut::<4>()?.copy_from_slice(&trailer);
                rtcp.seal(ssrc, u64::from(index), head, text, &trailer, tag)?;
            }
            Cipher::CmSha1(_) => {
                let (place, rest) = rest.split_at_mut_checked(4)?;
                place.copy_from_slice(&trailer);
                rtcp.seal(ssrc, u64::from(index), head, text, &trailer, rest.get_mut(..rtcp.tag_len())?)?;
            }
        }
        Some(plain + 4 + rtcp.tag_len())
    }

    /// Opens a compound; tells its length. One that is not encrypted is refused.
    pub fn open_rtcp(&self, packet: &mut [u8]) -> Option<usize> {
        let rtcp = self.rtcp.as_ref()?;
        let ssrc = u32::from_be_bytes(*packet.get(4..)?.first_chunk()?);
        let plain = packet.len().checked_sub(4 + rtcp.tag_len())?;
        let (head, rest) = packet.split_at_mut_checked(8)?;
        let trailer_at = match rtcp {
            Cipher::Gcm(_) => rest.len().checked_sub(4)?,
            Cipher::CmSha1(_) => rest.len().checked_sub(4 + rtcp.tag_len())?,
        };
        let trailer: [u8; 4] = *rest.get(trailer_at..)?.first_chunk()?;
        let index = u32::from_be_bytes(trailer);
        if index & E_FLAG == 0 {
            return None;
        }
        // What is sealed and its tag, next to each other.
        let sealed = match rtcp {
            Cipher::Gcm(_) => rest.get_mut(..trailer_at)?,
            Cipher::CmSha1(_) => {
                rest.copy_within(trailer_at + 4.., trailer_at);
                let end = rest.len() - 4;
                rest.get_mut(..end)?
            }
        };
        rtcp.open(ssrc, u64::from(index & !E_FLAG), head, sealed, &trailer)?;
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(profile: Profile) -> Srtp {
        Srtp::derive(profile, &vec![7; profile.key_len()], &vec![9; profile.salt_len()]).expect("keys")
    }

    #[test]
    fn rtp_comes_back_in_every_profile_and_forgeries_do_not() {
        for profile in Profile::ALL {
            let keys = pair(profile);
            let mut packet = vec![0x80; 12];
            packet.extend([5; 30]);
            packet.resize(42 + OVERHEAD_BYTES_MAX, 0);
            let end = keys.seal_rtp(3, 1 << 16 | 9, &mut packet, 12, 42).expect("sealed");
            packet.truncate(end);
            assert_ne!(packet[12..42], [5; 30]);
            let mut copy = packet.clone();
            assert_eq!(keys.open_rtp(3, 1 << 16 | 9, &mut copy, 12), Some(42));
            assert_eq!(copy[12..42], [5; 30]);
            for at in 0..packet.len() {
                let mut forged = packet.clone();
                forged[at] ^= 1;
                assert_eq!(keys.open_rtp(3, 1 << 16 | 9, &mut forged, 12), None);
            }
            assert_eq!(keys.open_rtp(3, 9, &mut packet.clone(), 12), None, "the roll-over counter counts");
        }
    }

    #[test]
    fn rtcp_comes_back_in_every_profile_and_forgeries_do_not() {
        for profile in Profile::ALL {
            let keys = pair(profile);
            let mut packet = vec![0x80, 201, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4];
            packet.resize(12 + OVERHEAD_BYTES_MAX, 0);
            let end = keys.seal_rtcp(77, &mut packet, 12).expect("sealed");
            packet.truncate(end);
            let mut copy = packet.clone();
            assert_eq!(keys.open_rtcp(&mut copy), Some(12));
            assert_eq!(copy[8..12], [1, 2, 3, 4]);
            for at in 0..packet.len() {
                let mut forged = packet.clone();
                forged[at] ^= 1;
                assert_eq!(keys.open_rtcp(&mut forged), None, "byte {at} of {profile:?}");
            }
        }
    }
}
