//! What seals and opens: AES-GCM (RFC 7714), AES-CM with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey},
    hmac,
    iv::FixedLength,
};

use super::keys::{InvalidKey, Profile, derive};

/// Session keys of one protocol in one direction.
#[derive(Debug)]
pub(super) enum Cipher {
    Gcm(Gcm),
    CmSha1(Box<CmSha1>),
}

#[derive(Debug)]
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

#[derive(Debug)]
pub(super) struct CmSha1 {
    cipher: EncryptingKey,
    salt: [u8; 14],
    mac: hmac::Key,
}

impl Cipher {
    /// `first_label` is 0 for SRTP and 3 for SRTCP (RFC 3711 §4.3.2).
    pub(super) fn derive(
        profile: Profile,
        key: &[u8],
        salt: &[u8],
        first_label: u8,
    ) -> Result<Self, InvalidKey> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return Err(InvalidKey);
        }
        let mut session = [0; 32];
        let session = session.get_mut(..key.len()).ok_or(InvalidKey)?;
        derive(key, salt, first_label, session)?;
        if profile != Profile::Aes128CmSha1_80 {
            let mut session_salt = [0; 12];
            derive(key, salt, first_label + 2, &mut session_salt)?;
            return Self::gcm(session, session_salt);
        }
        let (mut mac, mut session_salt) = ([0; 20], [0; 14]);
        derive(key, salt, first_label + 1, &mut mac)?;
        derive(key, salt, first_label + 2, &mut session_salt)?;
        Self::cm_sha1(session, session_salt, &mac)
    }

    pub(super) fn gcm(key: &[u8], salt: [u8; 12]) -> Result<Self, InvalidKey> {
        let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key = UnboundKey::new(algorithm, key).map_err(|_| InvalidKey)?;
        Ok(Self::Gcm(Gcm { key: LessSafeKey::new(key), salt }))
    }

    fn cm_sha1(key: &[u8], salt: [u8; 14], mac: &[u8]) -> Result<Self, InvalidKey> {
        let cipher = UnboundCipherKey::new(&AES_128, key).and_then(EncryptingKey::ctr);
        let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, mac);
        Ok(Self::CmSha1(Box::new(CmSha1 { cipher: cipher.map_err(|_| InvalidKey)?, salt, mac })))
    }

    pub(super) fn tag_len(&self) -> usize {
        match self {
            Self::Gcm(_) => 16,
            Self::CmSha1(_) => 10,
        }
    }

    /// Encrypts `text` in place and fills `tag`, which has the right length. `trailer` is what is authenticated besides:
    /// with GCM only the index of SRTCP, with HMAC also the roll-over counter of SRTP.
    pub(super) fn seal(
        &self,
        ssrc: u32,
        index: u64,
        head: &[u8],
        text: &mut [u8],
        trailer: &[u8; 4],
        tag: &mut [u8],
    ) -> Option<()> {
        match self {
            Self::Gcm(gcm) => {
                let (buffer, length) = authenticated(head, trailer)?;
                let nonce = gcm.nonce(ssrc, index);
                let made = match is_rtcp(head) {
                    true => gcm.key.seal_in_place_separate_tag(nonce, Aad::from(buffer.get(..length)?), text),
                    false => gcm.key.seal_in_place_separate_tag(nonce, Aad::from(head), text),
                };
                tag.copy_from_slice(made.ok()?.as_ref());
            }
            Self::CmSha1(keys) => {
                keys.apply(ssrc, index, text)?;
                tag.copy_from_slice(&keys.tag([head, text, trailer]));
            }
        }
        Some(())
    }

    /// Decrypts in place; `sealed` ends with the tag.
    pub(super) fn open(
        &self,
        ssrc: u32,
        index: u64,
        head: &[u8],
        sealed: &mut [u8],
        trailer: &[u8; 4],
    ) -> Option<()> {
        match self {
            Self::Gcm(gcm) => {
                let (buffer, length) = authenticated(head, trailer)?;
                let nonce = gcm.nonce(ssrc, index);
                let opened = match is_rtcp(head) {
                    true => gcm.key.open_in_place(nonce, Aad::from(buffer.get(..length)?), sealed),
                    false => gcm.key.open_in_place(nonce, Aad::from(head), sealed),
                };
                opened.ok().map(drop)
            }
            Self::CmSha1(keys) => {
                let end = sealed.len().checked_sub(self.tag_len())?;
                let (text, tag) = sealed.split_at_mut_checked(end)?;
                if keys.tag([head, text, trailer]) != *tag {
                    return None;
                }
                keys.apply(ssrc, index, text)
            }
        }
    }
}

/// RFC 5761 §4
fn is_rtcp(head: &[u8]) -> bool {
    head.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// Header and index next to each other, as SRTCP with GCM has them (RFC 7714 §9.2).
fn authenticated(head: &[u8], trailer: &[u8; 4]) -> Option<([u8; 12], usize)> {
    let mut buffer = [0; 12];
    if is_rtcp(head) {
        buffer.get_mut(..8)?.copy_from_slice(head.get(..8)?);
        buffer.get_mut(8..)?.copy_from_slice(trailer);
    }
    Some((buffer, 12))
}

impl Gcm {
    /// RFC 7714 §8.1 with the 48-bit index, §9.1 with the 31-bit SRTCP index.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let [.., i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let mut nonce = [0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5];
        nonce.iter_mut().zip(self.salt).for_each(|(byte, salt)| *byte ^= salt);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl CmSha1 {
    fn apply(&self, ssrc: u32, index: u64, text: &mut [u8]) -> Option<()> {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        block[4..8].iter_mut().zip(ssrc.to_be_bytes()).for_each(|(byte, b)| *byte ^= b);
        block[6..14].iter_mut().zip(index.to_be_bytes()).for_each(|(byte, b)| *byte ^= b);
        let context = EncryptionContext::Iv128(FixedLength::from(block));
        self.cipher.less_safe_encrypt(text, context).ok().map(drop)
    }

    fn tag(&self, parts: [&[u8]; 3]) -> [u8; 10] {
        let mut context = hmac::Context::with_key(&self.mac);
        parts.iter().for_each(|part| context.update(part));
        let mut tag = [0; 10];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(byte, full)| *byte = *full);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 3711 B.2: with SSRC and index 0 the counter starts at the salt times 2^16.
    #[test]
    fn the_key_stream_is_that_of_rfc_3711() {
        let key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
        let salt: [u8; 14] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let Ok(Cipher::CmSha1(keys)) = Cipher::cm_sha1(&key, salt, &[0; 20]) else { panic!("no keys") };
        let mut stream = [0; 32];
        keys.apply(0, 0, &mut stream).unwrap();
        assert_eq!(stream[..], hex("E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB")[..]);
    }

    /// RFC 7714 §16.1.1
    #[test]
    fn a_packet_is_sealed_as_in_rfc_7714() {
        let key = hex("000102030405060708090a0b0c0d0e0f");
        let salt: [u8; 12] = hex("517569642070726f2071756f").try_into().unwrap();
        let cipher = Cipher::gcm(&key, salt).unwrap();
        let head = hex("8040f17b8041f8d35501a0b2");
        let mut text = hex("47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
        let mut tag = [0; 16];
        cipher.seal(0x5501_a0b2, 0xf17b, &head, &mut text, &[0; 4], &mut tag).unwrap();
        let sealed = hex("f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833");
        assert_eq!(text, sealed);
        assert_eq!(tag[..], hex("899d7f27beb16a9152cf765ee4390cce")[..]);
    }
}
