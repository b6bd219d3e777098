//! Table `consults`.

use media_model::ConsultId;
use sqlx::Row as _;

use super::{StoreError, TenantTx};

/// A row of `consults`.
#[derive(Debug, Clone)]
pub(crate) struct Consult {
    pub id: ConsultId,
    pub waiting_room: bool,
    pub created_at_ms: i64,
    pub ended_at_ms: Option<i64>,
}

pub(crate) async fn insert(tx: &mut TenantTx, consult: &Consult) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO consults (tenant, id, waiting_room, created_at, ended_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.id.to_string())
    .bind(i64::from(consult.waiting_room))
    .bind(consult.created_at_ms)
    .bind(consult.ended_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub(crate) async fn find(tx: &mut TenantTx, id: ConsultId) -> Result<Option<Consult>, StoreError> {
    let row =
        sqlx::query("SELECT waiting_room, created_at, ended_at FROM consults WHERE tenant = $1 AND id = $2")
            .bind(tx.tenant().as_str())
            .bind(id.to_string())
            .fetch_optional(tx.connection())
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Consult {
        id,
        waiting_room: row.try_get::<i64, _>("waiting_room")? != 0,
        created_at_ms: row.try_get("created_at")?,
        ended_at_ms: row.try_get("ended_at")?,
    }))
}

/// Consults that were ended after this time.
pub(crate) async fn ended(tx: &mut TenantTx, ended_after_ms: i64) -> Result<Vec<ConsultId>, StoreError> {
    let rows = sqlx::query("SELECT id FROM consults WHERE tenant = $1 AND ended_at > $2")
        .bind(tx.tenant().as_str())
        .bind(ended_after_ms)
        .fetch_all(tx.connection())
        .await?;
    let id = |row: &sqlx::any::AnyRow| {
        row.try_get::<&str, _>("id")?.parse().map_err(|_| StoreError::Malformed("a consult's id"))
    };
    rows.iter().map(id).collect()
}

/// Ends a consult; false if it is over already, since when stays.
pub(crate) async fn set_ended(tx: &mut TenantTx, id: ConsultId, now_ms: i64) -> Result<bool, StoreError> {
    let done =
        sqlx::query("UPDATE consults SET ended_at = $3 WHERE tenant = $1 AND id = $2 AND ended_at IS NULL")
            .bind(tx.tenant().as_str())
            .bind(id.to_string())
            .bind(now_ms)
            .execute(tx.connection())
            .await?;
    Ok(done.rows_affected() == 1)
}
