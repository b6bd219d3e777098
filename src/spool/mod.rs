//! What a node saw while the database was away: sealed on its own disk, until the audit log takes it.
//!
//! ```text
//! record   number, 8 bytes │ SHA-256 of the record before, 32 │ nonce, 12 │ entries, AES-256-GCM
//! ```
//!
//! The number and the hash are authenticated with the entries, so that a record that was changed does not open, and one that was taken out or
//! moved is noticed. Numbers begin anew when all was handed in. An entry has one id, however often it is handed in, so that
//! nothing stands in the audit log twice.

mod key;
mod record;

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, rand,
};
use node_log::{AppendError, Limits, NodeLog, OpenError};
use signaling::What;

pub use self::{key::SpoolKey, record::Named};

/// Some 200,000 entries; a tenth of it is kept for those that must not fail.
const LIMITS: Limits = Limits { bytes_max: 64 << 20, reserve_bytes: 6 << 20 };
const CONTEXT: &[u8] = b"consilium spool 1";
const HASH_BYTES: usize = 32;

/// A spool that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record was changed, or sealed with another key.
    #[error(
        "record {0} of the spool was not sealed by this node; move the file away and keep it for the auditor"
    )]
    NotOurs(usize),
}

/// Where the chain of records stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Head {
    number: u64,
    hash: [u8; HASH_BYTES],
}

/// The spool of a node.
pub struct Spool {
    log: NodeLog,
    key: LessSafeKey,
    /// Held while a record is written, so that they stand in the file in the order of their numbers.
    head: tokio::sync::Mutex<Head>,
    /// What the audit log does not have yet, oldest first.
    waiting: Mutex<VecDeque<Named>>,
}

impl Spool {
    /// Opens the file, or begins it.
    pub fn open(path: &Path, key: &SpoolKey) -> Result<Self, SpoolError> {
        let (log, records) = node_log::open(path, LIMITS)?;
        let key =
            LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.reveal()).expect("AES-256 takes 32 bytes"));
        let (mut head, mut waiting) = (Head::default(), VecDeque::new());
        for (place, sealed) in records.into_iter().enumerate() {
            let (before, entries) = unseal(&key, &sealed).ok_or(SpoolError::NotOurs(place))?;
            // All was handed in, and the file could not be begun anew.
            if before != head && before != Head::default() {
                tracing::error!(record = place, "records of the spool before this one are missing");
            }
            head = after(before, &sealed);
            waiting.extend(entries);
        }
        Ok(Self { log, key, head: tokio::sync::Mutex::new(head), waiting: Mutex::new(waiting) })
    }

    /// How many entries the audit log does not have yet.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// How many of them are lines of chat.
    pub fn lines_waiting(&self) -> usize {
        self.lock().iter().filter(|(_, entry)| matches!(entry.what, What::Wrote(..))).count()
    }

    /// Keeps entries, 256 at most, on disk, all of them or none; those that must not fail are left to be written soon, into the reserve if need be.
    pub async fn keep(&self, entries: Vec<Named>, must_not_fail: bool) -> Result<(), AppendError> {
        let mut head = self.head.lock().await;
        let sealed = seal(&self.key, *head, &record::encode(&entries));
        let next = after(*head, &sealed);
        if must_not_fail {
            self.log.note(sealed);
        } else {
            self.log.append(sealed).await?;
        }
        *head = next;
        self.lock().extend(entries);
        Ok(())
    }

    /// The oldest entries, this many at most.
    pub fn oldest(&self, count: usize) -> Vec<Named> {
        self.lock().iter().take(count).cloned().collect()
    }

    /// The audit log has the oldest entries, this many. Once it has all of them the file is begun anew.
    pub async fn forget(&self, count: usize) {
        let head = self.head.lock().await;
        let is_empty = {
            let mut waiting = self.lock();
            let count = count.min(waiting.len());
            waiting.drain(..count);
            waiting.is_empty()
        };
        if is_empty {
            self.begin_anew(head);
        }
    }

    fn begin_anew(&self, mut head: tokio::sync::MutexGuard<'_, Head>) {
        *head = Head::default();
        self.log.begin_anew(Vec::new());
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Named>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seal(key: &LessSafeKey, before: Head, plaintext: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).expect("the system's random source works");
    let mut record = before.number.to_be_bytes().to_vec();
    record.extend(before.hash);
    let context = [CONTEXT, &record].concat();
    record.extend(nonce);
    let start = record.len();
    record.extend(plaintext);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(context), &mut record[start..]);
    record.extend(tag.expect("a record is far below GCM's 64 GiB").as_ref());
    record
}

/// What stood before a record, and what is in it.
fn unseal(key: &LessSafeKey, record: &[u8]) -> Option<(Head, Vec<Named>)> {
    let (number, rest) = record.split_first_chunk()?;
    let (hash, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
    let before = Head { number: u64::from_be_bytes(*number), hash: *hash };
    let context = [CONTEXT, number.as_slice(), hash.as_slice()].concat();
    let mut opened = ciphertext.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plaintext = key.open_in_place(nonce, Aad::from(context), &mut opened).ok()?;
    Some((before, record::decode(plaintext)?))
}

fn after(before: Head, record: &[u8]) -> Head {
    let digest = digest::digest(&digest::SHA256, record);
    let hash = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
    Head { number: before.number + 1, hash }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use control_api::audit::EntryId;
    use signaling::{Departure, Entry};

    use super::*;

    fn key(byte: u8) -> SpoolKey {
        SpoolKey::from_bytes(&[byte; 32]).expect("32 bytes")
    }

    fn named(numbers: impl IntoIterator<Item = u8>) -> Vec<Named> {
        let entry = |number| {
            let at = SystemTime::UNIX_EPOCH;
            let what = What::Left(Departure::Lost);
            (
                EntryId::from_bytes([number; 16]),
                Entry { at, tenant: "clinic".parse().ok(), consult: None, who: None, what },
            )
        };
        numbers.into_iter().map(entry).collect()
    }

    fn numbers(spool: &Spool) -> Vec<u8> {
        spool.oldest(usize::MAX).iter().map(|(id, _)| id.to_bytes()[0]).collect()
    }

    #[tokio::test]
    async fn what_is_kept_waits_also_after_a_restart_until_it_was_handed_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spool.log");
        let spool = Spool::open(&path, &key(9)).expect("a new spool");
        spool.keep(named(1..=100), false).await.expect("room");
        spool.keep(named([101]), true).await.expect("it must not fail");
        spool.keep(named([102]), false).await.expect("room");
        let text = std::fs::read(&path).expect("the file");
        assert!(!text.windows(6).any(|window| window == b"clinic"), "nothing stands in it in the clear");
        drop(spool);

        let spool = Spool::open(&path, &key(9)).expect("the same spool");
        assert_eq!(numbers(&spool), (1..=102).collect::<Vec<_>>());
        spool.forget(60).await;
        assert_eq!((spool.waiting(), numbers(&spool)[0]), (42, 61));
        spool.forget(42).await;
        spool.keep(named([103]), false).await.expect("room");
        assert_eq!(numbers(&Spool::open(&path, &key(9)).expect("the same spool")), [103]);
    }

    #[tokio::test]
    async fn as_many_entries_as_come_together_are_one_record_however_long_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spool.log");
        let person = media_model::Pii::new("\"".repeat(signaling_protocol::limits::PERSON_ID_BYTES_MAX));
        let participant = media_model::ParticipantNumber::new(u32::MAX).expect("not zero");
        let role = media_model::Role::Interpreter;
        let who = signaling::Who { participant, person, role, break_glass: None };
        let longest = named([255; 256]).into_iter().map(|(id, entry)| {
            let consult = Some(media_model::ConsultId::from_bytes([255; 16]));
            (id, Entry { who: Some(who.clone()), consult, ..entry })
        });
        let spool = Spool::open(&path, &key(9)).expect("a new spool");
        spool.keep(longest.collect(), false).await.expect("room");
        assert_eq!(Spool::open(&path, &key(9)).expect("the same spool").waiting(), 256);

        let text = "\u{1f469}".repeat(signaling_protocol::limits::CHAT_CHARS_MAX);
        let chat = named([255; signaling::limits::CHAT_BATCH_MAX]).into_iter().map(|(id, entry)| {
            let line = signaling_protocol::server::LineId::from_bytes(id.to_bytes());
            let what = What::Wrote(line, media_model::Pii::new(text.clone()));
            (id, Entry { who: Some(who.clone()), what, ..entry })
        });
        spool.keep(chat.collect(), false).await.expect("room");
        assert_eq!(spool.lines_waiting(), signaling::limits::CHAT_BATCH_MAX);
    }

    #[tokio::test]
    async fn a_spool_of_another_key_or_one_that_was_changed_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spool.log");
        Spool::open(&path, &key(9)).expect("a new spool").keep(named([1]), false).await.expect("room");
        let error = Spool::open(&path, &key(8)).err().expect("another key");
        assert!(matches!(error, SpoolError::NotOurs(0)), "{error}");
        assert_eq!(numbers(&Spool::open(&path, &key(9)).expect("the right one")), [1]);

        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key(9).reveal()).expect("a key"));
        let sealed = seal(&cipher, Head::default(), &record::encode(&named([1])));
        assert!(unseal(&cipher, &sealed).is_some());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(unseal(&cipher, &changed).is_none(), "byte {place}");
        }
    }
}
