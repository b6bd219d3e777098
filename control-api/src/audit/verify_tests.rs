//! What somebody with SQL can do to a chain: all of it is found and named.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::{
    audit::{Action, Anchor, CheckpointSigner, Entry, EntryId, LineFault, Link, SealedAddress, Statement},
    permissions::Act,
};

const TENANT: &str = "demo";
const NOW_MS: i64 = 1_772_416_800_000;

/// A tenant's audit log in memory: what the two tables and the anchor file have.
struct Log {
    tenant: &'static str,
    rows: Vec<SealedRow>,
    lines: Vec<String>,
    signer: CheckpointSigner,
    head: Head,
}

impl Log {
    fn empty() -> Self {
        Self::of(TENANT)
    }

    fn of(tenant: &'static str) -> Self {
        let signer = CheckpointSigner::generate().expect("a key");
        Self { tenant, rows: Vec::new(), lines: Vec::new(), signer, head: Head::genesis(tenant) }
    }

    /// So many entries, with a checkpoint after each tenth.
    fn with(entries: u8) -> Self {
        let mut log = Self::empty();
        for number in 1..=entries {
            log.write(number);
            if number % 10 == 0 {
                log.sign(Kind::Checkpoint);
            }
        }
        log
    }

    fn write(&mut self, number: u8) {
        let row = link(&mut self.head, stored(number));
        self.rows.push(row);
    }

    fn sign(&mut self, kind: Kind) {
        let statement = Statement { kind, tenant: self.tenant.into(), head: self.head, at_ms: NOW_MS };
        self.lines.push(self.signer.sign(&statement));
    }

    /// The row of that number, as long as rows stand in order.
    fn row(&mut self, seq: usize) -> &mut SealedRow {
        &mut self.rows[seq - 1]
    }

    fn entry(&mut self, seq: usize) -> &mut StoredEntry {
        self.row(seq).stored.as_mut().expect("the entry is there")
    }

    /// Gives the rows numbers without a gap, as somebody who tidies up after themselves would.
    fn renumber(&mut self) {
        for (i, row) in self.rows.iter_mut().enumerate() {
            row.seq = i as i64 + 1;
        }
    }

    /// Computes all hashes anew from that number on.
    fn rehash(&mut self, from: usize) {
        let mut head = match from {
            1 => Head::genesis(self.tenant),
            _ => {
                let before = &self.rows[from - 2];
                Head { seq: before.seq, hash: before.hash.expect("a hash") }
            }
        };
        for row in &mut self.rows[from - 1..] {
            *row = link(&mut head, row.stored.clone().expect("the entry is there"));
        }
    }

    fn report(&self, unsealed: Unsealed) -> (Report, Findings) {
        let keys = CheckpointKeys::parse(&self.signer.public_line()).expect("a key");
        let anchor = Anchor::scan(&self.lines, &keys);
        let mut verifier = Verifier::new(self.tenant, anchor.of(self.tenant), self.lines.iter(), &keys);
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| row.seq);
        rows.into_iter().for_each(|row| verifier.push(row));
        (verifier.finish(unsealed, NOW_MS), anchor.findings)
    }

    /// What is said about it, line by line.
    fn findings(&self) -> Vec<String> {
        let (report, of_file) = self.report(Unsealed::default());
        report.findings.as_slice().iter().chain(of_file.as_slice()).map(Finding::to_string).collect()
    }
}

fn stored(number: u8) -> StoredEntry {
    let at = UNIX_EPOCH + Duration::from_millis(NOW_MS.unsigned_abs());
    let entry = Entry { at, ..Entry::of(Action::Asked(Act::ReadNotes)) };
    let entry = Entry { address: Some(SealedAddress::new(vec![number; 40])), ..entry };
    StoredEntry::of(&entry, EntryId::from_bytes([number; 16]))
}

fn link(head: &mut Head, stored: StoredEntry) -> SealedRow {
    let Link { seq, entry, previous, hash } = head.seal(&stored).expect("a known version");
    SealedRow { seq, entry, previous: Some(previous), hash: Some(hash), stored: Some(stored) }
}

#[test]
fn a_genuine_log_is_clean() {
    for entries in [0, 1, 9, 10, 35] {
        let (report, of_file) = Log::with(entries).report(Unsealed::default());
        assert!(report.is_clean() && of_file.is_empty(), "{entries}: {:?}", report.findings);
        assert_eq!((report.entries, report.checkpoints), (entries.into(), u64::from(entries / 10)));
        assert_eq!(report.last.map_or(0, |head| head.seq), i64::from(entries));
    }
}

#[test]
fn verification_needs_no_key_that_erasure_takes_away() {
    // Erasing throws a person's key away and leaves what is stored: the same bytes are hashed as before.
    let log = Log::with(20);
    assert_eq!(log.rows[4].stored.as_ref().and_then(|row| row.address.clone()), Some(vec![5; 40]));
    assert_eq!(log.findings(), Vec::<String>::new());
}

#[test]
fn a_changed_entry_is_named() {
    let mut log = Log::with(30);
    log.entry(5).outcome = "refused".into();
    assert_eq!(log.findings(), ["changed: entry 5"]);
    log.entry(6).address = None;
    log.entry(7).at_ms += 1;
    log.entry(30).actor.clear();
    assert_eq!(log.findings(), ["changed: entries 5 to 7", "changed: entry 30"]);
}

#[test]
fn a_changed_link_is_named() {
    let mut log = Log::with(30);
    log.row(5).hash = None;
    assert_eq!(log.findings(), ["changed: entry 5"]);
    let mut log = Log::with(30);
    log.row(5).previous = log.rows[0].hash;
    assert_eq!(log.findings(), ["changed: entry 5"]);
    let mut log = Log::with(30);
    log.row(10).hash = log.rows[0].hash;
    assert_eq!(
        log.findings(),
        ["rewritten: entries 1 to 10 contradict the checkpoint at 10", "changed: entry 10"]
    );
}

#[test]
fn an_entry_that_was_changed_together_with_its_hash_is_named() {
    let mut log = Log::with(30);
    log.entry(5).outcome = "refused".into();
    let before = &log.rows[3];
    let mut head = Head { seq: 4, hash: before.hash.expect("a hash") };
    *log.row(5) = link(&mut head, log.rows[4].stored.clone().expect("the entry is there"));
    assert_eq!(log.findings(), ["replaced with its hash: entry 5"]);
}

#[test]
fn a_chain_that_was_computed_anew_contradicts_its_checkpoints() {
    let mut log = Log::with(35);
    log.entry(15).outcome = "refused".into();
    log.rehash(15);
    assert_eq!(log.findings(), ["rewritten: entries 11 to 30 contradict the checkpoint at 30"]);
    let (report, _) = log.report(Unsealed::default());
    assert_eq!(report.checkpoints, 1);
}

#[test]
fn a_chain_that_was_replaced_as_a_whole_is_found() {
    let mut log = Log::with(30);
    log.rows =
        (101..=130).map(stored).scan(Head::genesis(TENANT), |head, row| Some(link(head, row))).collect();
    assert_eq!(log.findings(), ["rewritten: entries 1 to 30 contradict the checkpoint at 30"]);
    log.rows.clear();
    assert_eq!(log.findings(), ["cut off: entries 1 to 30 and what followed"]);
}

#[test]
fn another_tenant_s_chain_is_not_taken_for_this_one_s() {
    let mut log = Log::with(5);
    let mut other = Head::genesis("other");
    log.rows = (1..=5).map(|number| link(&mut other, stored(number))).collect();
    assert_eq!(log.findings(), ["replaced: the beginning of the chain"]);
}

#[test]
fn a_deleted_entry_is_named() {
    let mut log = Log::with(30);
    log.rows.remove(4);
    assert_eq!(log.findings(), ["missing: entry 5"]);
    log.rows.drain(7..14);
    assert_eq!(log.findings(), ["missing: entry 5", "missing: entries 9 to 15"]);
    let mut log = Log::with(30);
    log.rows.drain(..3);
    assert_eq!(log.findings(), ["missing: entries 1 to 3"]);
    let mut log = Log::with(30);
    log.row(5).stored = None;
    assert_eq!(log.findings(), ["missing: entry 5"]);
}

#[test]
fn a_deleted_entry_is_named_though_the_others_closed_up() {
    let mut log = Log::with(30);
    log.rows.remove(4);
    log.renumber();
    assert_eq!(log.findings(), ["missing: entry 5", "renumbered by -1: entries 5 to 29"]);
    let mut log = Log::with(30);
    log.rows.drain(4..7);
    log.renumber();
    assert_eq!(log.findings(), ["missing: entries 5 to 7", "renumbered by -3: entries 5 to 27"]);
}

#[test]
fn an_inserted_entry_is_named() {
    let mut log = Log::with(30);
    let mut head = Head { seq: 4, hash: log.rows[3].hash.expect("a hash") };
    log.rows.insert(4, link(&mut head, stored(99)));
    let forked = ["forked: more than one entry 5"];
    assert_eq!(log.findings(), forked);
    log.renumber();
    let expected = ["inserted: entry 5", "renumbered by +1: entries 6 to 31"];
    assert_eq!(log.findings(), expected);
    // The same with a hash that nobody took the trouble to compute.
    log.row(5).hash = Head::genesis("x").hash.into();
    assert_eq!(log.findings(), expected);
}

#[test]
fn an_entry_before_the_first_is_named() {
    let mut log = Log::with(10);
    log.rows.push(SealedRow { seq: -3, ..log.rows[0].clone() });
    assert_eq!(log.findings(), ["inserted: entry -3"]);
}

#[test]
fn entries_that_changed_places_are_named() {
    // With their links.
    let mut log = Log::with(30);
    (log.row(5).seq, log.row(6).seq) = (6, 5);
    assert_eq!(log.findings(), ["re-ordered: entries 5 to 6"]);
    for (one, other) in [(5, 25), (28, 30), (1, 30)] {
        let mut log = Log::with(30);
        (log.row(one).seq, log.row(other).seq) = (other as i64, one as i64);
        assert_eq!(log.findings(), [format!("re-ordered: entries {one} to {other}")]);
    }
    // Under links that stayed.
    let mut log = Log::with(30);
    let (five, six) = (log.rows[4].clone(), log.rows[5].clone());
    *log.row(5) = SealedRow { entry: six.entry, stored: six.stored, ..five.clone() };
    *log.row(6) = SealedRow { entry: five.entry, stored: five.stored, ..log.rows[5].clone() };
    assert_eq!(log.findings(), ["re-ordered: entries 5 to 6"]);
}

#[test]
fn an_entry_that_was_moved_further_is_named() {
    let mut log = Log::with(30);
    let row = log.rows.remove(4);
    log.rows.insert(14, row);
    log.renumber();
    assert_eq!(log.findings(), ["re-ordered: entries 5 to 15"]);
}

#[test]
fn a_cut_tail_is_named_as_far_as_the_last_checkpoint() {
    let mut log = Log::with(35);
    log.rows.truncate(27);
    assert_eq!(log.findings(), ["cut off: entries 28 to 30 and what followed"]);
    // Behind the last checkpoint nothing was signed: the limit of what can be known.
    let mut log = Log::with(35);
    log.rows.truncate(30);
    assert_eq!(log.findings(), Vec::<String>::new());
}

#[test]
fn a_fork_is_named() {
    let mut log = Log::with(30);
    let mut head = Head { seq: 29, hash: log.rows[28].hash.expect("a hash") };
    let other = link(&mut head, stored(99));
    log.rows.push(other);
    assert_eq!(log.findings(), ["forked: more than one entry 30"]);
    log.rows.swap(29, 30);
    let found = log.findings();
    assert!(found.contains(&"forked: more than one entry 30".to_owned()), "{found:?}");
}

#[test]
fn forged_and_foreign_checkpoints_prove_nothing_and_are_named() {
    let mut log = Log::with(30);
    let signature_of_another = log.lines[0].rsplit_once(" sig=").expect("signed").1.to_owned();
    let (signed, _) = log.lines[1].rsplit_once(" sig=").expect("signed");
    let forged = format!("{signed} sig={signature_of_another}");
    log.lines[1] = forged;
    log.lines.push("rubbish".into());
    let other = CheckpointSigner::generate().expect("a key");
    let head = log.head;
    let statement = Statement { kind: Kind::Checkpoint, tenant: TENANT.into(), head, at_ms: NOW_MS };
    log.lines.push(other.sign(&statement));
    let expected = [
        "forged checkpoint: line 2 of the anchor file",
        "malformed checkpoint: line 4 of the anchor file",
        "unknown_key checkpoint: line 5 of the anchor file",
    ];
    assert_eq!(log.findings(), expected);
    let (report, _) = log.report(Unsealed::default());
    assert_eq!(report.checkpoints, 2);
}

#[test]
fn checkpoints_that_take_the_chain_back_are_named() {
    let mut log = Log::with(30);
    log.lines.swap(0, 2);
    let found = log.findings();
    assert!(found.contains(&"contradicts checkpoint: line 2 of the anchor file".to_owned()), "{found:?}");
    let mut log = Log::with(30);
    log.head.hash = Head::genesis("other").hash;
    log.sign(Kind::Checkpoint);
    let contradiction = format!("{} checkpoint: line 4 of the anchor file", LineFault::Contradicts);
    assert!(log.findings().contains(&contradiction));
}

#[test]
fn what_retention_dropped_is_not_missing_and_what_it_did_not_is() {
    let mut log = Log::with(30);
    let head = log.head;
    log.head = Head { seq: 10, hash: log.rows[9].hash.expect("a hash") };
    log.sign(Kind::Dropped);
    log.head = head;
    assert_eq!(log.findings(), Vec::<String>::new(), "signed, and not yet carried out");
    log.rows.drain(..10);
    assert_eq!(log.findings(), Vec::<String>::new());
    log.rows.drain(..2);
    assert_eq!(log.findings(), ["missing: entries 11 to 12"]);
}

#[test]
fn what_waits_to_be_sealed_is_reported_and_named_when_it_is_old() {
    let log = Log::with(10);
    let of_age = |age_ms: i64| {
        let unsealed = Unsealed { count: 3, oldest_at_ms: Some(NOW_MS - age_ms) };
        let (report, _) = log.report(unsealed);
        (report.unsealed.count, report.unsealed_oldest_s, report.is_clean())
    };
    assert_eq!(of_age(1_500), (3, Some(1), true));
    assert_eq!(of_age(-5_000), (3, Some(0), true));
    assert_eq!(of_age(61_000), (3, Some(61), false));
    let (report, _) = log.report(Unsealed { count: 3, oldest_at_ms: Some(NOW_MS - 61_000) });
    assert_eq!(report.findings.as_slice(), [Finding::Unsealed { count: 3, oldest_s: 61 }]);
}

#[test]
fn an_entry_of_an_unknown_version_is_named() {
    let mut log = Log::with(10);
    log.entry(5).version = 2;
    assert_eq!(log.findings(), ["of an unknown version: entry 5"]);
}

/// A generator of numbers that are the same each time (xorshift).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn no_tampering_goes_unnoticed_whatever_it_is() {
    for seed in 1..=1_000 {
        let mut random = Seeded(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut log = Log::with(30);
        let genuine = log.rows.clone();
        let mut done = Vec::new();
        for _ in 0..=random.below(3) {
            if log.rows.len() < 2 {
                break;
            }
            let (one, other) = (random.below(log.rows.len()), random.below(log.rows.len()));
            let what = random.below(8);
            done.push((what, one, other));
            match what {
                0 => log.rows[one].stored = log.rows[other].stored.clone(),
                1 => drop(log.rows.remove(one)),
                2 => log.rows.swap(one, other),
                3 => log.rows.insert(one, genuine[other % genuine.len()].clone()),
                4 => log.rows.truncate(one.max(1)),
                5 => log.rows[one].hash = log.rows[other].hash,
                6 => log.rows[one].previous = log.rows[other].previous,
                _ => log.rows[one].stored = Some(stored(200)),
            }
            match random.below(3) {
                0 => log.renumber(),
                1 if log.rows.iter().all(|row| row.stored.is_some()) => {
                    log.rehash(one.clamp(1, log.rows.len()))
                }
                _ => {}
            }
        }
        let mut rows = log.rows.clone();
        rows.sort_by_key(|row| row.seq);
        // What was only added behind the last checkpoint is as good as any other.
        if !rows.starts_with(&genuine) {
            assert_ne!(log.findings(), Vec::<String>::new(), "seed {seed}: {done:?}");
        }
    }
}

#[test]
fn a_log_of_which_nothing_is_left_whole_is_bounded_work() {
    let mut log = Log::empty();
    for _ in 0..60 {
        (1..=250).for_each(|number| log.write(number));
    }
    for row in log.rows.iter_mut().step_by(2) {
        row.hash = None;
    }
    let (report, _) = log.report(Unsealed::default());
    assert_eq!(report.entries, 15_000);
    assert_eq!(report.findings.as_slice().len(), crate::limits::AUDIT_FINDINGS_MAX);
    assert_eq!(report.findings.omitted(), 6_500);
}
