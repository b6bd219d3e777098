//! Table `api_clients`: back ends.

use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::permissions::{Scope, Scopes};

/// Scopes that stand in a column of their own (migration 0041).
const LATER: [Scope; 1] = [Scope::ConsultsCreate];

/// A back end that may call.
#[derive(Debug, Clone)]
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
        "SELECT id, scopes, more_scopes FROM api_clients WHERE tenant = $1 AND secret_hash = $2 AND revoked_at IS NULL",
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
        "SELECT id, scopes, more_scopes FROM api_clients WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id)
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(client_of).transpose()
}

fn client_of(row: &AnyRow) -> Result<ApiClient, StoreError> {
    let parsed =
        |text: &str| text.parse::<Scopes>().map_err(|_| StoreError::Malformed("the scopes of a client"));
    let scopes = parsed(row.try_get("scopes")?)?;
    let more = match row.try_get::<Option<&str>, _>("more_scopes")? {
        Some(more) => parsed(more)?,
        None if scopes.contains(Scope::ConsultsWrite) => Scopes::from_iter([Scope::ConsultsCreate]),
        None => Scopes::NONE,
    };
    Ok(ApiClient { id: row.try_get("id")?, scopes: scopes.iter().chain(more.iter()).collect() })
}

pub(crate) async fn insert(
    tx: &mut TenantTx,
    client: &ApiClient,
    secret_hash: &[u8],
    now_ms: i64,
) -> Result<(), StoreError> {
    let (more, scopes): (Vec<Scope>, Vec<Scope>) =
        client.scopes.iter().partition(|scope| LATER.contains(scope));
    let (more, scopes) = (Scopes::from_iter(more), Scopes::from_iter(scopes));
    sqlx::query(
        "INSERT INTO api_clients (tenant, id, secret_hash, created_at, scopes, more_scopes) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tx.tenant().as_str())
    .bind(client.id.as_str())
    .bind(secret_hash)
    .bind(now_ms)
    .bind(scopes.to_string())
    .bind(more.to_string())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A client, as it is listed.
#[derive(Debug, Clone)]
pub(crate) struct KnownClient {
    pub client: ApiClient,
    pub created_at_ms: i64,
    pub revoked_at_ms: Option<i64>,
}

/// All of a tenant's, revoked ones as well, in the order in which they were made.
pub(crate) async fn all(tx: &mut TenantTx) -> Result<Vec<KnownClient>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, scopes, more_scopes, created_at, revoked_at FROM api_clients WHERE tenant = $1 ORDER BY created_at, id",
    )
    .bind(tx.tenant().as_str())
    .fetch_all(tx.connection())
    .await?;
    let known = |row: &AnyRow| {
        let (created_at_ms, revoked_at_ms) = (row.try_get("created_at")?, row.try_get("revoked_at")?);
        Ok(KnownClient { client: client_of(row)?, created_at_ms, revoked_at_ms })
    };
    rows.iter().map(known).collect()
}

/// Revokes a client: neither its key nor a token of its opens anything any more. False if there is none that is good.
pub(crate) async fn revoke(tx: &mut TenantTx, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE api_clients SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id)
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}
