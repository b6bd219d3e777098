//! Drops the beginning of each tenant's audit log when its time has come, whole months of it, and says so before.
//!
//! ```text
//! chain   1 ─ 2 ─ … ─ 4711 ─ 4712 ─ …            4711: the last checkpoint signed before the first month that is kept
//!         └── verified ──┘
//!                 │
//!                 ├─ 1. anchor file: `dropped … seq=4711`, signed, on disk
//!                 └─ 2. database: links and entries up to 4711 go, some a transaction, with an entry that says so in the first
//! ```
//!
//! Killed between 1 and 2, or within 2, it leaves rows that the anchor file has given up: `verify` passes over them, and the next
//! run deletes them. What is not announced is not deleted, and what was tampered with is not announced.

use std::{collections::BTreeMap, io, path::Path};

use media_model::TenantId;

use crate::{
    Database, ShellUser, Store, StoreError,
    app::{new_entry_id, now_ms},
    audit::{
        Action, Actor, Anchor, CheckpointKeys, CheckpointSigner, Entry, Finding, Head, Kind, LineFault,
        SealedRow, Statement, StoredEntry, Surface, Verifier,
    },
    line_file,
    retention::{RetentionMonths, month_begun_ms},
    rfc3339::rfc3339,
    store::{self, dropping, holds},
    verify::{lines_of, walk},
};

/// Nothing was dropped, or not all of it; running it again goes on.
#[derive(Debug, thiserror::Error)]
pub enum RetainError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The anchor file cannot be read, or not be written to.
    #[error("the anchor file: {0}")]
    Anchor(#[from] io::Error),
    /// Somebody changed the anchor file: what it says is no ground to delete anything.
    #[error("the anchor file: {0}")]
    BadAnchor(Finding),
}

/// What became of one tenant's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retained {
    /// Nothing of it is as old as that, sealed and signed.
    Nothing,
    /// It is held.
    Held,
    /// It is not as it was written: what is wrong with it stays, as evidence.
    Tampered(Vec<Finding>),
    /// Everything up to this number goes, or would go.
    Dropped {
        /// The last link that goes.
        up_to: i64,
        /// Entries that went; nothing where it was only tried out.
        entries: Option<u64>,
    },
}

/// One tenant's log, and from when on it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedLog {
    /// Whose.
    pub tenant: TenantId,
    /// In milliseconds since 1970: the beginning of a month, UTC.
    pub kept_from_ms: i64,
    /// What became of it.
    pub what: Retained,
}

/// What it takes to drop anything.
#[derive(Debug, Clone, Copy)]
pub struct Retain<'a> {
    /// With the role for that; of PostgreSQL a member of `consilium_retention`.
    pub database: &'a Database,
    /// The node's own.
    pub signer: &'a CheckpointSigner,
    /// The public keys of its anchor file.
    pub keys: &'a CheckpointKeys,
    /// Where what is dropped is announced.
    pub anchor: &'a Path,
    /// Whether a tenant's period may be shorter than six years: said outside the database, whose owner could shorten it.
    pub accepts_less_than_six_years: bool,
    /// Says what would be dropped, and drops nothing.
    pub dry_run: bool,
}

impl Retain<'_> {
    /// Does it for every tenant.
    pub async fn run(&self) -> Result<Vec<RetainedLog>, RetainError> {
        let anchor = Anchor::scan(lines_of(self.anchor)?, self.keys);
        // A power cut leaves half a line, which proves nothing either way.
        let is_bad = |finding: &&Finding| {
            !matches!(finding, Finding::BadCheckpoint { fault: LineFault::Malformed, .. })
        };
        if let Some(finding) = anchor.findings.as_slice().iter().find(is_bad) {
            return Err(RetainError::BadAnchor(*finding));
        }
        let store = Store::open_to_read(self.database).await?;
        let done = self.run_over(&store, &anchor).await;
        store.close().await;
        done
    }

    async fn run_over(&self, store: &Store, anchor: &Anchor) -> Result<Vec<RetainedLog>, RetainError> {
        let (mut kept_from, mut held) = (BTreeMap::new(), Vec::new());
        // The system's is the last: it has what was done from the shell about the others, and is held while any of them is.
        let tenants = store.tenants_and_system().await?;
        for tenant in &tenants {
            let mut tx = store.read(*tenant).await?;
            let months = holds::retention(&mut tx).await?;
            let months = self.bounded(months.ok_or(StoreError::Malformed("a tenant's retention"))?);
            // What waits to be sealed has its month, and what follows, wait too.
            let oldest = store::audit::unsealed(&mut tx).await?.oldest_at_ms.unwrap_or(i64::MAX);
            kept_from
                .insert(tenant.to_string(), months.kept_from_ms(now_ms()).min(begin_of_month_ms(oldest)));
            if holds::is_held(&mut tx).await? || *tenant == TenantId::SYSTEM && !held.is_empty() {
                held.push(*tenant);
            }
        }
        let signed = Anchor::last_before(lines_of(self.anchor)?, self.keys, &kept_from);
        let mut logs = Vec::new();
        for tenant in tenants {
            let kept_from_ms = kept_from.get(tenant.as_str()).copied().unwrap_or(i64::MIN);
            let what = if held.contains(&tenant) {
                Retained::Held
            } else {
                let signed = signed.get(tenant.as_str()).copied();
                self.drop_of(store, anchor, tenant, signed, kept_from_ms).await?
            };
            logs.push(RetainedLog { tenant, kept_from_ms, what });
        }
        Ok(logs)
    }

    fn bounded(&self, months: RetentionMonths) -> RetentionMonths {
        RetentionMonths::new(months.get(), self.accepts_less_than_six_years).unwrap_or_default()
    }

    async fn drop_of(
        &self,
        store: &Store,
        anchor: &Anchor,
        tenant: TenantId,
        signed: Option<Head>,
        kept_from_ms: i64,
    ) -> Result<Retained, RetainError> {
        let anchored = anchor.of(tenant.as_str());
        let announced = anchored.dropped.map_or(0, |head| head.seq);
        let Some(first) = dropping::first(&mut store.read(tenant).await?).await? else {
            return Ok(Retained::Nothing);
        };
        let mut cut = Cut { signed: signed.map_or(0, |head| head.seq), kept_from_ms, ..Cut::default() };
        let lines = lines_of(self.anchor)?;
        let verifier = Verifier::new(tenant.as_str(), anchored, lines, self.keys);
        let report = walk(store, tenant.as_str(), verifier, |row| cut.look_at(row)).await?;
        let wrong = report.findings.as_slice().iter().filter(|f| !matches!(f, Finding::Unsealed { .. }));
        let wrong: Vec<_> = wrong.copied().collect();
        if !wrong.is_empty() {
            return Ok(Retained::Tampered(wrong));
        }
        let new = cut.at.filter(|head| head.seq > announced);
        let up_to = match new {
            Some(head) => head.seq,
            // What a run that was killed left.
            None if first <= announced => announced,
            None => return Ok(Retained::Nothing),
        };
        if self.dry_run {
            return Ok(Retained::Dropped { up_to, entries: None });
        }
        if let Some(head) = new {
            let (kind, tenant) = (Kind::Dropped, tenant.to_string());
            let statement = Statement { kind, tenant, head, at_ms: now_ms() };
            line_file::append(self.anchor, &[self.signer.sign(&statement)])?;
        }
        let entries = delete(store, tenant, up_to, kept_from_ms).await?;
        Ok(Retained::Dropped { up_to, entries: Some(entries) })
    }
}

/// Deletes what was announced; how many entries that were. The first transaction has the entry that says so.
async fn delete(store: &Store, tenant: TenantId, up_to: i64, kept_from_ms: i64) -> Result<u64, StoreError> {
    let mut entries = 0;
    loop {
        let mut act = store.begin(tenant).await?;
        let dropped = dropping::drop_some(&mut act, up_to).await?;
        if dropped == 0 {
            return Ok(entries);
        }
        if entries == 0 {
            let (actor, surface) = (Actor::Shell(ShellUser::of_process()), Surface::Cli);
            let entry = Entry { actor, surface, ..Entry::of(Action::AuditDropped) };
            let month: String = rfc3339(kept_from_ms).chars().take(7).collect();
            let detail = Some(format!("up_to:{up_to}:before:{month}"));
            let entry = StoredEntry { detail, ..StoredEntry::of(&entry, new_entry_id()) };
            store::audit::insert(&mut act, &[entry]).await?;
        }
        store.commit(act).await?;
        entries += dropped;
    }
}

/// When the month of a time began.
fn begin_of_month_ms(at_ms: i64) -> i64 {
    month_begun_ms(at_ms, 0).unwrap_or(at_ms)
}

/// Finds how much of a chain goes, while it is walked.
#[derive(Debug, Default)]
struct Cut {
    /// The last checkpoint that is old enough.
    signed: i64,
    kept_from_ms: i64,
    /// The last link that goes.
    at: Option<Head>,
    /// It would go if another followed: the last link stays, so that the chain goes on from it.
    next: Option<Head>,
    is_over: bool,
}

impl Cut {
    fn look_at(&mut self, row: &SealedRow) {
        self.at = self.next.take().or(self.at);
        // A clock that was wrong: what says that it is younger is taken at its word.
        let is_old = row.stored.as_ref().is_some_and(|entry| entry.at_ms < self.kept_from_ms);
        self.is_over |= row.seq > self.signed || !is_old;
        self.next = row.hash.filter(|_| !self.is_over).map(|hash| Head { seq: row.seq, hash });
    }
}
