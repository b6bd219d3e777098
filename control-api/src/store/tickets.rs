//! Table `tickets`: which were given out. The token itself is never stored, nor the display name in it.

use media_model::{ConsultId, Role};
use signaling_protocol::ticket::TicketId;
use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::ids::PersonId;

/// A row of `tickets`.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub id: TicketId,
    pub consult: ConsultId,
    pub person: PersonId,
    pub role: Role,
    pub issued_at_ms: i64,
    pub expires_at_ms: i64,
}

pub(crate) async fn insert(tx: &mut TenantTx, ticket: &Ticket) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tickets (tenant, id, consult_id, person_id, role, issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tx.tenant().as_str())
    .bind(ticket.id.to_string())
    .bind(ticket.consult.to_string())
    .bind(ticket.person.to_string())
    .bind(ticket.role.as_str())
    .bind(ticket.issued_at_ms)
    .bind(ticket.expires_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The one person who was given tickets to a consult as its patient; nobody where there are several.
pub(crate) async fn only_patient(
    tx: &mut TenantTx,
    consult: ConsultId,
) -> Result<Option<PersonId>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT person_id FROM tickets WHERE tenant = $1 AND consult_id = $2 AND role = $3 LIMIT 2",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .bind(Role::Patient.as_str())
    .fetch_all(tx.connection())
    .await?;
    let [row] = rows.as_slice() else { return Ok(None) };
    let person = row.try_get::<&str, _>("person_id")?.parse();
    person.map(Some).map_err(|_| StoreError::Malformed("a ticket's person"))
}

/// Tickets that were taken back and either expire after `expires_after_ms` or were taken back after `revoked_after_ms`,
/// as (consult, ticket id).
pub(crate) async fn revoked(
    tx: &mut TenantTx,
    expires_after_ms: i64,
    revoked_after_ms: i64,
) -> Result<Vec<(ConsultId, TicketId)>, StoreError> {
    let rows = sqlx::query(
        "SELECT consult_id, id FROM tickets
         WHERE tenant = $1 AND revoked_at IS NOT NULL AND (expires_at > $2 OR revoked_at > $3)",
    )
    .bind(tx.tenant().as_str())
    .bind(expires_after_ms)
    .bind(revoked_after_ms)
    .fetch_all(tx.connection())
    .await?;
    let mut revoked = Vec::with_capacity(rows.len());
    for row in rows {
        let (consult, id): (&str, &str) = (row.try_get("consult_id")?, row.try_get("id")?);
        let not_an_id = |_| StoreError::Malformed("a ticket's or a consult's id");
        revoked.push((consult.parse().map_err(not_an_id)?, id.parse().map_err(not_an_id)?));
    }
    Ok(revoked)
}

/// Marks every ticket of a consult as taken back.
pub(crate) async fn revoke_all(tx: &mut TenantTx, consult: ConsultId, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE tickets SET revoked_at = $3 WHERE tenant = $1 AND consult_id = $2 AND revoked_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Marks a ticket as taken back; false if this consult has no such ticket.
pub(crate) async fn set_revoked(
    tx: &mut TenantTx,
    consult: ConsultId,
    id: TicketId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE tickets SET revoked_at = coalesce(revoked_at, $4) WHERE tenant = $1 AND id = $2 AND consult_id = $3",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(consult.to_string())
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}
