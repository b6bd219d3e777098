//! Table `api_clients`: back ends.

use sqlx::Row as _;

use super::{StoreError, TenantTx};

/// The id of the client with a secret of this hash, unless it was revoked.
pub(crate) async fn find_by_secret(
    tx: &mut TenantTx,
    secret_hash: &[u8],
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "SELECT id FROM api_clients WHERE tenant = $1 AND secret_hash = $2 AND revoked_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(secret_hash)
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|row| row.try_get("id")).transpose()?)
}

pub(crate) async fn insert(
    tx: &mut TenantTx,
    id: &str,
    secret_hash: &[u8],
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO api_clients (tenant, id, secret_hash, created_at) VALUES ($1, $2, $3, $4)")
        .bind(tx.tenant().as_str())
        .bind(id)
        .bind(secret_hash)
        .bind(now_ms)
        .execute(tx.connection())
        .await?;
    Ok(())
}
