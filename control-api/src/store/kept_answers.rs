//! Table `kept_answers`: what was answered to a request with an idempotency key.

use std::str::FromStr;

use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::{auth::Allowed, ids::PersonId};

/// An answer that was kept.
#[derive(Debug)]
pub(crate) struct KeptAnswer {
    pub body_hash: Vec<u8>,
    pub status: i64,
    /// Sealed.
    pub answer: Option<Vec<u8>>,
    /// Whose personal data is in it.
    pub about: Option<PersonId>,
    /// What whoever asked was allowed.
    pub allowed: Option<Allowed>,
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
    allowed: Option<&Allowed>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE kept_answers SET status = $3, answer = $4, person = $5, act = $6, consult_id = $7, patient = $8, whose = $9
         WHERE tenant = $1 AND key_hash = $2",
    )
    .bind(tx.tenant().as_str())
    .bind(key_hash)
    .bind(status)
    .bind(answer)
    .bind(person.map(|id| id.to_string()))
    .bind(allowed.map(|allowed| allowed.act.as_str()))
    .bind(allowed.and_then(|allowed| allowed.consult).map(|id| id.to_string()))
    .bind(allowed.and_then(|allowed| allowed.patient).map(|id| id.to_string()))
    .bind(allowed.and_then(|allowed| allowed.whose).map(|id| id.to_string()))
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
        "SELECT body_hash, status, answer, person, act, consult_id, patient, whose FROM kept_answers
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
        about: parsed(&row, "person")?,
        allowed: allowed_of(&row)?,
    }))
}

fn allowed_of(row: &AnyRow) -> Result<Option<Allowed>, StoreError> {
    let Some(act) = parsed(row, "act")? else { return Ok(None) };
    let (consult, patient) = (parsed(row, "consult_id")?, parsed(row, "patient")?);
    Ok(Some(Allowed { act, consult, patient, whose: parsed(row, "whose")? }))
}

fn parsed<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<Option<T>, StoreError> {
    let text = row.try_get::<Option<&str>, _>(column)?;
    text.map(str::parse).transpose().map_err(|_| StoreError::Malformed(column))
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
