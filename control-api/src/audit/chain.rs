//! The chain that a tenant's entries are sealed into, one after the other.
//!
//! ```text
//! hash(0) = SHA-256("consilium audit genesis 1\0" ‖ length ‖ tenant)
//! hash(n) = SHA-256("consilium audit link 1\0" ‖ hash(n-1) ‖ n, 8 bytes ‖ length ‖ entry's id ‖ length ‖ entry's bytes)
//! ```
//!
//! Lengths are 4 bytes, numbers big-endian. Each link keeps the hash before it as well as its own, so that it can be checked
//! by itself: only so can a replaced entry be told from one that merely follows it.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{Context, SHA256};
use media_model::InvalidId;

use super::{StoredEntry, UnknownVersion};

const GENESIS: &[u8] = b"consilium audit genesis 1\0";
const LINK: &[u8] = b"consilium audit link 1\0";

/// A hash of the chain, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// As the store has it; nothing for what is no hash.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As the store keeps it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn finish(context: Context) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ChainHash {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(InvalidId) };
        let bytes: Option<Vec<u8>> = pairs.iter().map(|[a, b]| Some(digit(*a)? << 4 | digit(*b)?)).collect();
        Self::from_slice(&bytes.ok_or(InvalidId)?).ok_or(InvalidId)
    }
}

/// An entry's place in its tenant's chain: one row of an insert-only table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1 upwards without a gap.
    pub seq: i64,
    /// Which entry.
    pub entry: String,
    /// The hash before.
    pub previous: ChainHash,
    /// Its own.
    pub hash: ChainHash,
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of its last link; 0 before the first.
    pub seq: i64,
    /// Hash of its last link.
    pub hash: ChainHash,
}

impl Head {
    /// Of a tenant whose first entry is still to come.
    pub fn genesis(tenant: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(GENESIS);
        add(&mut context, tenant.as_bytes());
        Self { seq: 0, hash: ChainHash::finish(context) }
    }

    /// Seals the next entry, as it was stored. The head moves on; two sealers that start from
    /// one head make two links with one number, of which the store takes the first.
    pub fn seal(&mut self, entry: &StoredEntry) -> Result<Link, UnknownVersion> {
        let (seq, previous) = (self.seq.saturating_add(1), self.hash);
        let hash = link_hash(&previous, seq, &entry.id, &entry.canonical_bytes()?);
        *self = Self { seq, hash };
        Ok(Link { seq, entry: entry.id.clone(), previous, hash })
    }
}

/// The hash that a link has to have.
pub(super) fn link_hash(previous: &ChainHash, seq: i64, entry: &str, canonical: &[u8]) -> ChainHash {
    let mut context = Context::new(&SHA256);
    context.update(LINK);
    context.update(&previous.0);
    context.update(&seq.to_be_bytes());
    add(&mut context, entry.as_bytes());
    add(&mut context, canonical);
    ChainHash::finish(context)
}

fn add(context: &mut Context, bytes: &[u8]) {
    context.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    context.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_what_it_wrote_and_nothing_else() {
        let hash = Head::genesis("demo").hash;
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(ChainHash::from_slice(hash.as_bytes()), Some(hash));
        for bad in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"+1".repeat(32), &"é".repeat(32)] {
            assert_eq!(bad.parse::<ChainHash>(), Err(InvalidId), "{bad}");
        }
        assert_eq!(ChainHash::from_slice(&[0; 31]), None);
    }

    #[test]
    fn each_tenant_has_a_chain_of_its_own() {
        assert_ne!(Head::genesis("demo").hash, Head::genesis("other").hash);
    }

    #[test]
    fn every_part_of_a_link_is_hashed_and_none_runs_into_the_next() {
        let hash = |seq, entry: &str, bytes: &[u8]| link_hash(&ChainHash([7; 32]), seq, entry, bytes);
        let base = hash(1, "ab", b"cd");
        let other_previous = link_hash(&ChainHash([8; 32]), 1, "ab", b"cd");
        for other in [
            other_previous,
            hash(2, "ab", b"cd"),
            hash(1, "abc", b"d"),
            hash(1, "ab", b"c"),
            hash(1, "", b"abcd"),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_hashes_are_those_of_the_first_version() {
        // From `printf 'consilium audit genesis 1\0\0\0\0\4demo' | sha256sum`: no later version may change them.
        let genesis = Head::genesis("demo").hash;
        assert_eq!(genesis.to_string(), "de98c9ec78ad993c4719f531808f3d9c1e4a6001d1df339b071a334d2168e273");
        assert_eq!(
            link_hash(&genesis, 1, "e", b"\x01").to_string(),
            "47966182aa23d3f14d99d424957415a255df28c0c0b6f70ada0248ea039e4e0c"
        );
    }
}
