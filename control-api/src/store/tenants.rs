//! Table `tenants`.

use media_model::TenantId;
use sqlx::Row as _;

use super::{Store, StoreError, TenantTx};

/// What a tenant has settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenant {
    /// Whether there are consults without an appointment.
    pub direct_consults: bool,
}

impl Store {
    /// Every tenant, and [`TenantId::SYSTEM`] after them.
    pub(crate) async fn tenants_and_system(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants = self.tenants().await?;
        tenants.push(TenantId::SYSTEM);
        Ok(tenants)
    }

    /// Every tenant but [`TenantId::SYSTEM`].
    pub(crate) async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM tenants WHERE id <> $1 ORDER BY id")
            .bind(TenantId::SYSTEM.as_str())
            .fetch_all(self.readers()?)
            .await?;
        let id = |row: &sqlx::any::AnyRow| {
            row.try_get::<&str, _>("id")?.parse().map_err(|_| StoreError::Malformed("a tenant's name"))
        };
        rows.iter().map(id).collect()
    }
}

/// Makes the transaction's tenant; false if there is one of that name.
pub(crate) async fn insert(tx: &mut TenantTx, tenant: Tenant, now_ms: i64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO tenants (id, direct_consults, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(tx.tenant().as_str())
    .bind(i64::from(tenant.direct_consults))
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says whether there are consults without an appointment from now on; false if there is no such tenant.
pub(crate) async fn set_direct_consults(tx: &mut TenantTx, allowed: bool) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE tenants SET direct_consults = $2 WHERE id = $1")
        .bind(tx.tenant().as_str())
        .bind(i64::from(allowed))
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The transaction's tenant.
pub(crate) async fn find(tx: &mut TenantTx) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query("SELECT direct_consults FROM tenants WHERE id = $1")
        .bind(tx.tenant().as_str())
        .fetch_optional(tx.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Tenant { direct_consults: row.try_get::<i64, _>("direct_consults")? != 0 }))
}
