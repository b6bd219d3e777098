//! Records of the spool: each names the one before.

use aws_lc_rs::digest;

use super::{
    Cipher,
    marks::Marks,
    record::{self, Named},
};

pub const HASH_BYTES: usize = 32;
const CONTEXT: &[u8] = b"consilium spool 1";

/// Where the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    pub number: u64,
    pub hash: [u8; HASH_BYTES],
}

impl Head {
    /// Entries as the record that follows.
    pub fn seal(self, cipher: &Cipher, entries: &[Named]) -> Vec<u8> {
        let before = [&self.number.to_be_bytes()[..], &self.hash].concat();
        let sealed = cipher.seal(&[CONTEXT, &before].concat(), &record::encode(entries));
        [before, sealed].concat()
    }

    /// Where it stands after this record.
    pub fn after(self, record: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, record);
        let hash = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Self { number: self.number + 1, hash }
    }
}

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It was changed, or sealed with another key.
    NotOurs,
    /// It is ours, and says what this version does not know.
    Newer,
}

/// What stood before a record, and what is in it.
pub fn unseal(cipher: &Cipher, record: &[u8]) -> Result<(Head, Vec<Named>), Unreadable> {
    let (before, opened) = open(cipher, record).ok_or(Unreadable::NotOurs)?;
    Ok((before, record::decode(&opened).ok_or(Unreadable::Newer)?))
}

fn open(cipher: &Cipher, record: &[u8]) -> Option<(Head, Vec<u8>)> {
    let (before, sealed) = record.split_at_checked(8 + HASH_BYTES)?;
    let (number, hash) = before.split_first_chunk()?;
    let opened = cipher.open(&[CONTEXT, before].concat(), sealed)?;
    Some((Head { number: u64::from_be_bytes(*number), hash: hash.try_into().ok()? }, opened))
}

/// Follows the records that a file has, and counts those that it lacks.
pub struct Follower {
    marks: Option<Marks>,
    head: Option<Head>,
    missing: u64,
}

impl Follower {
    /// Before the first record.
    pub const fn new(marks: Option<Marks>) -> Self {
        Self { marks, head: None, missing: 0 }
    }

    /// The next one, and what stood before it.
    pub fn follow(&mut self, before: Head, record: &[u8]) {
        let begins = self.marks.map_or(before, |marks| marks.begins);
        let expected = self.head.unwrap_or(begins);
        // A file that could not be begun anew begins earlier than it is noted; one of an earlier version began its numbers anew.
        let is_earlier = self.head.is_none() && before.number < begins.number;
        let is_anew = self.marks.is_none() && before == Head::default();
        if before != expected && !is_earlier && !is_anew {
            self.missing += before.number.saturating_sub(expected.number).max(1);
        }
        self.head = Some(before.after(record));
    }

    /// Where the chain goes on, and how many records are not there that were.
    pub fn finish(self) -> (Marks, u64) {
        let Some(marks) = self.marks else {
            let ends = self.head.unwrap_or_default();
            return (Marks { begins: Head::default(), ends }, self.missing);
        };
        let found = self.head.unwrap_or(marks.begins);
        if found.number >= marks.ends.number {
            return (Marks { ends: found, ..marks }, self.missing);
        }
        // Goes on behind what is gone, so that it is missed until it has been said.
        (marks, self.missing + (marks.ends.number - found.number))
    }
}
