//! Table `signing_keys`: public keys of nodes, sealed.

use sqlx::Row as _;

use super::{StoreError, TenantTx};

/// A row.
#[derive(Debug)]
pub(crate) struct StoredKey {
    /// What it signs, and its kid.
    pub name: String,
    pub sealed: Vec<u8>,
}

/// All that is good after this time.
pub(crate) async fn good_after(tx: &mut TenantTx, now_ms: i64) -> Result<Vec<StoredKey>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, sealed FROM signing_keys WHERE tenant = $1 AND good_until > $2 ORDER BY name",
    )
    .bind(tx.tenant().as_str())
    .bind(now_ms)
    .fetch_all(tx.connection())
    .await?;
    let key = |row: &sqlx::any::AnyRow| {
        Ok(StoredKey { name: row.try_get("name")?, sealed: row.try_get("sealed")? })
    };
    rows.iter().map(key).collect()
}

/// Puts one down, in the place of a row of that name.
pub(crate) async fn put(tx: &mut TenantTx, key: &StoredKey, good_until_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO signing_keys (tenant, name, sealed, good_until) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, name) DO UPDATE SET sealed = excluded.sealed, good_until = excluded.good_until",
    )
    .bind(tx.tenant().as_str())
    .bind(key.name.as_str())
    .bind(key.sealed.as_slice())
    .bind(good_until_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes one away; false if it is not there.
pub(crate) async fn delete(tx: &mut TenantTx, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM signing_keys WHERE tenant = $1 AND name = $2")
        .bind(tx.tenant().as_str())
        .bind(name)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes away what has not been good since this time.
pub(crate) async fn delete_past(tx: &mut TenantTx, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM signing_keys WHERE tenant = $1 AND good_until <= $2")
        .bind(tx.tenant().as_str())
        .bind(now_ms)
        .execute(tx.connection())
        .await?;
    Ok(())
}
