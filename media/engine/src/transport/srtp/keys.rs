//! Protection profiles, the keys that the DTLS handshake exports, and session keys derived from them.

use aws_lc_rs::{
    cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    iv::FixedLength,
};
use zeroize::{Zeroize, Zeroizing};

/// The longest master key, that of AES-256.
const KEY_BYTES_MAX: usize = 32;
/// The longest master salt, that of AES-CM.
const SALT_BYTES_MAX: usize = 14;
/// Both directions' keys and salts.
const EXPORT_BYTES_MAX: usize = 2 * (KEY_BYTES_MAX + SALT_BYTES_MAX);

/// An SRTP protection profile, as negotiated by the `use_srtp` extension (RFC 5764 §4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM` (RFC 7714 §14.2).
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM` (RFC 7714 §14.2).
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80` (RFC 5764 §4.1.2).
    Aes128CmSha1_80,
}

impl Profile {
    /// Every profile, in the order of the server's preference: GCM costs a fifth of HMAC-SHA1.
    pub const PREFERENCE: [Self; 3] = [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmSha1_80];

    /// Its number in the IANA registry "DTLS-SRTP Protection Profiles".
    pub const fn iana_id(self) -> u16 {
        match self {
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
            Self::Aes128CmSha1_80 => 0x0001,
        }
    }

    /// The profile of that number, if it is one of these.
    pub fn from_iana_id(id: u16) -> Option<Self> {
        Self::PREFERENCE.into_iter().find(|profile| profile.iana_id() == id)
    }

    /// Bytes of a master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::Aes128CmSha1_80 => 14,
        }
    }

    /// Bytes that sealing adds to an RTP packet: the tag.
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::Aes128CmSha1_80 => 10,
        }
    }

    /// Bytes that sealing adds to an RTCP packet: the tag, and the E flag with the index.
    pub const fn rtcp_overhead(self) -> usize {
        self.rtp_overhead() + 4
    }

    /// How many bytes the handshake has to export under `EXTRACTOR-dtls_srtp` (RFC 5764 §4.2).
    pub const fn export_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

/// A key or a salt is not as long as the profile wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("SRTP key or salt of the wrong length")]
pub struct InvalidKey;

/// Master keys and salts of both directions, as the handshake exported them. Wiped when dropped.
#[derive(Clone)]
pub struct KeyingMaterial {
    profile: Profile,
    /// Client's key, server's key, client's salt, server's salt (RFC 5764 §4.2).
    export: [u8; EXPORT_BYTES_MAX],
}

impl KeyingMaterial {
    /// Takes over the exporter's output, which has to be [`Profile::export_len`] bytes.
    pub fn from_export(profile: Profile, export: &[u8]) -> Result<Self, InvalidKey> {
        if export.len() != profile.export_len() {
            return Err(InvalidKey);
        }
        let mut material = Self { profile, export: [0; EXPORT_BYTES_MAX] };
        material.export[..export.len()].copy_from_slice(export);
        Ok(material)
    }

    /// What the keys are for.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Master key of what the DTLS client sends.
    pub fn client_key(&self) -> &[u8] {
        self.part(0, self.profile.key_len())
    }

    /// Master key of what the DTLS server sends.
    pub fn server_key(&self) -> &[u8] {
        self.part(self.profile.key_len(), self.profile.key_len())
    }

    /// Master salt of what the DTLS client sends.
    pub fn client_salt(&self) -> &[u8] {
        self.part(2 * self.profile.key_len(), self.profile.salt_len())
    }

    /// Master salt of what the DTLS server sends.
    pub fn server_salt(&self) -> &[u8] {
        self.part(2 * self.profile.key_len() + self.profile.salt_len(), self.profile.salt_len())
    }

    fn part(&self, start: usize, length: usize) -> &[u8] {
        &self.export[start..start + length]
    }
}

impl Drop for KeyingMaterial {
    fn drop(&mut self) {
        self.export.zeroize();
    }
}

impl std::fmt::Debug for KeyingMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyingMaterial").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// What a session key is for (RFC 3711 §4.3.1, §4.3.2). The two protocols differ by [`Label::SRTCP`].
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    Encryption = 0,
    Authentication = 1,
    Salt = 2,
}

impl Label {
    /// Added to a label for SRTCP.
    pub(super) const SRTCP: u8 = 3;
}

/// The pseudo-random function keyed with a master key, and the master salt.
pub(super) struct MasterKey {
    prf: EncryptingKey,
    salt: Zeroizing<[u8; SALT_BYTES_MAX]>,
}

impl MasterKey {
    pub(super) fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, InvalidKey> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return Err(InvalidKey);
        }
        let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
        let key = UnboundCipherKey::new(algorithm, key).map_err(|_| InvalidKey)?;
        // RFC 7714 §11: a salt of 96 bits is shifted up by 16, that is, padded with zeros at its end.
        let mut padded = Zeroizing::new([0; SALT_BYTES_MAX]);
        padded[..salt.len()].copy_from_slice(salt);
        Ok(Self { prf: EncryptingKey::ctr(key).map_err(|_| InvalidKey)?, salt: padded })
    }

    /// Fills `out` with the session key of that label (RFC 3711 §4.3.1, §4.3.3), derivation rate 0.
    pub(super) fn derive(&self, label: u8, out: &mut [u8]) -> Result<(), InvalidKey> {
        let mut block = [0; 16];
        block[..SALT_BYTES_MAX].copy_from_slice(&*self.salt);
        // The key id is the label followed by a 48-bit index of 0; it ends where the salt ends.
        block[7] ^= label;
        out.fill(0);
        let context = EncryptionContext::Iv128(FixedLength::from(block));
        self.prf.less_safe_encrypt(out, context).map(drop).map_err(|_| InvalidKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// RFC 3711 B.3
    #[test]
    fn session_keys_are_those_of_rfc_3711() {
        let key: [u8; 16] = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt: [u8; 14] = hex("0EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Profile::Aes128CmSha1_80, &key, &salt).unwrap();
        let (mut cipher, mut session_salt, mut auth) = ([0; 16], [0; 14], [0; 94]);
        master.derive(Label::Encryption as u8, &mut cipher).unwrap();
        master.derive(Label::Salt as u8, &mut session_salt).unwrap();
        master.derive(Label::Authentication as u8, &mut auth).unwrap();
        assert_eq!(cipher, hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(session_salt, hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            auth,
            hex(concat!(
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE",
                "E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25",
                "6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
            ))
        );
    }

    #[test]
    fn the_export_is_cut_as_rfc_5764_says() {
        let bytes: Vec<u8> = (0..60).collect();
        let keys = KeyingMaterial::from_export(Profile::Aes128CmSha1_80, &bytes).unwrap();
        assert_eq!((keys.client_key(), keys.server_key()), (&bytes[..16], &bytes[16..32]));
        assert_eq!((keys.client_salt(), keys.server_salt()), (&bytes[32..46], &bytes[46..]));
        assert_eq!(KeyingMaterial::from_export(Profile::AeadAes128Gcm, &bytes).err(), Some(InvalidKey));
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        for profile in Profile::PREFERENCE {
            let (key, salt) = (vec![0; profile.key_len()], vec![0; profile.salt_len()]);
            assert!(MasterKey::new(profile, &key, &salt).is_ok());
            assert!(MasterKey::new(profile, &key[1..], &salt).is_err());
            assert!(MasterKey::new(profile, &key, &salt[1..]).is_err());
            assert_eq!(Profile::from_iana_id(profile.iana_id()), Some(profile));
        }
        assert_eq!(Profile::from_iana_id(2), None);
    }
}
