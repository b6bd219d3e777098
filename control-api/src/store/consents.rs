//! Table `consents`.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::ids::PersonId;

/// The one kind there is: to be treated from afar.
const TELEHEALTH: &str = "telehealth";

/// What somebody agreed to, and whether they still do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consent {
    pub kind: String,
    /// When, the last time.
    pub given_at_ms: i64,
    pub withdrawn_at_ms: Option<i64>,
}

/// A person's consents, by kind.
pub(crate) async fn of(tx: &mut TenantTx, person: PersonId) -> Result<Vec<Consent>, StoreError> {
    let rows = sqlx::query(
        "SELECT kind, given_at, withdrawn_at FROM consents WHERE tenant = $1 AND person = $2 ORDER BY kind",
    )
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .fetch_all(tx.connection())
    .await?;
    let consent = |row: &sqlx::any::AnyRow| {
        Ok(Consent {
            kind: row.try_get("kind")?,
            given_at_ms: row.try_get("given_at")?,
            withdrawn_at_ms: row.try_get("withdrawn_at")?,
        })
    };
    rows.iter().map(consent).collect()
}

/// Notes that a person consents to telehealth. One that was withdrawn is given anew.
pub(crate) async fn give(tx: &mut TenantTx, person: PersonId, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO consents (tenant, person, kind, given_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, person, kind)
         DO UPDATE SET given_at = $4, withdrawn_at = NULL WHERE consents.withdrawn_at IS NOT NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .bind(TELEHEALTH)
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes that a person consents no longer; false if they did not.
pub(crate) async fn withdraw(tx: &mut TenantTx, person: PersonId, now_ms: i64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE consents SET withdrawn_at = $4
         WHERE tenant = $1 AND person = $2 AND kind = $3 AND withdrawn_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .bind(TELEHEALTH)
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether a person consents. If so they do until this transaction ends: whoever withdraws waits for it, and then finds what it gave out.
pub(crate) async fn holds(tx: &mut TenantTx, person: PersonId) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE consents SET given_at = given_at
         WHERE tenant = $1 AND person = $2 AND kind = $3 AND withdrawn_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .bind(TELEHEALTH)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}
