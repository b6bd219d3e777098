//! The key that seals the spool.

use std::fmt;

use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// 256 random bits, a node's own. Never printed.
pub struct SpoolKey(Zeroizing<[u8; 32]>);

impl SpoolKey {
    /// A new one.
    pub fn draw() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut key[..]).expect("the system's random source works");
        Self(key)
    }

    /// One that was drawn before.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Its bytes, for its file and the cipher.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SpoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpoolKey(…)")
    }
}
