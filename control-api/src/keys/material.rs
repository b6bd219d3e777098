//! 256 secret bits.

use std::fmt;

use aws_lc_rs::rand;
use zeroize::Zeroize;

use super::KeyFault;

/// How long every key is, in bytes.
pub(super) const KEY_BYTES: usize = 32;

/// A key, in one place on the heap so that moving it leaves no copy behind; wiped when dropped, never printed.
pub struct KeyMaterial(Box<[u8; KEY_BYTES]>);

impl KeyMaterial {
    /// Draws a new key.
    pub fn draw() -> Self {
        let mut key = Self::zero();
        rand::fill(&mut key.0[..]).expect("the system's random source works");
        key
    }

    /// Takes a key that was unwrapped elsewhere, 32 bytes, and wipes where it lay.
    pub fn take(bytes: &mut [u8]) -> Result<Self, KeyFault> {
        let mut key = Self::zero();
        let fits = bytes.len() == KEY_BYTES;
        if fits {
            key.0.copy_from_slice(bytes);
        }
        bytes.zeroize();
        fits.then_some(key).ok_or(KeyFault::Malformed { what: "a key" })
    }

    /// The secret itself, for the one who wraps it.
    pub fn reveal(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn zero() -> Self {
        Self(Box::new([0; KEY_BYTES]))
    }
}

impl Drop for KeyMaterial {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaterial([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed_and_never_drawn_twice() {
        let mut seven = [7; 32];
        let key = KeyMaterial::take(&mut seven).expect("32 bytes");
        assert_eq!(format!("{key:?}"), "KeyMaterial([redacted])");
        assert_ne!(KeyMaterial::draw().reveal(), KeyMaterial::draw().reveal());
    }

    #[test]
    fn taking_a_key_wipes_its_source_even_if_it_is_none() {
        for length in [0, 31, 32, 33] {
            let mut source = vec![7; length];
            assert_eq!(KeyMaterial::take(&mut source).is_ok(), length == 32, "{length}");
            assert!(source.iter().all(|byte| *byte == 0), "{length}");
        }
    }
}
