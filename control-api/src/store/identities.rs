//! Table `identities`: who somebody is where they sign in. Found by a keyed hash; neither issuer nor subject is kept.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::ids::{IdentityId, PersonId};

/// One way in which a person signs in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub id: IdentityId,
    pub person: PersonId,
    pub created_at_ms: i64,
}

/// Links an issuer's subject to a person; false if that subject is somebody already.
pub(crate) async fn insert(
    tx: &mut TenantTx,
    identity: &Identity,
    subject_hash: &[u8],
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO identities (tenant, id, person, subject_hash, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, subject_hash) DO NOTHING",
    )
    .bind(tx.tenant().as_str())
    .bind(identity.id.to_string())
    .bind(identity.person.to_string())
    .bind(subject_hash)
    .bind(identity.created_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Who an issuer's subject is.
pub(crate) async fn find(tx: &mut TenantTx, subject_hash: &[u8]) -> Result<Option<Identity>, StoreError> {
    let row =
        sqlx::query("SELECT id, person, created_at FROM identities WHERE tenant = $1 AND subject_hash = $2")
            .bind(tx.tenant().as_str())
            .bind(subject_hash)
            .fetch_optional(tx.connection())
            .await?;
    row.as_ref().map(identity).transpose()
}

/// How a person signs in, oldest first.
pub(crate) async fn of(tx: &mut TenantTx, person: PersonId) -> Result<Vec<Identity>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, person, created_at FROM identities WHERE tenant = $1 AND person = $2 ORDER BY created_at, id",
    )
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(identity).collect()
}

/// Unlinks one; false if the person has none of this id.
pub(crate) async fn delete(tx: &mut TenantTx, person: PersonId, id: IdentityId) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM identities WHERE tenant = $1 AND person = $2 AND id = $3")
        .bind(tx.tenant().as_str())
        .bind(person.to_string())
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Unlinks all of a person's.
pub(crate) async fn delete_about(tx: &mut TenantTx, person: PersonId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM identities WHERE tenant = $1 AND person = $2")
        .bind(tx.tenant().as_str())
        .bind(person.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

fn identity(row: &sqlx::any::AnyRow) -> Result<Identity, StoreError> {
    let id = row.try_get::<&str, _>("id")?.parse();
    let person = row.try_get::<&str, _>("person")?.parse();
    Ok(Identity {
        id: id.map_err(|_| StoreError::Malformed("an identity's id"))?,
        person: person.map_err(|_| StoreError::Malformed("a person's id"))?,
        created_at_ms: row.try_get("created_at")?,
    })
}
