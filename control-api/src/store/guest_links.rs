//! Table `guest_links`: which were sent. The code itself is never stored.

use media_model::Role;
use signaling_protocol::ticket::TicketId;
use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::ids::{AppointmentId, GuestLinkId, PersonId};

/// A link on its way into the table.
#[derive(Debug)]
pub(crate) struct NewGuestLink<'a> {
    pub id: GuestLinkId,
    pub code_hash: &'a [u8],
    pub appointment: AppointmentId,
    pub person: PersonId,
    pub role: Role,
    /// Sealed under the person's key.
    pub display_name: &'a [u8],
    pub created_at_ms: i64,
}

/// A row of `guest_links`.
#[derive(Debug)]
pub(crate) struct GuestLink {
    pub id: GuestLinkId,
    pub appointment: AppointmentId,
    pub person: PersonId,
    pub role: Role,
    /// Sealed under the person's key.
    pub display_name: Vec<u8>,
    pub redeemed_at_ms: Option<i64>,
    /// What it opened the door with the last time.
    pub ticket: Option<TicketId>,
    pub revoked_at_ms: Option<i64>,
}

/// What [`link_of`] reads: the only text that statements share.
macro_rules! select {
    () => {
        "SELECT id, appointment, person, role, display_name, redeemed_at, ticket, revoked_at FROM guest_links"
    };
}

pub(crate) async fn insert(tx: &mut TenantTx, link: &NewGuestLink<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO guest_links (tenant, id, code_hash, appointment, person, role, display_name, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tx.tenant().as_str())
    .bind(link.id.to_string())
    .bind(link.code_hash)
    .bind(link.appointment.to_string())
    .bind(link.person.to_string())
    .bind(link.role.as_str())
    .bind(link.display_name)
    .bind(link.created_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How many links of an appointment were not taken back.
pub(crate) async fn count(tx: &mut TenantTx, appointment: AppointmentId) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS links FROM guest_links
         WHERE tenant = $1 AND appointment = $2 AND revoked_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(appointment.to_string())
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get("links")?)
}

/// Whether there is a link with this code.
pub(crate) async fn is_known(tx: &mut TenantTx, code_hash: &[u8]) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT id FROM guest_links WHERE tenant = $1 AND code_hash = $2")
        .bind(tx.tenant().as_str())
        .bind(code_hash)
        .fetch_optional(tx.connection())
        .await?;
    Ok(row.is_some())
}

/// The link with this code, which is this transaction's alone from now on: two who redeem it at once do so one after the other.
pub(crate) async fn take(tx: &mut TenantTx, code_hash: &[u8]) -> Result<Option<GuestLink>, StoreError> {
    let locked = sqlx::query("UPDATE guest_links SET ticket = ticket WHERE tenant = $1 AND code_hash = $2")
        .bind(tx.tenant().as_str())
        .bind(code_hash)
        .execute(tx.connection())
        .await?;
    if locked.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query(concat!(select!(), " WHERE tenant = $1 AND code_hash = $2"))
        .bind(tx.tenant().as_str())
        .bind(code_hash)
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(link_of).transpose()
}

/// A link of an appointment.
pub(crate) async fn find(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    id: GuestLinkId,
) -> Result<Option<GuestLink>, StoreError> {
    let row = sqlx::query(concat!(select!(), " WHERE tenant = $1 AND appointment = $2 AND id = $3"))
        .bind(tx.tenant().as_str())
        .bind(appointment.to_string())
        .bind(id.to_string())
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(link_of).transpose()
}

/// Puts down that a link was redeemed, and with which ticket.
pub(crate) async fn set_redeemed(
    tx: &mut TenantTx,
    id: GuestLinkId,
    ticket: TicketId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE guest_links SET redeemed_at = $3, ticket = $4 WHERE tenant = $1 AND id = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .bind(now_ms)
        .bind(ticket.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Puts down that a link was taken back; the first time counts.
pub(crate) async fn set_revoked(tx: &mut TenantTx, id: GuestLinkId, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE guest_links SET revoked_at = coalesce(revoked_at, $3) WHERE tenant = $1 AND id = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .bind(now_ms)
        .execute(tx.connection())
        .await?;
    Ok(())
}

fn link_of(row: &AnyRow) -> Result<GuestLink, StoreError> {
    let ticket = row.try_get::<Option<&str>, _>("ticket")?.map(str::parse).transpose();
    Ok(GuestLink {
        id: parsed(row, "id")?,
        appointment: parsed(row, "appointment")?,
        person: parsed(row, "person")?,
        role: parsed(row, "role")?,
        display_name: row.try_get("display_name")?,
        redeemed_at_ms: row.try_get("redeemed_at")?,
        ticket: ticket.map_err(|_| StoreError::Malformed("a guest link's ticket"))?,
        revoked_at_ms: row.try_get("revoked_at")?,
    })
}

fn parsed<T: std::str::FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    row.try_get::<&str, _>(column)?.parse().map_err(|_| StoreError::Malformed(column))
}
