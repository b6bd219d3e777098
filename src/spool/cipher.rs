//! Seals what a node keeps on its own disk.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand,
};

use super::SpoolKey;

/// AES-256-GCM under the node's own key.
pub struct Cipher(LessSafeKey);

impl Cipher {
    /// With this key.
    pub fn new(key: &SpoolKey) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.reveal()).expect("AES-256 takes 32 bytes")))
    }

    /// A nonce and the ciphertext, which opens in the same context alone.
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).expect("the system's random source works");
        let mut sealed = nonce.to_vec();
        sealed.extend(plaintext);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(context), &mut sealed[NONCE_LEN..]);
        sealed.extend(tag.expect("a record is far below GCM's 64 GiB").as_ref());
        sealed
    }

    /// What was sealed; nothing if it was changed, or sealed elsewhere.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut opened = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(context), &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }
}
