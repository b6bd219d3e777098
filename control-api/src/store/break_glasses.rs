//! Tables `break_glasses` and `break_glass_tickets`.

use std::str::FromStr;

use media_model::ConsultId;
use signaling_protocol::ticket::TicketId;
use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::{
    ids::{BreakGlassId, PersonId},
    permissions::{BreakGlass, GlassState},
};

/// What [`kept_of`] reads: the only text that statements share.
macro_rules! select {
    () => {
        "SELECT id, person, patient, reason, opened_at, expires_at, closed_at, closed_by FROM break_glasses"
    };
}

/// A row of `break_glasses`.
#[derive(Debug)]
pub(crate) struct Kept {
    pub glass: BreakGlass,
    /// Sealed under the patient's key.
    pub reason: Vec<u8>,
}

pub(crate) async fn insert(tx: &mut TenantTx, glass: &BreakGlass, reason: &[u8]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO break_glasses (tenant, id, person, patient, reason, opened_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tx.tenant().as_str())
    .bind(glass.id.to_string())
    .bind(glass.by.to_string())
    .bind(glass.patient.to_string())
    .bind(reason)
    .bind(glass.opened_at_ms)
    .bind(glass.expires_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub(crate) async fn find(tx: &mut TenantTx, id: BreakGlassId) -> Result<Option<Kept>, StoreError> {
    let row = sqlx::query(concat!(select!(), " WHERE tenant = $1 AND id = $2"))
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(kept_of).transpose()
}

/// Whether one is still open. If so it is until this transaction ends: whoever closes it waits for it, and then finds what it gave out.
pub(crate) async fn holds(tx: &mut TenantTx, id: BreakGlassId) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE break_glasses SET closed_at = closed_at WHERE tenant = $1 AND id = $2 AND closed_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What somebody has broken for a patient and is open; of several the one that lasts longest.
pub(crate) async fn open_of(
    tx: &mut TenantTx,
    person: PersonId,
    patient: PersonId,
    now_ms: i64,
) -> Result<Option<BreakGlass>, StoreError> {
    let row = sqlx::query(concat!(
        select!(),
        " WHERE tenant = $1 AND person = $2 AND patient = $3 AND expires_at > $4 AND closed_at IS NULL
          ORDER BY expires_at DESC LIMIT 1"
    ))
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .bind(patient.to_string())
    .bind(now_ms)
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.as_ref().map(kept_of).transpose()?.map(|kept| kept.glass))
}

/// Those that were opened before one, or all, the newest first; with a state, those that are in it now.
pub(crate) async fn list(
    tx: &mut TenantTx,
    before: Option<&BreakGlass>,
    state: Option<GlassState>,
    now_ms: i64,
    rows_max: i64,
) -> Result<Vec<Kept>, StoreError> {
    let (opened_at_ms, id) =
        before.map_or((i64::MAX, String::new()), |glass| (glass.opened_at_ms, glass.id.to_string()));
    let rows = sqlx::query(concat!(
        select!(),
        " WHERE tenant = $1 AND (opened_at < $2 OR (opened_at = $2 AND id < $3))
            AND ($4 = '' OR $4 = CASE WHEN closed_at IS NOT NULL THEN 'closed'
                                      WHEN expires_at > $5 THEN 'open' ELSE 'run_out' END)
          ORDER BY opened_at DESC, id DESC LIMIT $6"
    ))
    .bind(tx.tenant().as_str())
    .bind(opened_at_ms)
    .bind(id)
    .bind(state.map_or("", GlassState::as_str))
    .bind(now_ms)
    .bind(rows_max)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(kept_of).collect()
}

/// Puts down that an auditor has looked into one; false if another was faster.
pub(crate) async fn set_closed(
    tx: &mut TenantTx,
    id: BreakGlassId,
    (closed_at_ms, closed_by): (i64, PersonId),
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE break_glasses SET closed_at = $3, closed_by = $4
         WHERE tenant = $1 AND id = $2 AND closed_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(closed_at_ms)
    .bind(closed_by.to_string())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Remembers that a ticket was given out under one.
pub(crate) async fn insert_ticket(
    tx: &mut TenantTx,
    id: BreakGlassId,
    ticket: TicketId,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO break_glass_tickets (tenant, break_glass, ticket) VALUES ($1, $2, $3)")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .bind(ticket.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The tickets that were given out under one.
pub(crate) async fn tickets(
    tx: &mut TenantTx,
    id: BreakGlassId,
) -> Result<Vec<(ConsultId, TicketId)>, StoreError> {
    let rows = sqlx::query(
        "SELECT t.consult_id, t.id FROM break_glass_tickets g
            JOIN tickets t ON t.tenant = g.tenant AND t.id = g.ticket
         WHERE g.tenant = $1 AND g.break_glass = $2",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .fetch_all(tx.connection())
    .await?;
    let ticket = |row: &AnyRow| {
        let consult = parsed(row.try_get("consult_id")?, "a ticket's consult")?;
        Ok((consult, parsed(row.try_get("id")?, "a ticket's id")?))
    };
    rows.iter().map(ticket).collect()
}

fn kept_of(row: &AnyRow) -> Result<Kept, StoreError> {
    let closed_at_ms: Option<i64> = row.try_get("closed_at")?;
    let closed_by = row.try_get::<Option<&str>, _>("closed_by")?.map(|id| parsed(id, "closed_by"));
    Ok(Kept {
        glass: BreakGlass {
            id: parsed(row.try_get("id")?, "a break-glass's id")?,
            by: parsed(row.try_get("person")?, "who broke the glass")?,
            patient: parsed(row.try_get("patient")?, "a break-glass's patient")?,
            opened_at_ms: row.try_get("opened_at")?,
            expires_at_ms: row.try_get("expires_at")?,
            closed: closed_at_ms.zip(closed_by.transpose()?),
        },
        reason: row.try_get("reason")?,
    })
}

fn parsed<T: FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Malformed(what))
}
