//! Table `tickets`: which were given out. The token itself is never stored, nor the display name in it.

use media_model::{ConsultId, Role};
use signaling_protocol::ticket::TicketId;
use sqlx::{Row as _, any::AnyRow};

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

/// Whom a consult is about: its appointment's patient; without an appointment the one person who was given tickets to it as its
/// patient, and nobody where there are several.
pub(crate) async fn patient_of(
    tx: &mut TenantTx,
    consult: ConsultId,
) -> Result<Option<PersonId>, StoreError> {
    let rows = sqlx::query(
        "SELECT patient AS person, 1 AS is_booked FROM appointments WHERE tenant = $1 AND consult_id = $2
         UNION
         SELECT person_id, 0 FROM tickets WHERE tenant = $1 AND consult_id = $2 AND role = $3
         ORDER BY is_booked DESC LIMIT 2",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .bind(Role::Patient.as_str())
    .fetch_all(tx.connection())
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    // The literals have no type of the schema's: PostgreSQL calls them INTEGER, SQLite whatever fits.
    let is_booked = first.try_get::<i32, _>("is_booked")? == 1;
    if rows.len() > 1 && !is_booked {
        return Ok(None);
    }
    let person = first.try_get::<&str, _>("person")?.parse();
    person.map(Some).map_err(|_| StoreError::Malformed("a patient"))
}

/// What became of a ticket, and of whom and what it names.
#[derive(Debug)]
pub(crate) struct Holder {
    pub consult: ConsultId,
    pub person: PersonId,
    pub role: Role,
    pub revoked_at_ms: Option<i64>,
    /// When the consult was ended.
    pub ended_at_ms: Option<i64>,
    pub is_erased: bool,
}

pub(crate) async fn holder(tx: &mut TenantTx, id: TicketId) -> Result<Option<Holder>, StoreError> {
    let row = sqlx::query(
        "SELECT t.consult_id, t.person_id, t.role, t.revoked_at, c.ended_at, p.erased_at
         FROM tickets t
            JOIN consults c ON c.tenant = t.tenant AND c.id = t.consult_id
            JOIN people p ON p.tenant = t.tenant AND p.id = t.person_id
         WHERE t.tenant = $1 AND t.id = $2",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let person = row.try_get::<&str, _>("person_id")?.parse();
    let consult = row.try_get::<&str, _>("consult_id")?.parse();
    let role = row.try_get::<&str, _>("role")?.parse();
    Ok(Some(Holder {
        consult: consult.map_err(|_| StoreError::Malformed("a ticket's consult"))?,
        person: person.map_err(|_| StoreError::Malformed("a ticket's person"))?,
        role: role.map_err(|_| StoreError::Malformed("a role"))?,
        revoked_at_ms: row.try_get("revoked_at")?,
        ended_at_ms: row.try_get("ended_at")?,
        is_erased: row.try_get::<Option<i64>, _>("erased_at")?.is_some(),
    }))
}

/// How a ticket was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TakenBack {
    /// Whoever came in with it has to leave.
    Revoked,
    /// It opens nothing any more; whoever is in the consult stays.
    Barred,
}

/// Tickets that were taken back after this time. Asked each second: two indexes have them.
pub(crate) async fn taken_back(
    tx: &mut TenantTx,
    since_ms: i64,
) -> Result<Vec<(ConsultId, TicketId, TakenBack)>, StoreError> {
    let rows = sqlx::query(
        "SELECT consult_id, id, revoked_at FROM tickets WHERE tenant = $1 AND revoked_at > $2
         UNION
         SELECT consult_id, id, revoked_at FROM tickets WHERE tenant = $1 AND barred_at > $2",
    )
    .bind(tx.tenant().as_str())
    .bind(since_ms)
    .fetch_all(tx.connection())
    .await?;
    taken_of(&rows)
}

/// Tickets that were taken back and would expire after this time, of all that there are.
pub(crate) async fn taken_back_and_young(
    tx: &mut TenantTx,
    expire_after_ms: i64,
) -> Result<Vec<(ConsultId, TicketId, TakenBack)>, StoreError> {
    let rows = sqlx::query(
        "SELECT consult_id, id, revoked_at FROM tickets
         WHERE tenant = $1 AND expires_at > $2 AND (revoked_at IS NOT NULL OR barred_at IS NOT NULL)",
    )
    .bind(tx.tenant().as_str())
    .bind(expire_after_ms)
    .fetch_all(tx.connection())
    .await?;
    taken_of(&rows)
}

fn taken_of(rows: &[AnyRow]) -> Result<Vec<(ConsultId, TicketId, TakenBack)>, StoreError> {
    let mut taken = Vec::with_capacity(rows.len());
    for row in rows {
        let how = match row.try_get::<Option<i64>, _>("revoked_at")? {
            Some(_) => TakenBack::Revoked,
            None => TakenBack::Barred,
        };
        let (consult, id) = ids(row)?;
        taken.push((consult, id, how));
    }
    Ok(taken)
}

fn ids(row: &AnyRow) -> Result<(ConsultId, TicketId), StoreError> {
    let (consult, id): (&str, &str) = (row.try_get("consult_id")?, row.try_get("id")?);
    let not_an_id = |_| StoreError::Malformed("a ticket's or a consult's id");
    Ok((consult.parse().map_err(not_an_id)?, id.parse().map_err(not_an_id)?))
}

/// Marks every ticket to appointments of a patient that are not over as opening nothing any more; which they are.
pub(crate) async fn bar_of_patient(
    tx: &mut TenantTx,
    patient: PersonId,
    now_ms: i64,
) -> Result<Vec<(ConsultId, TicketId)>, StoreError> {
    let rows = sqlx::query(
        "UPDATE tickets SET barred_at = $3
         WHERE tenant = $1 AND revoked_at IS NULL AND barred_at IS NULL AND consult_id IN (
            SELECT consult_id FROM appointments
            WHERE tenant = $1 AND patient = $2 AND state IN ('scheduled', 'confirmed', 'in_progress'))
         RETURNING consult_id, id",
    )
    .bind(tx.tenant().as_str())
    .bind(patient.to_string())
    .bind(now_ms)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(ids).collect()
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

/// Marks every ticket to a consult that somebody was given until a time as taken back, also those that went with its end.
pub(crate) async fn revoke_of_person(
    tx: &mut TenantTx,
    (consult, person): (ConsultId, PersonId),
    until_ms: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE tickets SET revoked_at = $5
         WHERE tenant = $1 AND consult_id = $2 AND person_id = $3 AND issued_at <= $4",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .bind(person.to_string())
    .bind(until_ms)
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Marks a ticket as taken back, also one that went with its consult's end; false if this consult has no such ticket.
pub(crate) async fn set_revoked(
    tx: &mut TenantTx,
    consult: ConsultId,
    id: TicketId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done =
        sqlx::query("UPDATE tickets SET revoked_at = $4 WHERE tenant = $1 AND id = $2 AND consult_id = $3")
            .bind(tx.tenant().as_str())
            .bind(id.to_string())
            .bind(consult.to_string())
            .bind(now_ms)
            .execute(tx.connection())
            .await?;
    Ok(done.rows_affected() == 1)
}
