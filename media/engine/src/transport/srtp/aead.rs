//! AES-GCM with its key schedule in place: whoever keeps the key has it in reach without following a pointer, and can have
//! it fetched ahead ([`crate::prefetch`]). With hundreds of people on a shard, waiting for a key schedule somewhere
//! on the heap takes as long as enciphering a packet of sound.
//!
//! The cipher is aws-lc's, by the calls that `aws-lc-rs` makes itself.

use std::{mem::MaybeUninit, ptr};

use aws_lc_sys::{
    EVP_AEAD_CTX, EVP_AEAD_CTX_init, EVP_AEAD_CTX_open_gather, EVP_AEAD_CTX_seal_scatter,
    EVP_aead_aes_128_gcm, EVP_aead_aes_256_gcm, OPENSSL_cleanse,
};

use super::keys::InvalidKey;

/// AES-GCM's tag (RFC 7714 §12).
pub(super) const TAG_BYTES: usize = 16;
/// Its nonce (RFC 7714 §8.1).
pub(super) const NONCE_BYTES: usize = 12;

/// The tag does not fit the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unauthenticated;

/// A key of AES-GCM, ready for use. May be moved: its state refers to tables and functions of the program, not to itself
/// (aws-lc's own `EVP_AEAD_CTX_copy` copies it byte by byte).
pub(super) struct Aead(EVP_AEAD_CTX);

// SAFETY: the state holds pointers to constants only, belongs to this value alone, and is not changed by use.
unsafe impl Send for Aead {}
// SAFETY: as above; sealing and opening take it as `const`.
unsafe impl Sync for Aead {}

impl Aead {
    /// From a key of 16 bytes (AES-128) or 32 (AES-256).
    ///
    /// # Errors
    /// [`InvalidKey`] for any other length.
    pub(super) fn new(key: &[u8]) -> Result<Self, InvalidKey> {
        // SAFETY: they give out constants.
        let algorithm = match key.len() {
            16 => unsafe { EVP_aead_aes_128_gcm() },
            32 => unsafe { EVP_aead_aes_256_gcm() },
            _ => return Err(InvalidKey),
        };
        let mut context = MaybeUninit::<EVP_AEAD_CTX>::zeroed();
        // SAFETY: the key is read for its length; the context has room for the state of every algorithm. There is no engine.
        let done = unsafe {
            EVP_AEAD_CTX_init(
                context.as_mut_ptr(),
                algorithm,
                key.as_ptr(),
                key.len(),
                TAG_BYTES,
                ptr::null_mut(),
            )
        };
        if done != 1 {
            return Err(InvalidKey);
        }
        // SAFETY: it was filled just now, and all zeros before are valid for what was left.
        Ok(Self(unsafe { context.assume_init() }))
    }

    /// Encrypts in place and writes the tag. `None` for a text longer than the cipher takes, 64 GiB.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        authenticated: &[u8],
        text: &mut [u8],
        tag: &mut [u8; TAG_BYTES],
    ) -> Option<()> {
        let (start, mut tag_length) = (text.as_mut_ptr(), 0);
        // SAFETY: every pointer comes with its length; the text is encrypted onto itself, which is allowed; there is
        // nothing to be encrypted besides.
        let done = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                &raw const self.0,
                start,
                tag.as_mut_ptr(),
                &raw mut tag_length,
                tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                start,
                text.len(),
                ptr::null(),
                0,
                authenticated.as_ptr(),
                authenticated.len(),
            )
        };
        (done == 1 && tag_length == tag.len()).then_some(())
    }

    /// Decrypts in place; what does not fit its tag is overwritten.
    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        authenticated: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), Unauthenticated> {
        let start = text.as_mut_ptr();
        // SAFETY: every pointer comes with its length; the text is decrypted onto itself, which is allowed.
        let done = unsafe {
            EVP_AEAD_CTX_open_gather(
                &raw const self.0,
                start,
                nonce.as_ptr(),
                nonce.len(),
                start,
                text.len(),
                tag.as_ptr(),
                tag.len(),
                authenticated.as_ptr(),
                authenticated.len(),
            )
        };
        if done == 1 { Ok(()) } else { Err(Unauthenticated) }
    }
}

impl Drop for Aead {
    fn drop(&mut self) {
        // SAFETY: the context is this value's own and is not used again; it owns no other memory (`aead_aes_gcm_cleanup` is empty).
        unsafe { OPENSSL_cleanse((&raw mut self.0).cast(), size_of::<EVP_AEAD_CTX>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4 and 16.
    #[test]
    fn it_is_aes_gcm() {
        let nonce = 0xcafebabefacedbaddecaf888_u128.to_be_bytes();
        let nonce: [u8; 12] = nonce[4..].try_into().unwrap();
        let key = [0xfeffe9928665731c6d6a8f9467308308_u128.to_be_bytes(); 2].concat();
        let authenticated =
            [&0xfeedfacedeadbeeffeedfacedeadbeef_u128.to_be_bytes()[..], &[0xab, 0xad, 0xda, 0xd2]].concat();
        for (length, first, tag) in [
            (16, 0x42831ec2217774244b7221b784d0d49c, 0x5bc94fbc3221a5db94fae95ae7121a47),
            (32, 0x522dc1f099567d07f47f37a32a84427d, 0x76fc6ece0f4e1768cddf8853bb2d551b_u128),
        ] {
            let plain = [
                0xd9313225f88406e5a55909c5aff5269a_u128,
                0x86a7a9531534f7da2e4c303d8a318a72,
                0x1c3c0c95956809532fcf0e2449a6b525,
                0xb16aedf5aa0de657ba637b391aafd255,
            ];
            let plain: Vec<u8> = plain.iter().flat_map(|word| word.to_be_bytes()).take(60).collect();
            let (aead, mut text, mut sealed_tag) =
                (Aead::new(&key[..length]).unwrap(), plain.clone(), [0; 16]);
            let moved = Box::new(aead);
            moved.seal(&nonce, &authenticated, &mut text, &mut sealed_tag).unwrap();
            let first: u128 = first;
            assert_eq!((&text[..16], sealed_tag), (&first.to_be_bytes()[..], tag.to_be_bytes()));
            let mut forged = text.clone();
            forged[59] ^= 1;
            assert_eq!(moved.open(&nonce, &authenticated, &mut forged, &sealed_tag), Err(Unauthenticated));
            assert_ne!(forged, plain);
            assert_eq!(moved.open(&nonce, &authenticated, &mut text, &sealed_tag), Ok(()));
            assert_eq!(text, plain);
        }
    }

    #[test]
    fn a_key_has_16_or_32_bytes() {
        for length in 0..40 {
            assert_eq!(Aead::new(&[1; 40][..length]).is_ok(), [16, 32].contains(&length));
        }
    }
}
