//! Table `tenant_keys`: wrapped, each by a master key that is not here.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::keys::{KeyVersion, StoredTenantKey, Wrapped};

/// All keys of the transaction's tenant.
pub(crate) async fn all(tx: &mut TenantTx) -> Result<Vec<StoredTenantKey>, StoreError> {
    let rows = sqlx::query("SELECT purpose, version, master, wrapped FROM tenant_keys WHERE tenant = $1")
        .bind(tx.tenant().as_str())
        .fetch_all(tx.connection())
        .await?;
    let key = |row: &sqlx::any::AnyRow| {
        let (purpose, master): (&str, &str) = (row.try_get("purpose")?, row.try_get("master")?);
        let wrapped = Wrapped::new(master.parse()?, row.try_get("wrapped")?)?;
        let version = KeyVersion::try_from(row.try_get::<i64, _>("version")?)?;
        Ok(StoredTenantKey { purpose: purpose.parse()?, version, wrapped })
    };
    rows.iter().map(key).collect()
}

pub(crate) async fn insert(tx: &mut TenantTx, key: &StoredTenantKey, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tenant_keys (tenant, purpose, version, master, wrapped, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tx.tenant().as_str())
    .bind(key.purpose.as_str())
    .bind(i64::from(key.version))
    .bind(key.wrapped.master().as_str())
    .bind(key.wrapped.bytes())
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Sealing keys that have a successor, and whether that was made at this time or before.
pub(crate) async fn superseded(
    tx: &mut TenantTx,
    made_until_ms: i64,
) -> Result<Vec<(KeyVersion, bool)>, StoreError> {
    let rows = sqlx::query(
        "SELECT old.version, min(new.created_at) AS succeeded_at FROM tenant_keys old
           JOIN tenant_keys new ON new.tenant = old.tenant AND new.purpose = old.purpose AND new.version > old.version
          WHERE old.tenant = $1 AND old.purpose = 'sealing' GROUP BY old.version ORDER BY old.version",
    )
    .bind(tx.tenant().as_str())
    .fetch_all(tx.connection())
    .await?;
    let key = |row: &sqlx::any::AnyRow| {
        let version = KeyVersion::try_from(row.try_get::<i64, _>("version")?)?;
        Ok((version, row.try_get::<i64, _>("succeeded_at")? <= made_until_ms))
    };
    rows.iter().map(key).collect()
}

/// Takes a sealing key away for good.
pub(crate) async fn delete(tx: &mut TenantTx, version: KeyVersion) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM tenant_keys WHERE tenant = $1 AND purpose = 'sealing' AND version = $2")
        .bind(tx.tenant().as_str())
        .bind(i64::from(version))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Puts a key's new form in the place of the one that was read; false if that is no longer there.
pub(crate) async fn replace(
    tx: &mut TenantTx,
    read: &StoredTenantKey,
    again: &StoredTenantKey,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE tenant_keys SET master = $5, wrapped = $6
         WHERE tenant = $1 AND purpose = $2 AND version = $3 AND wrapped = $4",
    )
    .bind(tx.tenant().as_str())
    .bind(read.purpose.as_str())
    .bind(i64::from(read.version))
    .bind(read.wrapped.bytes())
    .bind(again.wrapped.master().as_str())
    .bind(again.wrapped.bytes())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}
