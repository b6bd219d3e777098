//! What seals and opens one protocol's packets in one direction: session keys at work.

use aws_lc_rs::{
    cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey},
    constant_time::verify_slices_are_equal,
    hmac,
    iv::FixedLength,
};
use zeroize::Zeroizing;

pub(super) use super::aead::{TAG_BYTES as GCM_TAG_BYTES, Unauthenticated};
use super::{
    aead::{Aead, NONCE_BYTES},
    keys::{InvalidKey, Label, MasterKey, Profile},
};

/// HMAC-SHA1 cut to 80 bits (RFC 3711 §5.2).
pub(super) const SHA1_TAG_BYTES: usize = 10;

/// Session keys of SRTP or of SRTCP, in one direction.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and every packet needs it")]
pub(super) enum SessionKeys {
    /// AEAD_AES_128_GCM and AEAD_AES_256_GCM.
    Gcm(GcmKeys),
    /// AES128_CM_HMAC_SHA1_80. Boxed: its 1.7 KiB are three times GCM's, which nearly everybody agrees on.
    CmSha1(Box<CmSha1Keys>),
}

impl SessionKeys {
    /// Derives them; `first_label` is 0 for SRTP, [`Label::SRTCP`] for SRTCP.
    pub(super) fn derive(profile: Profile, master: &MasterKey, first_label: u8) -> Result<Self, InvalidKey> {
        match profile {
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                GcmKeys::derive(profile, master, first_label).map(Self::Gcm)
            }
            Profile::Aes128CmSha1_80 => {
                CmSha1Keys::derive(master, first_label).map(|keys| Self::CmSha1(Box::new(keys)))
            }
        }
    }
}

/// AES-GCM (RFC 7714).
pub(super) struct GcmKeys {
    key: Aead,
    salt: [u8; NONCE_BYTES],
}

impl GcmKeys {
    fn derive(profile: Profile, master: &MasterKey, first_label: u8) -> Result<Self, InvalidKey> {
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..profile.key_len()).ok_or(InvalidKey)?;
        master.derive(first_label + Label::Encryption as u8, key)?;
        let mut salt = [0; NONCE_BYTES];
        master.derive(first_label + Label::Salt as u8, &mut salt)?;
        Self::new(key, salt)
    }

    /// From session keys, of 16 or 32 bytes.
    pub(super) fn new(key: &[u8], salt: [u8; NONCE_BYTES]) -> Result<Self, InvalidKey> {
        Ok(Self { key: Aead::new(key)?, salt })
    }

    /// RFC 7714 §8.1 with `counter` the 48-bit index, §9.1 with the 31-bit SRTCP index.
    fn nonce(&self, ssrc: u32, counter: u64) -> [u8; NONCE_BYTES] {
        let [.., c0, c1, c2, c3, c4, c5] = counter.to_be_bytes();
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let mut nonce = [0, 0, s0, s1, s2, s3, c0, c1, c2, c3, c4, c5];
        nonce.iter_mut().zip(self.salt).for_each(|(byte, salt)| *byte ^= salt);
        nonce
    }

    /// Encrypts in place and writes the tag.
    pub(super) fn seal(
        &self,
        ssrc: u32,
        counter: u64,
        authenticated: &[u8],
        plaintext: &mut [u8],
        tag: &mut [u8],
    ) -> Option<()> {
        self.key.seal(&self.nonce(ssrc, counter), authenticated, plaintext, tag.try_into().ok()?)
    }

    /// Decrypts in place; `sealed` ends with the tag.
    pub(super) fn open(
        &self,
        ssrc: u32,
        counter: u64,
        authenticated: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), Unauthenticated> {
        let (text, tag) = sealed.split_last_chunk_mut().ok_or(Unauthenticated)?;
        self.key.open(&self.nonce(ssrc, counter), authenticated, text, tag)
    }
}

/// AES in counter mode, and HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).
///
/// `EncryptingKey::less_safe_encrypt` keeps the counter block on the stack and `hmac::Context` copies a prepared
/// state onto it, so neither allocates; `tests/no_allocation.rs` holds them to it.
pub(super) struct CmSha1Keys {
    cipher: EncryptingKey,
    salt: [u8; 14],
    mac: hmac::Key,
}

impl CmSha1Keys {
    fn derive(master: &MasterKey, first_label: u8) -> Result<Self, InvalidKey> {
        let mut key = Zeroizing::new([0; 16]);
        master.derive(first_label + Label::Encryption as u8, &mut *key)?;
        let cipher = UnboundCipherKey::new(&AES_128, &*key).and_then(EncryptingKey::ctr);
        let mut mac = Zeroizing::new([0; 20]);
        master.derive(first_label + Label::Authentication as u8, &mut *mac)?;
        let mut salt = [0; 14];
        master.derive(first_label + Label::Salt as u8, &mut salt)?;
        Ok(Self {
            cipher: cipher.map_err(|_| InvalidKey)?,
            salt,
            mac: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*mac),
        })
    }

    /// Encrypts or decrypts in place: in counter mode they are the same.
    pub(super) fn apply(&self, ssrc: u32, index: u64, text: &mut [u8]) -> Option<()> {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        block[4..8].iter_mut().zip(ssrc.to_be_bytes()).for_each(|(byte, b)| *byte ^= b);
        block[6..14].iter_mut().zip(index.to_be_bytes()).for_each(|(byte, b)| *byte ^= b);
        let context = EncryptionContext::Iv128(FixedLength::from(block));
        self.cipher.less_safe_encrypt(text, context).ok().map(drop)
    }

    /// The tag over `parts`, one after another.
    pub(super) fn tag(&self, parts: [&[u8]; 2]) -> [u8; SHA1_TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.mac);
        parts.iter().for_each(|part| context.update(part));
        let mut tag = [0; SHA1_TAG_BYTES];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(byte, full)| *byte = *full);
        tag
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, parts: [&[u8]; 2], tag: &[u8]) -> Result<(), Unauthenticated> {
        verify_slices_are_equal(&self.tag(parts), tag).map_err(|_| Unauthenticated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 B.2: with SSRC and index 0 the counter starts at the salt times 2^16.
    #[test]
    fn the_key_stream_is_that_of_rfc_3711() {
        let key = 0x2B7E151628AED2A6ABF7158809CF4F3C_u128.to_be_bytes();
        let salt: [u8; 14] = 0xF0F1F2F3F4F5F6F7F8F9FAFBFCFD_u128.to_be_bytes()[2..].try_into().unwrap();
        let cipher = EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key).unwrap()).unwrap();
        let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[0; 20]);
        let keys = CmSha1Keys { cipher, salt, mac };
        let mut stream = vec![0; 0xff02 * 16];
        keys.apply(0, 0, &mut stream).unwrap();
        let block = |i: usize| u128::from_be_bytes(stream[i * 16..][..16].try_into().unwrap());
        assert_eq!(block(0), 0xE03EAD0935C95E80E166B16DD92B4EB4);
        assert_eq!(block(1), 0xD23513162B02D0F72A43A2FE4A5F97AB);
        assert_eq!(block(2), 0x41E95B3BB0A2E8DD477901E4FCA894C0);
        assert_eq!(block(0xfeff), 0xEC8CDF7398607CB0F2D21675EA9EA1E4);
        assert_eq!(block(0xff00), 0x362B7C3C6773516318A077D7FC5073AE);
        assert_eq!(block(0xff01), 0x6A2CC3787889374FBEB4C81B17BA6C44);
    }
}
