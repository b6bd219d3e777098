//! Entries that are not what was sealed in their place: whether they were changed, or only stand elsewhere.

use std::collections::VecDeque;

use super::{ChainHash, Finding, Findings, chain::link_hash};
use crate::limits::{AUDIT_DISPLACEMENT_MAX, AUDIT_SEARCHES_MAX, AUDIT_SUSPECTS_MAX};

/// A link together with the entry that it names, as both are stored now.
#[derive(Debug)]
pub(super) struct Candidate {
    pub seq: i64,
    pub entry: String,
    pub previous: Option<ChainHash>,
    pub hash: Option<ChainHash>,
    pub canonical: Vec<u8>,
}

impl Candidate {
    /// Whether it was sealed as the link of that number.
    pub fn fits(&self, seq: i64) -> bool {
        let hash = self.previous.map(|previous| link_hash(&previous, seq, &self.entry, &self.canonical));
        hash.is_some() && hash == self.hash
    }

    /// Whether its entry was sealed in the other's place.
    fn belongs_to(&self, other: &Self) -> bool {
        let hash =
            other.previous.map(|previous| link_hash(&previous, other.seq, &self.entry, &self.canonical));
        hash.is_some() && hash == other.hash
    }
}

/// Where an entry was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Where it stands.
    Here,
    /// In another place.
    At(i64),
    /// Nowhere near: what it says, or its link, was changed.
    Unknown,
}

/// The last few entries of unknown origin.
#[derive(Debug)]
pub(super) struct Suspects {
    /// With whether it is known by now what became of them.
    rows: VecDeque<(Candidate, bool)>,
    searches_left: u32,
}

impl Suspects {
    pub const fn new() -> Self {
        Self { rows: VecDeque::new(), searches_left: AUDIT_SEARCHES_MAX }
    }

    /// Where the entry was sealed. `by` is how far those before it have been moved.
    pub fn origin(&mut self, row: &Candidate, by: i64) -> Origin {
        if row.fits(row.seq) {
            return Origin::Here;
        }
        let moved_along = row.seq.saturating_sub(by);
        if by != 0 && row.fits(moved_along) {
            return Origin::At(moved_along);
        }
        if self.searches_left == 0 {
            return Origin::Unknown;
        }
        self.searches_left -= 1;
        let near = (1..=AUDIT_DISPLACEMENT_MAX)
            .flat_map(|distance| [row.seq.saturating_sub(distance), row.seq.saturating_add(distance)]);
        near.into_iter().find(|seq| row.fits(*seq)).map_or(Origin::Unknown, Origin::At)
    }

    /// Takes an entry of unknown origin in, and looks whether it changed places with one of those before.
    pub fn add(&mut self, row: Candidate, findings: &mut Findings) {
        let mut is_explained = false;
        if self.searches_left > 0 {
            for (other, other_is_explained) in &mut self.rows {
                if row.belongs_to(other) || other.belongs_to(&row) {
                    findings.add(Finding::Reordered { from: other.seq, to: row.seq });
                    (is_explained, *other_is_explained) = (true, true);
                }
            }
        }
        self.rows.push_back((row, is_explained));
        if self.rows.len() > AUDIT_SUSPECTS_MAX {
            self.settle_first(findings);
        }
    }

    /// Something else accounts for those between the places.
    pub fn explain(&mut self, from: i64, to: i64) {
        for (row, is_explained) in &mut self.rows {
            *is_explained |= (from..=to).contains(&row.seq);
        }
    }

    /// Whether the entry in that place is one of them.
    pub fn contains(&self, seq: i64) -> bool {
        self.rows.iter().any(|(row, _)| row.seq == seq)
    }

    /// Whoever is left was changed.
    pub fn settle(&mut self, findings: &mut Findings) {
        while !self.rows.is_empty() {
            self.settle_first(findings);
        }
    }

    fn settle_first(&mut self, findings: &mut Findings) {
        if let Some((row, false)) = self.rows.pop_front() {
            findings.add(Finding::Changed { from: row.seq, to: row.seq });
        }
    }
}
