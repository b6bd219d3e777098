//! Table `sessions`: who is signed in. Only the hash of each cookie is kept.

use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::ids::PersonId;

/// Somebody who is signed in, or was until they were idle for too long.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub cookie_hash: Vec<u8>,
    pub person: PersonId,
    pub mfa: bool,
    pub signed_in_at_ms: i64,
    pub seen_at_ms: i64,
    pub idle_ms: i64,
    pub expires_at_ms: i64,
    /// Whether the tenant asks for a second factor now, and there was none.
    pub lacks_factor: bool,
}

/// Sessions with what their tenant asks for now.
macro_rules! select_sessions {
    () => {
        "SELECT s.cookie_hash, s.person, s.mfa, s.signed_in_at, s.seen_at, s.idle_ms, s.expires_at,
                CASE WHEN s.mfa = 0 AND EXISTS (SELECT 1 FROM sign_in i WHERE i.tenant = s.tenant AND i.mfa_required = 1)
                     THEN 1 ELSE 0 END AS lacks_factor
         FROM sessions s"
    };
}

impl Session {
    /// When it ends if nothing comes any more.
    pub const fn idle_at_ms(&self) -> i64 {
        self.seen_at_ms.saturating_add(self.idle_ms)
    }
}

pub(crate) async fn insert(tx: &mut TenantTx, session: &Session) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (tenant, cookie_hash, person, mfa, signed_in_at, seen_at, idle_ms, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tx.tenant().as_str())
    .bind(session.cookie_hash.as_slice())
    .bind(session.person.to_string())
    .bind(i64::from(session.mfa))
    .bind(session.signed_in_at_ms)
    .bind(session.seen_at_ms)
    .bind(session.idle_ms)
    .bind(session.expires_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub(crate) async fn find(tx: &mut TenantTx, cookie_hash: &[u8]) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query(concat!(select_sessions!(), " WHERE s.tenant = $1 AND s.cookie_hash = $2"))
        .bind(tx.tenant().as_str())
        .bind(cookie_hash)
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(session).transpose()
}

/// Sessions that have run out.
pub(crate) async fn run_out(
    tx: &mut TenantTx,
    now_ms: i64,
    sessions_max: i64,
) -> Result<Vec<Session>, StoreError> {
    let rows = sqlx::query(concat!(
        select_sessions!(),
        " WHERE s.tenant = $1 AND (s.expires_at <= $2 OR s.seen_at + s.idle_ms <= $2) LIMIT $3"
    ))
    .bind(tx.tenant().as_str())
    .bind(now_ms)
    .bind(sessions_max)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(session).collect()
}

/// Puts down that somebody was active.
pub(crate) async fn touch(tx: &mut TenantTx, cookie_hash: &[u8], now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET seen_at = $3 WHERE tenant = $1 AND cookie_hash = $2 AND seen_at < $3")
        .bind(tx.tenant().as_str())
        .bind(cookie_hash)
        .bind(now_ms)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Ends one; false if it was ended before. Only one of several who try gets to say so.
pub(crate) async fn delete(tx: &mut TenantTx, cookie_hash: &[u8]) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM sessions WHERE tenant = $1 AND cookie_hash = $2")
        .bind(tx.tenant().as_str())
        .bind(cookie_hash)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all of a person's; how many that were.
pub(crate) async fn delete_about(tx: &mut TenantTx, person: PersonId) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM sessions WHERE tenant = $1 AND person = $2")
        .bind(tx.tenant().as_str())
        .bind(person.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected())
}

/// Ends all of the tenant's; whose they were, one for each.
pub(crate) async fn delete_all(tx: &mut TenantTx) -> Result<Vec<PersonId>, StoreError> {
    let rows = sqlx::query("DELETE FROM sessions WHERE tenant = $1 RETURNING person")
        .bind(tx.tenant().as_str())
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(person_of).collect()
}

/// Ends those of the tenant's that had one factor; likewise.
pub(crate) async fn delete_one_factor(tx: &mut TenantTx) -> Result<Vec<PersonId>, StoreError> {
    let rows = sqlx::query("DELETE FROM sessions WHERE tenant = $1 AND mfa = 0 RETURNING person")
        .bind(tx.tenant().as_str())
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(person_of).collect()
}

fn person_of(row: &AnyRow) -> Result<PersonId, StoreError> {
    row.try_get::<&str, _>("person")?.parse().map_err(|_| StoreError::Malformed("a person's id"))
}

fn session(row: &AnyRow) -> Result<Session, StoreError> {
    Ok(Session {
        cookie_hash: row.try_get("cookie_hash")?,
        person: person_of(row)?,
        mfa: row.try_get::<i64, _>("mfa")? != 0,
        signed_in_at_ms: row.try_get("signed_in_at")?,
        seen_at_ms: row.try_get("seen_at")?,
        idle_ms: row.try_get("idle_ms")?,
        expires_at_ms: row.try_get("expires_at")?,
        lacks_factor: row.try_get::<i64, _>("lacks_factor")? != 0,
    })
}
