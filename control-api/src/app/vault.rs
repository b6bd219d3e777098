//! The tenants' keys, unwrapped once for each process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use media_model::TenantId;

use crate::{
    StoreError,
    keys::{KeyFault, MasterKeys, StoredTenantKey, TenantKeys, Whose},
    limits::{KEYS_KNOWN_FOR, TENANTS_KEYS_CACHED_MAX},
    store::{self, TenantTx},
};

/// Unwraps tenants' keys with the master key and keeps them, so that a request does not wait for a key service.
#[derive(Clone)]
pub(crate) struct Vault {
    master: Arc<dyn MasterKeys>,
    unwrapped: Arc<Mutex<HashMap<TenantId, Known>>>,
}

/// A tenant's keys, and when they were seen to be all that there are.
#[derive(Clone)]
struct Known {
    keys: TenantKeys,
    seen: Option<Instant>,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.seen.is_some_and(|seen| seen.elapsed() < KEYS_KNOWN_FOR)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    pub fn new(master: Arc<dyn MasterKeys>) -> Self {
        Self { master, unwrapped: Arc::default() }
    }

    /// Keys for a tenant that has none yet, and how to store them.
    pub async fn draw(&self, tenant: TenantId) -> Result<Vec<StoredTenantKey>, StoreError> {
        let (_, rows) = TenantKeys::draw(self.master.as_ref(), tenant).await?;
        Ok(rows)
    }

    /// The keys of the transaction's tenant, read again now and then: what another process retires must not go on sealing here.
    pub async fn keys(&self, tx: &mut TenantTx) -> Result<TenantKeys, StoreError> {
        let tenant = tx.tenant();
        let known = self.lock().get(&tenant).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.is_fresh()) {
            return Ok(known.keys.clone());
        }
        let seen = Some(Instant::now());
        let rows = store::tenant_keys::all(tx).await?;
        let keys = match known.filter(|known| known.keys.are(&rows)) {
            Some(known) => known.keys,
            None => TenantKeys::unwrap(self.master.as_ref(), tenant, &rows).await?,
        };
        let mut unwrapped = self.lock();
        if unwrapped.len() >= TENANTS_KEYS_CACHED_MAX {
            unwrapped.clear();
        }
        unwrapped.insert(tenant, Known { keys: keys.clone(), seen });
        Ok(keys)
    }

    /// What comes of the tenant's keys. Where they are older than what they have to open, they are read again, once: another
    /// process may have rotated them.
    pub async fn with_keys<T>(
        &self,
        tx: &mut TenantTx,
        mut work: impl FnMut(&TenantKeys) -> Result<T, KeyFault>,
    ) -> Result<T, StoreError> {
        match work(&self.keys(tx).await?) {
            Err(fault) if fault.whose() == Whose::Missing => {
                self.forget(tx.tenant());
                Ok(work(&self.keys(tx).await?)?)
            }
            done => Ok(done?),
        }
    }

    /// What wraps tenants' keys.
    pub fn master(&self) -> &dyn MasterKeys {
        self.master.as_ref()
    }

    /// Has it looked at whether these are all keys still, when they are needed. While a key service is away they go on.
    pub fn doubt(&self, tenant: TenantId) {
        if let Some(known) = self.lock().get_mut(&tenant) {
            known.seen = None;
        }
    }

    /// Has the keys read again when they are needed.
    pub fn forget(&self, tenant: TenantId) {
        self.lock().remove(&tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Known>> {
        self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
