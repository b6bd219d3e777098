//! Protection profiles and session keys (RFC 3711 §4.3, RFC 7714 §11).

use aws_lc_rs::{
    cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    iv::FixedLength,
};

/// An SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`
    Aes128CmSha1_80,
}

/// A key or a salt is not as long as the profile wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("SRTP key or salt of the wrong length")]
pub struct InvalidKey;

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmSha1_80];

    /// Bytes of a master key.
    pub const fn key_len(self) -> usize {
        if matches!(self, Self::AeadAes256Gcm) { 32 } else { 16 }
    }

    /// Bytes of a master salt.
    pub const fn salt_len(self) -> usize {
        if matches!(self, Self::Aes128CmSha1_80) { 14 } else { 12 }
    }
}

/// Fills `out` with the session key of a label, derivation rate 0.
pub(super) fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Result<(), InvalidKey> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| InvalidKey)?;
    let prf = EncryptingKey::ctr(key).map_err(|_| InvalidKey)?;
    let mut block = [0; 16];
    // RFC 7714 §11: a salt of 96 bits is padded with zeros at its end.
    block.get_mut(..salt.len()).ok_or(InvalidKey)?.copy_from_slice(salt);
    block[7] ^= label;
    out.fill(0);
    let context = EncryptionContext::Iv128(FixedLength::from(block));
    prf.less_safe_encrypt(out, context).map(drop).map_err(|_| InvalidKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 B.3
    #[test]
    fn session_keys_are_those_of_rfc_3711() {
        let key = 0xE1F97A0D3E018BE0D64FA32C06DE4139_u128.to_be_bytes();
        let salt = &0x0EC675AD498AFEEBB6960B3AABE6_u128.to_be_bytes()[2..];
        let (mut cipher, mut session_salt, mut auth) = ([0; 16], [0; 14], [0; 20]);
        derive(&key, salt, 0, &mut cipher).unwrap();
        derive(&key, salt, 1, &mut auth).unwrap();
        derive(&key, salt, 2, &mut session_salt).unwrap();
        assert_eq!(u128::from_be_bytes(cipher), 0xC61E7A93744F39EE10734AFE3FF7A087);
        assert_eq!(session_salt, 0x30CBBC08863D8C85D49DB34A9AE1_u128.to_be_bytes()[2..]);
        assert_eq!(auth[..4], [0xCE, 0xBE, 0x32, 0x1F]);
    }
}
