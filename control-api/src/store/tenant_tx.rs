//! A transaction for one tenant: the only way to its rows.

use std::fmt;

use media_model::TenantId;
use sqlx::{Any, AnyConnection, Transaction};

use super::StoreError;
use crate::audit::StoredEntry;

/// An open transaction that sees one tenant's rows. Dropped, it leaves nothing behind.
///
/// Every statement names the tenant. On PostgreSQL row-level security does besides, by `app.tenant`, which is set for this
/// transaction alone: a statement that forgot sees nothing.
pub(crate) struct TenantTx {
    transaction: Transaction<'static, Any>,
    tenant: TenantId,
    has_row_security: bool,
    entries: Vec<(TenantId, StoredEntry)>,
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantTx").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl TenantTx {
    pub(super) async fn new(
        transaction: Transaction<'static, Any>,
        tenant: TenantId,
        has_row_security: bool,
    ) -> Result<Self, StoreError> {
        let mut tx = Self { transaction, tenant, has_row_security, entries: Vec::new() };
        tx.turn_to(tenant).await?;
        Ok(tx)
    }

    /// Goes on for another tenant, in the same transaction: for a batch of entries that is kept whole or not at all.
    pub(crate) async fn turn_to(&mut self, tenant: TenantId) -> Result<(), StoreError> {
        self.tenant = tenant;
        if self.has_row_security {
            sqlx::query("SELECT set_config('app.tenant', $1, TRUE)")
                .bind(tenant.as_str())
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(())
    }

    /// Whose rows it sees.
    pub(crate) const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Whether roles and row-level security hold: PostgreSQL.
    pub(super) const fn has_row_security(&self) -> bool {
        self.has_row_security
    }

    /// What statements run on.
    pub(super) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Keeps in mind that these audit entries were added to this tenant's.
    pub(super) fn note_entries(&mut self, entries: &[StoredEntry]) {
        self.entries.extend(entries.iter().map(|entry| (self.tenant, entry.clone())));
    }

    /// The audit entries that were added, each with whose it is, to be sealed once they are committed.
    pub(crate) fn take_entries(&mut self) -> Vec<(TenantId, StoredEntry)> {
        std::mem::take(&mut self.entries)
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}
