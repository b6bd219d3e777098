//! Reads of personal data: entries of reads that happen at the same time are committed together, and each answer goes out after
//! that.
//!
//! An act commits with its own entry. A read changes nothing, so that its entry may share a transaction with others: at first
//! there is one in it, and while it is being committed the next ones gather. Nobody waits for more company. One commits at a time:
//! with two, each takes half of who has gathered, in twice as many transactions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use media_model::TenantId;
use tokio::sync::oneshot;

use super::{ControlApi, new_entry_id};
use crate::{
    StoreError,
    audit::{Entry, StoredEntry},
    limits::{READS_BATCH_MAX, READS_WAITING_MAX},
    store,
};

/// An entry, and who waits for it.
type Waiting = (StoredEntry, oneshot::Sender<()>);

/// Entries of reads that nobody commits yet. A tenant is in it for as long as a task commits for it.
#[derive(Debug, Default)]
pub(super) struct Reads(Mutex<BTreeMap<TenantId, Vec<Waiting>>>);

/// What became of an entry that was handed in.
enum Joined {
    /// Nobody commits: whoever handed it in sees to it.
    First,
    Follows,
    /// Too many wait.
    Full,
}

impl Reads {
    fn join(&self, tenant: TenantId, one: Waiting) -> Joined {
        let mut all = self.lock();
        let Some(waiting) = all.get_mut(&tenant) else {
            all.insert(tenant, vec![one]);
            return Joined::First;
        };
        if waiting.len() >= READS_WAITING_MAX {
            return Joined::Full;
        }
        waiting.push(one);
        Joined::Follows
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, Vec<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn to commit for a tenant. Lost in a panic, it fails whoever waits, rather than to leave them waiting.
struct Turn {
    reads: Arc<Reads>,
    tenant: TenantId,
    is_over: bool,
}

impl Turn {
    /// Who waits now; nobody, and then the turn is over.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut all = self.reads.lock();
        let waiting = all.get_mut(&self.tenant)?;
        if waiting.is_empty() {
            self.is_over = true;
            all.remove(&self.tenant);
            return None;
        }
        let taken = waiting.len().min(READS_BATCH_MAX);
        Some(waiting.drain(..taken).collect())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            self.reads.lock().remove(&self.tenant);
        }
    }
}

impl ControlApi {
    /// Puts down that something was read. What was read may be told once this has returned, and not if it failed.
    pub(super) async fn note_read(&self, tenant: TenantId, entry: &Entry) -> Result<(), StoreError> {
        let entry = StoredEntry::of(entry, new_entry_id());
        let (kept, is_kept) = oneshot::channel();
        match self.reads.join(tenant, (entry, kept)) {
            // On a task of its own: a caller who hangs up takes nobody's entry along.
            Joined::First => drop(tokio::spawn(self.clone().keep_reads(tenant))),
            Joined::Follows => {}
            Joined::Full => return Err(StoreError::ReadNotKept),
        }
        is_kept.await.map_err(|_| StoreError::ReadNotKept)
    }

    async fn keep_reads(self, tenant: TenantId) {
        let mut turn = Turn { reads: self.reads.clone(), tenant, is_over: false };
        while let Some(waiting) = turn.next() {
            let (entries, told): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
            match self.keep_entries(tenant, &entries).await {
                Ok(()) => told.into_iter().for_each(|one| one.send(()).unwrap_or_default()),
                Err(error) => tracing::error!(%tenant, %error, "audit entries of reads cannot be kept"),
            }
        }
    }

    async fn keep_entries(&self, tenant: TenantId, entries: &[StoredEntry]) -> Result<(), StoreError> {
        let mut tx = self.store.begin(tenant).await?;
        store::audit::insert(&mut tx, entries).await?;
        self.commit(tx).await
    }
}
