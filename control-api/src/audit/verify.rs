//! Walks a tenant's chain once, from its first link to its last, and says what is wrong with it.
//!
//! It needs no key but the public ones of the checkpoints, and the same memory for ten entries as for ten million. What it
//! finds it names and goes on behind it: one changed entry is one finding, not one for each that follows.
//!
//! ```text
//! Anchor::scan(lines) ─▶ Verifier::new(tenant, …) ─▶ push(row), in order of seq ─▶ finish(unsealed) ─▶ Report
//! ```

use std::cmp::Ordering;

use super::{
    Anchored, ChainHash, CheckpointKeys, Finding, Findings, Head, Kind, StoredEntry,
    suspects::{Candidate, Origin, Suspects},
};
use crate::limits::AUDIT_UNSEALED_AGE_MAX;

/// A link and the entry that it names, as the store has them now. Nothing about them is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The link's number.
    pub seq: i64,
    /// The entry that it names.
    pub entry: String,
    /// The hash before; nothing if what stands there is none.
    pub previous: Option<ChainHash>,
    /// Its own, likewise.
    pub hash: Option<ChainHash>,
    /// The entry; nothing if there is none of that name.
    pub stored: Option<StoredEntry>,
}

/// Entries that are committed and wait to be sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsealed {
    /// How many.
    pub count: u64,
    /// When the oldest was made, in milliseconds since 1970.
    pub oldest_at_ms: Option<i64>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Links that were looked at.
    pub entries: u64,
    /// Checkpoints that agree with the chain. With none, a chain that was replaced as a whole passes for genuine.
    pub checkpoints: u64,
    /// The last link, to begin with next time.
    pub last: Option<Head>,
    /// What is wrong.
    pub findings: Findings,
    /// What waits to be sealed.
    pub unsealed: Unsealed,
    /// The age of the oldest of that, in seconds.
    pub unsealed_oldest_s: Option<u64>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Entries in a row that stand elsewhere than they were sealed.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: i64,
    to: i64,
    /// How far the first was moved, and whether all were moved as far.
    by: i64,
    is_even: bool,
    /// All that they were moved, added up: nothing where they only changed places among each other.
    total: i128,
}

/// Walks one chain.
#[derive(Debug)]
pub struct Verifier<'a, L> {
    tenant: String,
    keys: &'a CheckpointKeys,
    lines: L,
    /// The next checkpoint of this tenant.
    checkpoint: Option<Head>,
    /// The last link that retention removed.
    dropped: i64,
    expected: i64,
    /// What the next link has to follow, where that is known.
    previous: Option<ChainHash>,
    run: Option<Run>,
    /// The places of the last entries that only stand elsewhere.
    reordered: Option<(i64, i64)>,
    suspects: Suspects,
    /// The last place up to which a checkpoint agrees.
    agreed: i64,
    /// The highest number that was sealed, of those that are there.
    reached: i64,
    report: Report,
}

impl<'a, S: AsRef<str>, L: Iterator<Item = S>> Verifier<'a, L> {
    /// For one tenant's chain, with what [`Anchor::scan`](super::Anchor::scan) said of it and the anchor file's lines
    /// once more. Lines that prove nothing are passed over: the scan has named them.
    pub fn new(tenant: &str, anchored: Anchored, lines: L, keys: &'a CheckpointKeys) -> Self {
        let start = anchored.dropped.unwrap_or_else(|| Head::genesis(tenant));
        let report = Report {
            entries: 0,
            checkpoints: 0,
            last: None,
            findings: Findings::default(),
            unsealed: Unsealed::default(),
            unsealed_oldest_s: None,
        };
        let mut verifier = Self {
            tenant: tenant.to_owned(),
            keys,
            lines,
            checkpoint: None,
            dropped: start.seq,
            expected: start.seq.saturating_add(1),
            previous: Some(start.hash),
            run: None,
            reordered: None,
            suspects: Suspects::new(),
            agreed: start.seq,
            reached: start.seq,
            report,
        };
        verifier.next_checkpoint();
        verifier
    }

    /// Looks at the next link, in order of `seq`.
    pub fn push(&mut self, row: SealedRow) {
        if (1..=self.dropped).contains(&row.seq) {
            return;
        }
        self.report.entries += 1;
        let seq = row.seq;
        match seq.cmp(&self.expected) {
            Ordering::Less if seq < 1 => return self.find(Finding::Inserted { from: seq, to: seq }),
            Ordering::Less => {
                // Either of them may be the one that the next link follows.
                self.previous = None;
                return self.find(Finding::Forked { seq });
            }
            Ordering::Greater => self.skip_to(seq),
            Ordering::Equal => {}
        }
        self.expected = seq.saturating_add(1);
        let hash = row.hash;
        let (origin, follows) = self.look_at(row);
        let sealed_as = if let Origin::At(was) = origin { was } else { seq };
        self.compare(sealed_as, hash);
        self.reached = self.reached.max(sealed_as);
        self.previous = follows;
        self.report.last = hash.map(|hash| Head { seq, hash });
    }

    /// Where the entry was sealed, and which hash the next has to follow.
    fn look_at(&mut self, row: SealedRow) -> (Origin, Option<ChainHash>) {
        let SealedRow { seq, entry, previous, hash, stored } = row;
        let canonical = match stored.map(|stored| stored.canonical_bytes()) {
            Some(Ok(canonical)) => canonical,
            Some(Err(_)) => {
                self.find(Finding::UnknownVersion { seq });
                return (Origin::Unknown, hash);
            }
            None => {
                self.find(Finding::Missing { from: seq, to: seq });
                return (Origin::Unknown, hash);
            }
        };
        let row = Candidate { seq, entry, previous, hash, canonical };
        let origin = self.suspects.origin(&row, self.run.map_or(0, |run| run.by));
        match origin {
            Origin::Here => {
                self.close_run(true);
                let is_cut_off = self.previous.is_some_and(|expected| row.previous != Some(expected));
                let before = seq.saturating_sub(1);
                if is_cut_off && !self.suspects.contains(before) {
                    self.find(Finding::Replaced { seq: before });
                }
                (origin, hash)
            }
            Origin::At(was) => {
                self.extend_run(seq, seq.saturating_sub(was));
                (origin, None)
            }
            Origin::Unknown => {
                self.suspects.add(row, &mut self.report.findings);
                (origin, hash)
            }
        }
    }

    /// Ends the walk. Whoever walked says what the store has unsealed, and the time.
    pub fn finish(mut self, unsealed: Unsealed, now_ms: i64) -> Report {
        self.close_run(false);
        self.suspects.settle(&mut self.report.findings);
        let mut last = None;
        while let Some(checkpoint) = self.checkpoint {
            last = Some(checkpoint.seq);
            self.next_checkpoint();
        }
        if let Some(to) = last.filter(|seq| *seq > self.reached) {
            self.find(Finding::TailCut { from: self.reached.saturating_add(1), to });
        }
        let age_ms = unsealed.oldest_at_ms.map(|at_ms| now_ms.saturating_sub(at_ms).max(0).unsigned_abs());
        if let Some(age_ms) = age_ms.filter(|age_ms| u128::from(*age_ms) > AUDIT_UNSEALED_AGE_MAX.as_millis())
        {
            self.find(Finding::Unsealed { count: unsealed.count, oldest_s: age_ms / 1000 });
        }
        self.report.findings.sort();
        Report { unsealed, unsealed_oldest_s: age_ms.map(|age_ms| age_ms / 1000), ..self.report }
    }

    /// The links before this one are gone.
    fn skip_to(&mut self, seq: i64) {
        self.close_run(false);
        let before = seq.saturating_sub(1);
        self.find(Finding::Missing { from: self.expected, to: before });
        self.pass_checkpoints(before);
        self.previous = self.checkpoint.filter(|checkpoint| checkpoint.seq == before).map(|known| known.hash);
        self.pass_checkpoints(seq);
    }

    fn extend_run(&mut self, seq: i64, by: i64) {
        let run = self.run.get_or_insert(Run { from: seq, to: seq, by, is_even: true, total: 0 });
        run.to = seq;
        run.is_even &= run.by == by;
        run.total += i128::from(by);
    }

    /// Says why a run of entries stands elsewhere, at its end or where the next entry stands in its place again.
    fn close_run(&mut self, is_in_place_again: bool) {
        let Some(Run { from, to, by, is_even, total }) = self.run.take() else { return };
        self.previous = None;
        if total == 0 || !is_even {
            return self.find_reordered(from, to);
        }
        // Fewer than were skipped, and then things are in place again: they were put here from where they belong.
        let is_short = to.saturating_sub(from) < by.saturating_abs().saturating_sub(1);
        let was = from.saturating_sub(by);
        if is_short && (is_in_place_again || self.reordered.is_some_and(|(a, b)| (a..=b).contains(&was))) {
            return self.find_reordered(from.min(was), to.max(to.saturating_sub(by)));
        }
        if by > 0 {
            let (first, last) = (from.saturating_sub(by), from.saturating_sub(1));
            self.suspects.explain(first, last);
            self.find(Finding::Inserted { from: first, to: last });
        } else {
            self.find(Finding::Missing { from, to: from.saturating_sub(by).saturating_sub(1) });
        }
        self.find(Finding::Renumbered { from, to, by });
    }

    fn find_reordered(&mut self, from: i64, to: i64) {
        self.reordered = Some((from, to));
        self.find(Finding::Reordered { from, to });
    }

    /// Holds a link against the checkpoint of its number, if there is one.
    fn compare(&mut self, sealed_as: i64, hash: Option<ChainHash>) {
        self.pass_checkpoints(sealed_as);
        while let Some(checkpoint) = self.checkpoint.filter(|checkpoint| checkpoint.seq == sealed_as) {
            if hash == Some(checkpoint.hash) {
                self.agreed = sealed_as;
                self.report.checkpoints += 1;
            } else {
                self.find(Finding::Rewritten { from: self.agreed.saturating_add(1), to: sealed_as });
            }
            self.next_checkpoint();
        }
    }

    /// Leaves checkpoints of smaller numbers behind: their links are gone or stand elsewhere, which was found.
    fn pass_checkpoints(&mut self, seq: i64) {
        while self.checkpoint.is_some_and(|checkpoint| checkpoint.seq < seq) {
            self.next_checkpoint();
        }
    }

    fn next_checkpoint(&mut self) {
        let after = self.checkpoint.map_or(self.dropped, |checkpoint| checkpoint.seq);
        let (keys, tenant) = (self.keys, self.tenant.as_str());
        self.checkpoint = self.lines.by_ref().find_map(|line| {
            let statement = keys.verify(line.as_ref().trim_end()).ok()?;
            let is_next = statement.kind == Kind::Checkpoint
                && statement.tenant == tenant
                && statement.head.seq >= after.max(1)
                && statement.head.seq > self.dropped;
            is_next.then_some(statement.head)
        });
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.add(finding);
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
