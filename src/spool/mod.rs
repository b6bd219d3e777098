//! What a node saw while the database was away: sealed on its own disk, until the audit log takes it.
//!
//! ```text
//! record   number, 8 bytes │ SHA-256 of the record before, 32 │ nonce, 12 │ entries, AES-256-GCM
//! ```
//!
//! The number and the hash are authenticated with the entries, so that a record that was changed does not open, and one that was taken out or
//! moved is noticed. Numbers go on when all was handed in, and a file beside it says where they stand, so that a spool that was cut is
//! noticed, too. An entry has one id, however often it is handed in, so that nothing stands in the audit log twice.
//!
//! | file | holds |
//! |---|---|
//! | `key.rs`, `cipher.rs` | the node's own key, and what it seals |
//! | `record.rs` | entries as bytes |
//! | `chain.rs` | records that name the one before |
//! | `marks.rs` | where the chain began and ended last |
//! | `aside.rs` | entries that the audit log can never take |

mod aside;
mod chain;
mod cipher;
mod key;
mod marks;
mod record;

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use node_log::{AppendError, Limits, NodeLog, OpenError};
use signaling::What;

use self::{
    aside::Aside,
    chain::{Follower, Unreadable, unseal},
    marks::{Marks, MarksFile},
};
pub use self::{
    cipher::Cipher,
    key::SpoolKey,
    record::{Named, decode, encode},
};

/// A tenth of it is kept for entries that must not fail.
const RESERVE_SHARE: u64 = 10;

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
    /// A newer version of this program wrote a record.
    #[error("record {0} of the spool is of a newer version: start that one and let it hand in what waits")]
    Newer(usize),
}

impl SpoolError {
    fn of(place: usize, why: Unreadable) -> Self {
        match why {
            Unreadable::NotOurs => Self::NotOurs(place),
            Unreadable::Newer => Self::Newer(place),
        }
    }
}

/// The spool of a node.
pub struct Spool {
    log: NodeLog,
    cipher: Cipher,
    marks_file: MarksFile,
    /// Held while a record is written, so that they stand in the file in the order of their numbers.
    marks: tokio::sync::Mutex<Marks>,
    /// What the audit log does not have yet, oldest first.
    waiting: Mutex<VecDeque<Named>>,
    aside: Aside,
    /// Records that were not there when the node started.
    missing: u64,
    /// Whether the audit log does not say so yet.
    is_to_be_told: AtomicBool,
}

impl Spool {
    /// Opens the file, or begins it, which may become so long.
    pub fn open(path: &Path, key: &SpoolKey, bytes_max: u64) -> Result<Self, SpoolError> {
        let limits = Limits { bytes_max, reserve_bytes: bytes_max / RESERVE_SHARE };
        let (log, records) = node_log::open(path, limits)?;
        let (cipher, marks_file) = (Cipher::new(key), MarksFile::beside(path));
        let (aside, hopeless) = Aside::beside(path, &cipher)?;
        let mut waiting = VecDeque::from(hopeless);
        // One that was spoilt says nothing of what is missing, but that somebody was at it.
        let (marks, is_spoilt) = match marks_file.read(&cipher) {
            Ok(marks) => (marks, false),
            Err(error) => {
                tracing::error!(%error, "where the spool ended is not known");
                (None, true)
            }
        };
        let mut follower = Follower::new(marks);
        for (place, sealed) in records.into_iter().enumerate() {
            let (before, entries) = unseal(&cipher, &sealed).map_err(|why| SpoolError::of(place, why))?;
            follower.follow(before, &sealed);
            waiting.extend(entries);
        }
        let (marks, missing) = follower.finish();
        let missing = missing.max(is_spoilt.into());
        if missing > 0 {
            tracing::error!(missing, "records of the spool are missing");
        }
        let (marks, waiting) = (tokio::sync::Mutex::new(marks), Mutex::new(waiting));
        Ok(Self {
            log,
            cipher,
            marks_file,
            marks,
            waiting,
            aside,
            missing,
            is_to_be_told: AtomicBool::new(missing > 0),
        })
    }

    /// How many entries the audit log does not have yet.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// How many of them are lines of chat.
    pub fn lines_waiting(&self) -> usize {
        self.lock().iter().filter(|(_, entry)| matches!(entry.what, What::Wrote(..))).count()
    }

    /// How many entries are set aside.
    pub fn set_aside(&self) -> usize {
        self.aside.count()
    }

    /// How many records were not there that should have been when the node started.
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// The same while the audit log does not say so.
    pub fn missing_to_be_told(&self) -> u64 {
        if self.is_to_be_told.load(Relaxed) { self.missing } else { 0 }
    }

    /// Keeps entries, 256 at most, on disk, all of them or none; those that must not fail are left to be written soon, into the reserve if need be.
    pub async fn keep(&self, entries: Vec<Named>, must_not_fail: bool) -> Result<(), AppendError> {
        let mut marks = self.marks.lock().await;
        let sealed = marks.ends.seal(&self.cipher, &entries);
        let next = marks.ends.after(&sealed);
        let kept = self.log.append(sealed.clone()).await;
        match kept {
            Ok(()) => {}
            Err(_) if must_not_fail => self.log.note(sealed),
            Err(error) => return Err(error),
        }
        marks.ends = next;
        // What is not on disk yet is not said to be.
        if kept.is_ok() {
            self.marks_file.write(&self.cipher, *marks).await;
        }
        self.lock().extend(entries);
        Ok(())
    }

    /// The oldest entries, this many at most.
    pub fn oldest(&self, count: usize) -> Vec<Named> {
        self.lock().iter().take(count).cloned().collect()
    }

    /// The audit log has these, the oldest, but for those in `hopeless`, which are set aside. Once nothing waits the file is begun anew.
    pub async fn forget(&self, oldest: &[Named], hopeless: &[Named]) -> Result<(), AppendError> {
        for entry in hopeless {
            self.aside.add(&self.cipher, entry).await?;
        }
        let is_hopeless = |named: &Named| hopeless.iter().any(|(id, _)| *id == named.0);
        self.aside.forget(oldest.iter().filter(|named| !is_hopeless(named)).map(|(id, _)| *id));
        let marks = self.marks.lock().await;
        let is_empty = {
            let mut waiting = self.lock();
            let count = oldest.len().min(waiting.len());
            waiting.drain(..count);
            waiting.is_empty()
        };
        if is_empty && self.missing_to_be_told() == 0 {
            self.begin_anew(marks).await;
        }
        Ok(())
    }

    /// That records are missing stands in the audit log.
    pub async fn missing_was_told(&self) {
        let marks = self.marks.lock().await;
        self.is_to_be_told.store(false, Relaxed);
        if self.waiting() == 0 {
            self.begin_anew(marks).await;
        }
    }

    async fn begin_anew(&self, mut marks: tokio::sync::MutexGuard<'_, Marks>) {
        marks.begins = marks.ends;
        // First: a file that has more than is noted is none that was cut.
        self.marks_file.write(&self.cipher, *marks).await;
        self.log.begin_anew(Vec::new());
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Named>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    fn open(path: &Path, byte: u8) -> Result<Spool, SpoolError> {
        Spool::open(path, &key(byte), 64 << 20)
    }

    async fn hand_in(spool: &Spool, count: usize) {
        spool.forget(&spool.oldest(count), &[]).await.expect("nothing is set aside");
    }

    fn named(numbers: impl IntoIterator<Item = u8>) -> Vec<Named> {
        let entry = |number| {
            let at = SystemTime::UNIX_EPOCH;
            let what = What::Left(Departure::Lost);
            (
                EntryId::from_bytes([number; 16]),
                Entry { tenant: "clinic".parse().ok(), ..Entry::of(at, what) },
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
        let spool = open(&path, 9).expect("a new spool");
        spool.keep(named(1..=100), false).await.expect("room");
        spool.keep(named([101]), true).await.expect("it must not fail");
        spool.keep(named([102]), false).await.expect("room");
        let text = std::fs::read(&path).expect("the file");
        assert!(!text.windows(6).any(|window| window == b"clinic"), "nothing stands in it in the clear");
        drop(spool);

        let spool = open(&path, 9).expect("the same spool");
        assert_eq!(numbers(&spool), (1..=102).collect::<Vec<_>>());
        hand_in(&spool, 60).await;
        assert_eq!((spool.waiting(), numbers(&spool)[0]), (42, 61));
        hand_in(&spool, 42).await;
        spool.keep(named([103]), false).await.expect("room");
        assert_eq!(numbers(&open(&path, 9).expect("the same spool")), [103]);
    }

    #[tokio::test]
    async fn as_many_entries_as_come_together_are_one_record_however_long_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spool.log");
        let person = media_model::Pii::new("\"".repeat(signaling_protocol::limits::PERSON_ID_BYTES_MAX));
        let participant = media_model::ParticipantNumber::new(u32::MAX);
        let role = media_model::Role::Interpreter;
        let break_glass = Some(media_model::BreakGlassId::from_bytes([255; 16]));
        let who = signaling::Who { participant, person, role, break_glass };
        let address = Some(media_model::Pii::new(std::net::Ipv6Addr::from_bits(u128::MAX).into()));
        let call = Some(signaling::Call { request: media_model::RequestId::from_bytes([255; 16]), address });
        let tenant = "t".repeat(media_model::limits::TENANT_ID_BYTES_MAX).parse().ok();
        let longest = named([255; 256]).into_iter().map(|(id, entry)| {
            let consult = Some(media_model::ConsultId::from_bytes([255; 16]));
            let lasted = Some(std::time::Duration::from_secs(86_400));
            (id, Entry { who: Some(who.clone()), consult, tenant, lasted, call: call.clone(), ..entry })
        });
        let spool = open(&path, 9).expect("a new spool");
        spool.keep(longest.collect(), false).await.expect("room");
        assert_eq!(open(&path, 9).expect("the same spool").waiting(), 256);

        let text = "\u{1f469}".repeat(signaling_protocol::limits::CHAT_CHARS_MAX);
        let chat = named([255; signaling::limits::CHAT_BATCH_MAX]).into_iter().map(|(id, entry)| {
            let line = signaling_protocol::server::LineId::from_bytes(id.to_bytes());
            let what = What::Wrote(line, media_model::Pii::new(text.clone()));
            (id, Entry { who: Some(who.clone()), tenant, call: call.clone(), what, ..entry })
        });
        spool.keep(chat.collect(), false).await.expect("room");
        assert_eq!(spool.lines_waiting(), signaling::limits::CHAT_BATCH_MAX);
    }

    #[tokio::test]
    async fn a_spool_of_another_key_or_one_that_was_changed_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spool.log");
        open(&path, 9).expect("a new spool").keep(named([1]), false).await.expect("room");
        let error = open(&path, 8).err().expect("another key");
        assert!(matches!(error, SpoolError::NotOurs(0)), "{error}");
        assert_eq!(numbers(&open(&path, 9).expect("the right one")), [1]);

        let cipher = Cipher::new(&key(9));
        let sealed = Marks::default().ends.seal(&cipher, &named([1]));
        assert!(unseal(&cipher, &sealed).is_ok());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(matches!(unseal(&cipher, &changed), Err(Unreadable::NotOurs)), "byte {place}");
        }
    }

    #[tokio::test]
    async fn a_spool_that_was_cut_or_emptied_or_taken_away_is_noticed_until_it_has_been_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spool.log");
        let spool = open(&path, 9).expect("a new spool");
        spool.keep(named([1]), false).await.expect("room");
        let one = std::fs::read(&path).expect("the file");
        hand_in(&spool, 1).await;
        for number in 2..=4 {
            spool.keep(named([number]), true).await.expect("room");
        }
        drop(spool);
        let whole = std::fs::read(&path).expect("the file");
        assert_eq!(open(&path, 9).expect("the same spool").missing(), 0, "nothing was touched");

        let header = one.len() - (whole.len() - one.len()) / 2;
        assert!(header < one.len());
        let record = (whole.len() - header) / 3;
        for (bytes, missing, left) in [
            (whole[..header].to_vec(), 3, vec![]),
            (whole[..header + record].to_vec(), 2, vec![2]),
            (whole[..header + 2 * record].to_vec(), 1, vec![2, 3]),
            ([&whole[..header], &whole[header + record..]].concat(), 1, vec![3, 4]),
            ([&whole[..header + record], &whole[header + 2 * record..]].concat(), 1, vec![2, 4]),
            (one.clone(), 3, vec![1]),
            (Vec::new(), 3, vec![]),
        ] {
            std::fs::write(&path, &bytes).expect("a file that was cut");
            for _ in 0..2 {
                let spool = open(&path, 9).expect("it goes on");
                assert_eq!((spool.missing(), numbers(&spool)), (missing, left.clone()), "of {}", bytes.len());
            }
        }
        // Both at once, by who has no key.
        let head = path.with_extension("head");
        let kept = std::fs::read(&head).expect("the file");
        std::fs::write(&head, b"nothing").expect("spoilt");
        assert_eq!(open(&path, 9).expect("it goes on").missing(), 1, "how many is not known");
        std::fs::write(&head, kept).expect("as it was");

        std::fs::remove_file(&path).expect("it is gone");
        let spool = open(&path, 9).expect("it goes on");
        spool.keep(named([5]), false).await.expect("room");
        hand_in(&spool, 1).await;
        drop(spool);
        let spool = open(&path, 9).expect("it goes on");
        assert_eq!((spool.missing(), numbers(&spool)), (3, vec![5]), "until it stands in the audit log");
        hand_in(&spool, 1).await;
        spool.missing_was_told().await;
        spool.keep(named([6]), false).await.expect("room");
        let spool = open(&path, 9).expect("it goes on");
        assert_eq!((spool.missing(), numbers(&spool)), (0, vec![6]));
    }

    #[tokio::test]
    async fn what_the_audit_log_never_takes_is_set_aside_and_tried_again_when_the_node_starts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spool.log");
        let spool = open(&path, 9).expect("a new spool");
        spool.keep(named(1..=4), false).await.expect("room");
        spool.forget(&spool.oldest(4), &named([2, 3])).await.expect("room");
        assert_eq!((spool.waiting(), spool.set_aside()), (0, 2));
        let text = std::fs::read(path.with_file_name("spool-aside.log")).expect("the file");
        assert!(!text.windows(6).any(|window| window == b"clinic"), "still sealed");
        // The file is begun anew before anything else is written.
        spool.keep(named([5]), false).await.expect("room");
        drop(spool);
        let spool = open(&path, 9).expect("the same spool");
        assert_eq!(numbers(&spool), [2, 3, 5]);
        spool.forget(&spool.oldest(3), &named([3])).await.expect("room");
        spool.keep(named([6]), false).await.expect("room");
        drop(spool);
        let spool = open(&path, 9).expect("the same spool");
        assert_eq!((numbers(&spool), spool.set_aside()), (vec![3, 6], 1));
    }
}
