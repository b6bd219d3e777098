//! Seals committed entries into their tenants' chains, and signs where the chains stand.
//!
//! An act does not wait for its entry's place in the chain: taking the end of the chain within the act would put all acts of a
//! tenant in one line. Two nodes may seal one tenant's entries at once: the second to commit a number fails on the table's
//! keys, keeps nothing, and tries again later. So the chain never forks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use media_model::TenantId;

use super::{ControlApi, now_ms};
use crate::{
    StoreError,
    audit::{CheckpointSigner, Head, Kind, Statement, StoredEntry},
    limits::{SEAL_BATCH_ENTRIES_MAX, SEAL_ENTRIES_KEPT_MAX, SEAL_INTERVAL, SEAL_SWEEP_INTERVAL},
    store,
};

/// What this process has committed since the sealer last looked, and for whom. Entries are kept as they were written, so that they
/// need not be read back, and a row that somebody changes in between is found out.
#[derive(Debug, Default)]
pub(super) struct Unsealed(Mutex<BTreeMap<TenantId, Vec<StoredEntry>>>);

/// Entries as they were written, by id.
type Kept = HashMap<String, StoredEntry>;

impl Unsealed {
    pub fn note(&self, entries: Vec<(TenantId, StoredEntry)>) {
        let mut all = self.lock();
        for (tenant, entry) in entries {
            let kept = all.entry(tenant).or_default();
            if kept.len() < SEAL_ENTRIES_KEPT_MAX {
                kept.push(entry);
            }
        }
    }

    /// The tenant could not be sealed, and has to be looked at again. What is sealed by then is not found waiting any more.
    fn put_back(&self, tenant: TenantId, kept: Kept) {
        self.note(kept.into_values().map(|entry| (tenant, entry)).collect());
        self.lock().entry(tenant).or_default();
    }

    fn tenants(&self) -> BTreeSet<TenantId> {
        self.lock().keys().copied().collect()
    }

    fn take(&self, tenant: TenantId) -> Kept {
        let kept = self.lock().remove(&tenant).unwrap_or_default();
        kept.into_iter().map(|entry| (entry.id.clone(), entry)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, Vec<StoredEntry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ControlApi {
    /// Seals for as long as the process lives. What other processes left unsealed is looked for now and then.
    pub async fn keep_sealing(self) {
        let mut since_sweep = SEAL_SWEEP_INTERVAL;
        loop {
            let mut tenants = self.unsealed.tenants();
            if since_sweep >= SEAL_SWEEP_INTERVAL {
                since_sweep = Duration::ZERO;
                match self.store.tenants_and_system().await {
                    Ok(all) => tenants.extend(all),
                    Err(error) => {
                        tracing::warn!(%error, "tenants cannot be listed to seal their audit entries")
                    }
                }
            }
            for tenant in tenants {
                if let Err(error) = self.seal(tenant).await {
                    // Another node was faster, or the database is away: the entries wait.
                    tracing::debug!(%tenant, %error, "audit entries were not sealed");
                }
            }
            tokio::time::sleep(SEAL_INTERVAL).await;
            since_sweep += SEAL_INTERVAL;
        }
    }

    /// Seals what waits of one tenant; where its chain stands then. Writers wait for the links alone, not for what is read and
    /// hashed before.
    pub async fn seal(&self, tenant: TenantId) -> Result<Head, StoreError> {
        let kept = self.unsealed.take(tenant);
        let sealed = self.seal_with(tenant, &kept).await;
        if sealed.is_err() {
            self.unsealed.put_back(tenant, kept);
        }
        sealed
    }

    async fn seal_with(&self, tenant: TenantId, kept: &Kept) -> Result<Head, StoreError> {
        loop {
            let mut tx = self.store.read(tenant).await?;
            let ids = store::audit::pending_ids(&mut tx, SEAL_BATCH_ENTRIES_MAX).await?;
            let mut head = store::audit::head(&mut tx).await?;
            if ids.is_empty() {
                return Ok(head);
            }
            // Of another process, or from before this one began.
            let read_back = if ids.iter().all(|id| kept.contains_key(id)) {
                Kept::new()
            } else {
                let pending = store::audit::pending(&mut tx, SEAL_BATCH_ENTRIES_MAX).await?;
                pending.into_iter().map(|entry| (entry.id.clone(), entry)).collect()
            };
            let pending = ids.iter().map_while(|id| kept.get(id).or_else(|| read_back.get(id)));
            drop(tx);
            // One that cannot be sealed is of a newer binary: that one seals it, and what follows.
            let links: Vec<_> = pending.map_while(|entry| head.seal(entry).ok()).collect();
            if links.is_empty() {
                return Ok(head);
            }
            let mut tx = self.store.begin(tenant).await?;
            store::audit::link(&mut tx, &links, now_ms()).await?;
            self.store.commit(tx).await?;
        }
    }

    /// Chains that have grown since `signed_up_to`, as they stand, signed, a line each: to be added to the anchor file.
    pub async fn checkpoints(
        &self,
        signer: &CheckpointSigner,
        signed_up_to: &mut BTreeMap<TenantId, i64>,
    ) -> Result<Vec<String>, StoreError> {
        let mut lines = Vec::new();
        for tenant in self.store.tenants_and_system().await? {
            let mut tx = self.store.read(tenant).await?;
            let head = store::audit::head(&mut tx).await?;
            if signed_up_to.insert(tenant, head.seq).unwrap_or_default() < head.seq {
                let (kind, tenant) = (Kind::Checkpoint, tenant.to_string());
                lines.push(signer.sign(&Statement { kind, tenant, head, at_ms: now_ms() }));
            }
        }
        Ok(lines)
    }
}
