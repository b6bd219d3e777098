//! Getting rid of a tenant's old sealing keys: what they sealed is sealed anew, and one that nothing needs any more goes.
//!
//! A value is changed only if it is still as it was read, a page a transaction, so that nodes go on meanwhile and a run that was killed is
//! taken up by the next. A key goes at the earliest [`KEY_REST`] after its successor came: by then every process has read
//! the tenant's keys again ([`KEYS_KNOWN_FOR`](crate::limits::KEYS_KNOWN_FOR)), nobody seals with the old one, and browsers that it sealed something for are gone.

use media_model::TenantId;

use super::{ControlApi, now_ms, record, renewal::rotated};
use crate::{
    StoreError,
    audit::{Actor, Surface},
    keys::{KeyVersion, Place, TenantKeys},
    limits::{KEY_REST, RENEWAL_PAGE_KEYS},
    store::{self, sealed::Column},
};

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed anew.
    pub values: usize,
    /// Keys that are gone.
    pub retired: Vec<KeyVersion>,
    /// Old keys that stay, each with a table that needs it; without one its successor is too new.
    pub stay: Vec<(KeyVersion, Option<&'static str>)>,
}

impl ControlApi {
    /// Does so for all tenants. One that fails is reported and holds up nobody else.
    pub async fn reseal(&self) -> Result<(), StoreError> {
        for tenant in self.store.tenants_and_system().await? {
            match self.reseal_tenant(tenant).await {
                Ok(Resealed { values, retired, .. }) if values > 0 || !retired.is_empty() => {
                    tracing::info!(%tenant, values, retired = retired.len(), "sealed anew");
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%tenant, %error, "values were not sealed anew"),
            }
        }
        Ok(())
    }

    /// Seals anew what is under older keys of a tenant than its newest, and retires those that nothing needs.
    pub async fn reseal_tenant(&self, tenant: TenantId) -> Result<Resealed, StoreError> {
        self.renew_keys_of(tenant).await?;
        let mut resealed = Resealed::default();
        let mut tx = self.store.read(tenant).await?;
        if store::tenant_keys::all(&mut tx).await?.is_empty() {
            return Ok(resealed);
        }
        let keys = self.vault.keys(&mut tx).await?;
        drop(tx);
        for column in &store::sealed::COLUMNS {
            resealed.values += self.reseal_column(&keys, column).await?;
        }
        self.retire_keys(tenant, &mut resealed).await?;
        Ok(resealed)
    }

    async fn reseal_column(&self, keys: &TenantKeys, column: &Column) -> Result<usize, StoreError> {
        let tenant = keys.tenant();
        let (newest, _) = keys.headers(keys.newest_version()?);
        let mut resealed = 0;
        loop {
            let mut act = self.store.begin(tenant).await?;
            let page = column.other_than(&mut act, newest, RENEWAL_PAGE_KEYS).await?;
            let mut changed = 0;
            for value in &page {
                let place = Place { tenant, table: column.table, row: &value.row, column: column.column };
                if let Some(again) = keys.reseal(&place, &value.sealed)? {
                    changed += usize::from(column.replace(&mut act, value, &again).await?);
                }
            }
            if changed == 0 {
                return Ok(resealed);
            }
            record(&mut act, &rotated(Actor::Server, Surface::Server, "values")).await?;
            self.commit(act).await?;
            resealed += changed;
        }
    }

    /// What says that nothing needs a key, and the key's end, are one transaction.
    async fn retire_keys(&self, tenant: TenantId, resealed: &mut Resealed) -> Result<(), StoreError> {
        let rested_since_ms = now_ms() - KEY_REST.as_millis() as i64;
        let mut act = self.store.begin(tenant).await?;
        let keys = self.vault.keys(&mut act).await?;
        for (version, has_rested) in store::tenant_keys::superseded(&mut act, rested_since_ms).await? {
            if !has_rested {
                resealed.stay.push((version, None));
                continue;
            }
            let (value, person_key) = keys.headers(version);
            match store::sealed::needs(&mut act, value, person_key).await? {
                Some(table) => resealed.stay.push((version, Some(table))),
                None => {
                    store::tenant_keys::delete(&mut act, version).await?;
                    record(&mut act, &rotated(Actor::Server, Surface::Server, "key_retired")).await?;
                    resealed.retired.push(version);
                }
            }
        }
        if resealed.retired.is_empty() {
            return Ok(());
        }
        self.commit(act).await?;
        self.vault.forget(tenant);
        self.store.forget_freed_bytes().await
    }
}
