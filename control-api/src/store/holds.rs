//! Table `audit_holds`: one row where a tenant's audit log is held. And for how long it is kept otherwise.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::retention::RetentionMonths;

/// A row of `audit_holds`.
#[derive(Debug)]
pub(crate) struct Hold {
    /// Sealed under the tenant's key.
    pub reason: Vec<u8>,
    /// As the audit log calls them.
    pub held_by: String,
    pub since_ms: i64,
}

/// Whether the tenant's log is held, which everybody may ask who drops.
pub(crate) async fn is_held(tx: &mut TenantTx) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT tenant FROM audit_holds WHERE tenant = $1")
        .bind(tx.tenant().as_str())
        .fetch_optional(tx.connection())
        .await?;
    Ok(row.is_some())
}

pub(crate) async fn find(tx: &mut TenantTx) -> Result<Option<Hold>, StoreError> {
    let row = sqlx::query("SELECT reason, held_by, since FROM audit_holds WHERE tenant = $1")
        .bind(tx.tenant().as_str())
        .fetch_optional(tx.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (reason, held_by, since_ms) =
        (row.try_get("reason")?, row.try_get("held_by")?, row.try_get("since")?);
    Ok(Some(Hold { reason, held_by, since_ms }))
}

/// Holds it. One that is held already stays held since then; reason and who are the last.
pub(crate) async fn set(tx: &mut TenantTx, hold: &Hold) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_holds (tenant, reason, held_by, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant) DO UPDATE SET reason = $2, held_by = $3",
    )
    .bind(tx.tenant().as_str())
    .bind(hold.reason.as_slice())
    .bind(hold.held_by.as_str())
    .bind(hold.since_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Lets it go; false if it was not held.
pub(crate) async fn lift(tx: &mut TenantTx) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM audit_holds WHERE tenant = $1")
        .bind(tx.tenant().as_str())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// For how long the tenant's log is kept; nothing if there is no such tenant.
pub(crate) async fn retention(tx: &mut TenantTx) -> Result<Option<RetentionMonths>, StoreError> {
    let row = sqlx::query("SELECT retention_months FROM tenants WHERE id = $1")
        .bind(tx.tenant().as_str())
        .fetch_optional(tx.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let months = RetentionMonths::new(row.try_get("retention_months")?, true);
    months.map(Some).map_err(|_| StoreError::Malformed("a tenant's retention"))
}

/// Changes that; false if there is no such tenant.
pub(crate) async fn set_retention(tx: &mut TenantTx, months: RetentionMonths) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE tenants SET retention_months = $2 WHERE id = $1")
        .bind(tx.tenant().as_str())
        .bind(months.get())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}
