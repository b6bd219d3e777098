//! Everything that can be wrong with an audit log, by name.

use std::fmt;

use super::LineFault;
use crate::limits::AUDIT_FINDINGS_MAX;

/// One thing that is wrong. Numbers are places in the tenant's chain, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Finding {
    /// What these entries say is not what was sealed.
    Changed {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// These entries, or their links, are gone.
    Missing {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// The entries between these places stand in another order than they were sealed in.
    Reordered {
        /// The first place.
        from: i64,
        /// The last.
        to: i64,
    },
    /// Entries were put in here that were never sealed here.
    Inserted {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// The entries between these places have other numbers than they were sealed with, because some before them were put
    /// in or taken out.
    Renumbered {
        /// The first place.
        from: i64,
        /// The last.
        to: i64,
        /// The number now less the number then.
        by: i64,
    },
    /// The next entry does not follow this one, which was replaced together with its hash.
    Replaced {
        /// Its place; 0 for what the first entry has to follow.
        seq: i64,
    },
    /// More than one entry stands here: the chain forks.
    Forked {
        /// The place.
        seq: i64,
    },
    /// An entry is in a version that this program does not know.
    UnknownVersion {
        /// Its place.
        seq: i64,
    },
    /// What stands between these places is not what was signed: at least one entry of them was replaced and all hashes
    /// from there on were computed anew.
    Rewritten {
        /// The first place after the last checkpoint that agrees.
        from: i64,
        /// The checkpoint's place.
        to: i64,
    },
    /// The end of the chain is gone, from here at least to the last checkpoint.
    TailCut {
        /// The first place that is missing.
        from: i64,
        /// The checkpoint's place.
        to: i64,
    },
    /// A line of the anchor file proves nothing.
    BadCheckpoint {
        /// The line's number in the file, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// Entries wait to be sealed for longer than sealing takes.
    Unsealed {
        /// How many wait.
        count: u64,
        /// The age of the oldest, in seconds.
        oldest_s: u64,
    },
}

impl Finding {
    /// The finding's name in reports and metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "changed",
            Self::Missing { .. } => "missing",
            Self::Reordered { .. } => "reordered",
            Self::Inserted { .. } => "inserted",
            Self::Renumbered { .. } => "renumbered",
            Self::Replaced { .. } => "replaced",
            Self::Forked { .. } => "forked",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::Rewritten { .. } => "rewritten",
            Self::TailCut { .. } => "tail_cut",
            Self::BadCheckpoint { .. } => "bad_checkpoint",
            Self::Unsealed { .. } => "unsealed",
        }
    }
}

/// `entry 5` or `entries 5 to 7`.
struct Range(i64, i64);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(from, to) if from == to => write!(f, "entry {from}"),
            Self(from, to) => write!(f, "entries {from} to {to}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Changed { from, to } => write!(f, "changed: {}", Range(from, to)),
            Self::Missing { from, to } => write!(f, "missing: {}", Range(from, to)),
            Self::Reordered { from, to } => write!(f, "re-ordered: {}", Range(from, to)),
            Self::Inserted { from, to } => write!(f, "inserted: {}", Range(from, to)),
            Self::Renumbered { from, to, by } => write!(f, "renumbered by {by:+}: {}", Range(from, to)),
            Self::Replaced { seq: 0 } => f.write_str("replaced: the beginning of the chain"),
            Self::Replaced { seq } => write!(f, "replaced with its hash: entry {seq}"),
            Self::Forked { seq } => write!(f, "forked: more than one entry {seq}"),
            Self::UnknownVersion { seq } => write!(f, "of an unknown version: entry {seq}"),
            Self::Rewritten { from, to } => {
                write!(f, "rewritten: {} contradict the checkpoint at {to}", Range(from, to))
            }
            Self::TailCut { from, to } => write!(f, "cut off: {} and what followed", Range(from, to)),
            Self::BadCheckpoint { line, fault } => {
                write!(f, "{fault} checkpoint: line {line} of the anchor file")
            }
            Self::Unsealed { count, oldest_s } => write!(f, "unsealed: {count}, the oldest for {oldest_s} s"),
        }
    }
}

/// Findings in the order in which they were made, so many and no more; the rest is counted.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Finding>,
    omitted: u64,
}

impl Findings {
    /// Each of them.
    pub fn as_slice(&self) -> &[Finding] {
        &self.found
    }

    /// How many more there were.
    pub const fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds one. Entries of one kind that follow each other become one finding.
    pub(super) fn add(&mut self, finding: Finding) {
        if self.found.last_mut().is_some_and(|last| last.grow(finding)) {
            return;
        }
        if self.found.len() < AUDIT_FINDINGS_MAX {
            self.found.push(finding);
        } else {
            self.omitted += 1;
        }
    }

    /// Puts them in the order of their places, what was found late among what was found at once.
    pub(super) fn sort(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|finding| finding.place());
        for finding in found {
            self.add(finding);
        }
    }
}

impl Finding {
    fn place(&self) -> i64 {
        match *self {
            Self::Changed { from, .. }
            | Self::Missing { from, .. }
            | Self::Reordered { from, .. }
            | Self::Inserted { from, .. }
            | Self::Renumbered { from, .. }
            | Self::Rewritten { from, .. }
            | Self::TailCut { from, .. } => from,
            Self::Replaced { seq } | Self::Forked { seq } | Self::UnknownVersion { seq } => seq,
            Self::BadCheckpoint { .. } | Self::Unsealed { .. } => i64::MAX,
        }
    }

    /// Takes the next finding in, if it goes on where this one ends.
    fn grow(&mut self, next: Self) -> bool {
        let follows = |to: i64, from: i64| from <= to.saturating_add(1);
        match (self, next) {
            (Self::Changed { to, .. }, Self::Changed { from, to: end })
            | (Self::Missing { to, .. }, Self::Missing { from, to: end })
                if follows(*to, from) =>
            {
                *to = end.max(*to);
            }
            // Exchanges that share an entry are one new order.
            (Self::Reordered { from, to }, Self::Reordered { from: start, to: end })
                if start <= *to && *from <= end =>
            {
                (*from, *to) = (start.min(*from), end.max(*to));
            }
            (Self::Rewritten { from, to }, Self::Rewritten { from: start, to: end }) if *from == start => {
                *to = end;
            }
            (Self::Forked { seq }, Self::Forked { seq: again }) if *seq == again => {}
            _ => return false,
        }
        true
    }
}
