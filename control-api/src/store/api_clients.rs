//! Table `api_clients`: back ends.

use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::permissions::Scopes;

/// A back end that may call.
#[derive(Debug)]
pub(crate) struct ApiClient {
    pub id: String,
    /// What it was made for.
    pub scopes: Scopes,
}

/// The client with a secret of this hash, unless it was revoked.
pub(crate) async fn find_by_secret(
    tx: &mut TenantTx,
    secret_hash: &[u8],
) -> Result<Option<ApiClient>, StoreError> {
    let row = sqlx::query(
        "SELECT id, scopes FROM api_clients WHERE tenant = $1 AND secret_hash = $2 AND revoked_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(secret_hash)
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(client_of).transpose()
}

/// The client of this id, unless it was revoked.
pub(crate) async fn find(tx: &mut TenantTx, id: &str) -> Result<Option<ApiClient>, StoreError> {
    let row = sqlx::query(
        "SELECT id, scopes FROM api_clients WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id)
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(client_of).transpose()
}

fn client_of(row: &AnyRow) -> Result<ApiClient, StoreError> {
    let scopes = row.try_get::<&str, _>("scopes")?.parse();
    let scopes = scopes.map_err(|_| StoreError::Malformed("the scopes of a client"))?;
    Ok(ApiClient { id: row.try_get("id")?, scopes })
}

pub(crate) async fn insert(
    tx: &mut TenantTx,
    client: &ApiClient,
    secret_hash: &[u8],
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO api_clients (tenant, id, secret_hash, created_at, scopes) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(tx.tenant().as_str())
    .bind(client.id.as_str())
    .bind(secret_hash)
    .bind(now_ms)
    .bind(client.scopes.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}
