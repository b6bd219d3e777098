//! Table `tickets`: which were given out. The token itself is never stored, nor the display name in it.

use media_model::{ConsultId, Pii, Role};
use signaling_protocol::ticket::TicketId;

use sqlx::Row;

use super::{Act, Store, StoreError};

/// A row of `tickets`.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub id: TicketId,
    pub consult: ConsultId,
    pub person_id: Pii<String>,
    pub role: Role,
    pub issued_at_ms: i64,
    pub expires_at_ms: i64,
}

pub(crate) async fn insert(act: &mut Act, ticket: &Ticket) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tickets (id, consult_id, person_id, role, issued_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(ticket.id.to_string())
    .bind(ticket.consult.to_string())
    .bind(ticket.person_id.reveal())
    .bind(ticket.role.as_str())
    .bind(ticket.issued_at_ms)
    .bind(ticket.expires_at_ms)
    .execute(&mut **act)
    .await?;
    Ok(())
}

impl Store {
    /// Tickets that were taken back and either expire after `expires_after_ms` or were taken back after
    /// `revoked_after_ms`, as (consult, ticket id).
    pub(crate) async fn revoked_tickets(
        &self,
        expires_after_ms: i64,
        revoked_after_ms: i64,
    ) -> Result<Vec<(ConsultId, TicketId)>, StoreError> {
        let rows = sqlx::query(
            "SELECT consult_id, id FROM tickets WHERE revoked_at IS NOT NULL AND (expires_at > ? OR revoked_at > ?)",
        )
        .bind(expires_after_ms)
        .bind(revoked_after_ms)
        .fetch_all(&self.pool)
        .await?;
        let mut revoked = Vec::with_capacity(rows.len());
        for row in rows {
            let (consult, id): (&str, &str) = (row.try_get("consult_id")?, row.try_get("id")?);
            let not_an_id = |e| sqlx::Error::Decode(Box::new(e));
            revoked.push((consult.parse().map_err(not_an_id)?, id.parse().map_err(not_an_id)?));
        }
        Ok(revoked)
    }
}

/// Marks every ticket of a consult as taken back.
pub(crate) async fn revoke_all(act: &mut Act, consult: ConsultId, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE tickets SET revoked_at = ? WHERE consult_id = ? AND revoked_at IS NULL")
        .bind(now_ms)
        .bind(consult.to_string())
        .execute(&mut **act)
        .await?;
    Ok(())
}

/// Marks a ticket as taken back; false if this consult has no such ticket.
pub(crate) async fn set_revoked(
    act: &mut Act,
    consult: ConsultId,
    id: TicketId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE tickets SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND consult_id = ?",
    )
    .bind(now_ms)
    .bind(id.to_string())
    .bind(consult.to_string())
    .execute(&mut **act)
    .await?;
    Ok(done.rows_affected() == 1)
}
