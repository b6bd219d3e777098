//! Table `consults`.

use media_model::ConsultId;
use sqlx::Row;

use super::{Act, Store, StoreError};

/// A row of `consults`.
#[derive(Debug, Clone)]
pub(crate) struct Consult {
    pub id: ConsultId,
    pub waiting_room: bool,
    pub created_at_ms: i64,
    pub ended_at_ms: Option<i64>,
}

pub(crate) async fn insert(act: &mut Act, consult: &Consult) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO consults (id, waiting_room, created_at, ended_at) VALUES (?, ?, ?, ?)")
        .bind(consult.id.to_string())
        .bind(consult.waiting_room)
        .bind(consult.created_at_ms)
        .bind(consult.ended_at_ms)
        .execute(&mut **act)
        .await?;
    Ok(())
}

pub(crate) async fn find(act: &mut Act, id: ConsultId) -> Result<Option<Consult>, StoreError> {
    let row = sqlx::query("SELECT waiting_room, created_at, ended_at FROM consults WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(&mut **act)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Consult {
        id,
        waiting_room: row.try_get("waiting_room")?,
        created_at_ms: row.try_get("created_at")?,
        ended_at_ms: row.try_get("ended_at")?,
    }))
}

impl Store {
    /// Consults that were ended after this time.
    pub(crate) async fn ended_consults(&self, ended_after_ms: i64) -> Result<Vec<ConsultId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM consults WHERE ended_at > ?")
            .bind(ended_after_ms)
            .fetch_all(&self.pool)
            .await?;
        let id = |row: &sqlx::sqlite::SqliteRow| {
            let id: &str = row.try_get("id")?;
            Ok(id.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?)
        };
        rows.iter().map(id).collect()
    }
}

pub(crate) async fn set_ended(act: &mut Act, id: ConsultId, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE consults SET ended_at = ? WHERE id = ?")
        .bind(now_ms)
        .bind(id.to_string())
        .execute(&mut **act)
        .await?;
    Ok(())
}
