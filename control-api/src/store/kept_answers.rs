//! Table `kept_answers`: what was answered to a request with an idempotency key.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::ids::PersonId;

/// An answer that was kept.
#[derive(Debug)]
pub(crate) struct KeptAnswer {
    pub body_hash: Vec<u8>,
    pub status: i64,
    /// Sealed.
    pub answer: Option<Vec<u8>>,
}

/// Takes a key for this transaction's act; false if another act has it. Waits while another transaction holds it.
pub(crate) async fn claim(
    tx: &mut TenantTx,
    key_hash: &[u8],
    body_hash: &[u8],
    now_ms: i64,
    expires_at_ms: i64,
) -> Result<bool, StoreError> {
    sqlx::query("DELETE FROM kept_answers WHERE tenant = $1 AND key_hash = $2 AND expires_at <= $3")
        .bind(tx.tenant().as_str())
        .bind(key_hash)
        .bind(now_ms)
        .execute(tx.connection())
        .await?;
    let done = sqlx::query(
        "INSERT INTO kept_answers (tenant, key_hash, body_hash, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, key_hash) DO NOTHING",
    )
    .bind(tx.tenant().as_str())
    .bind(key_hash)
    .bind(body_hash)
    .bind(expires_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts down how the act that claimed the key is answered.
pub(crate) async fn fill(
    tx: &mut TenantTx,
    key_hash: &[u8],
    status: i64,
    answer: Option<&[u8]>,
    person: Option<PersonId>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE kept_answers SET status = $3, answer = $4, person = $5 WHERE tenant = $1 AND key_hash = $2",
    )
    .bind(tx.tenant().as_str())
    .bind(key_hash)
    .bind(status)
    .bind(answer)
    .bind(person.map(|id| id.to_string()))
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub(crate) async fn find(
    tx: &mut TenantTx,
    key_hash: &[u8],
    now_ms: i64,
) -> Result<Option<KeptAnswer>, StoreError> {
    let row = sqlx::query(
        "SELECT body_hash, status, answer FROM kept_answers
         WHERE tenant = $1 AND key_hash = $2 AND expires_at > $3 AND status IS NOT NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(key_hash)
    .bind(now_ms)
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(KeptAnswer {
        body_hash: row.try_get("body_hash")?,
        status: row.try_get("status")?,
        answer: row.try_get("answer")?,
    }))
}

/// Deletes what has been kept for long enough; how many that were.
pub(crate) async fn delete_expired(tx: &mut TenantTx, now_ms: i64) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM kept_answers WHERE tenant = $1 AND expires_at <= $2")
        .bind(tx.tenant().as_str())
        .bind(now_ms)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected())
}

/// Deletes answers that hold data of a person.
pub(crate) async fn delete_about(tx: &mut TenantTx, person: PersonId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM kept_answers WHERE tenant = $1 AND person = $2")
        .bind(tx.tenant().as_str())
        .bind(person.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}
