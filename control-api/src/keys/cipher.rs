//! AES-256-GCM under a key that is derived for one context.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf, rand,
};
use zeroize::Zeroizing;

use super::material::{KEY_BYTES, KeyMaterial};

/// NIST SP 800-38D §8.2.
pub(super) const NONCE_BYTES: usize = 12;
/// The full tag.
pub(super) const TAG_BYTES: usize = 16;

/// The bytes were not sealed under this key in this context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAuthentic;

/// Appends a fresh nonce, the ciphertext and its tag to `out`.
///
/// `context` separates this use of the key from all others; it makes the derived key and is authenticated too. It must
/// be encoded so that no two contexts share their bytes.
pub(super) fn seal_onto(out: &mut Vec<u8>, key: &KeyMaterial, context: &[u8], plaintext: &[u8]) {
    let mut nonce = [0; NONCE_BYTES];
    rand::fill(&mut nonce).expect("the system's random source works");
    out.reserve(NONCE_BYTES + plaintext.len() + TAG_BYTES);
    out.extend_from_slice(&nonce);
    let from = out.len();
    out.extend_from_slice(plaintext);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = derived(key, context).seal_in_place_separate_tag(nonce, Aad::from(context), &mut out[from..]);
    out.extend_from_slice(tag.expect("our plaintexts are far below GCM's 64 GiB").as_ref());
}

/// The plaintext of what [`seal_onto`] appended.
pub(super) fn open(
    key: &KeyMaterial,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(NotAuthentic)?;
    let mut out = Zeroizing::new(ciphertext.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = derived(key, context).open_in_place(nonce, Aad::from(context), &mut out);
    let length = opened.map_err(|_| NotAuthentic)?.len();
    out.truncate(length);
    Ok(out)
}

fn derived(key: &KeyMaterial, context: &[u8]) -> LessSafeKey {
    let bytes = derive(key, context);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes[..]).expect("AES-256 takes 32 bytes"))
}

/// HKDF-Expand with SHA-256 (RFC 5869 §2.3). There is nothing to extract: the key is uniformly random.
pub(super) fn derive(key: &KeyMaterial, context: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key.reveal());
    let filled =
        prk.expand(&[context], hkdf::HKDF_SHA256.hmac_algorithm()).and_then(|okm| okm.fill(&mut bytes[..]));
    filled.expect("HKDF-SHA256 gives 32 bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &KeyMaterial) -> Vec<u8> {
        let mut out = Vec::new();
        seal_onto(&mut out, key, b"here", b"hello");
        out
    }

    #[test]
    fn what_was_sealed_opens_under_its_key_and_context_only() {
        let key = KeyMaterial::draw();
        let sealed = sealed(&key);
        assert_eq!(open(&key, b"here", &sealed).map(|p| p.to_vec()), Ok(b"hello".to_vec()));
        assert_eq!(open(&key, b"there", &sealed), Err(NotAuthentic));
        assert_eq!(open(&KeyMaterial::draw(), b"here", &sealed), Err(NotAuthentic));
    }

    #[test]
    fn nothing_shorter_or_longer_opens() {
        let key = KeyMaterial::draw();
        let mut sealed = sealed(&key);
        for length in 0..sealed.len() {
            assert_eq!(open(&key, b"here", &sealed[..length]), Err(NotAuthentic), "{length}");
        }
        sealed.push(0);
        assert_eq!(open(&key, b"here", &sealed), Err(NotAuthentic));
    }

    #[test]
    fn the_same_value_is_never_sealed_to_the_same_bytes() {
        let key = KeyMaterial::draw();
        assert_ne!(sealed(&key), sealed(&key));
    }
}
