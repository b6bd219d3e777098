//! Tables `people` and `person_keys`.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::{
    ids::PersonId,
    keys::{KeyVersion, StoredPersonKey},
};

/// A person on their way into the tables. Everything but the id is sealed or hashed.
#[derive(Debug)]
pub(crate) struct NewPerson<'a> {
    pub id: PersonId,
    pub external_hash: &'a [u8],
    pub external_id: &'a [u8],
    pub key: &'a StoredPersonKey,
}

/// The person whose id of the EHR's has this hash.
pub(crate) async fn find(tx: &mut TenantTx, external_hash: &[u8]) -> Result<Option<PersonId>, StoreError> {
    let row = sqlx::query("SELECT id FROM people WHERE tenant = $1 AND external_hash = $2")
        .bind(tx.tenant().as_str())
        .bind(external_hash)
        .fetch_optional(tx.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id = row.try_get::<&str, _>("id")?.parse().map_err(|_| StoreError::Malformed("a person's id"))?;
    Ok(Some(id))
}

/// Keeps a person, with their first key; false if another transaction was faster with the same one.
pub(crate) async fn insert(
    tx: &mut TenantTx,
    person: &NewPerson<'_>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO people (tenant, id, external_hash, external_id, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, external_hash) DO NOTHING",
    )
    .bind(tx.tenant().as_str())
    .bind(person.id.to_string())
    .bind(person.external_hash)
    .bind(person.external_id)
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("INSERT INTO person_keys (tenant, person, version, wrapped) VALUES ($1, $2, $3, $4)")
        .bind(tx.tenant().as_str())
        .bind(person.id.to_string())
        .bind(i64::from(person.key.version))
        .bind(person.key.wrapped.as_deref())
        .execute(tx.connection())
        .await?;
    Ok(true)
}

/// What is kept of a person.
#[derive(Debug)]
pub(crate) struct Person {
    pub external_id: Vec<u8>,
    pub created_at_ms: i64,
    pub erased_at_ms: Option<i64>,
    pub keys: Vec<StoredPersonKey>,
}

pub(crate) async fn load(tx: &mut TenantTx, id: PersonId) -> Result<Option<Person>, StoreError> {
    let row =
        sqlx::query("SELECT external_id, created_at, erased_at FROM people WHERE tenant = $1 AND id = $2")
            .bind(tx.tenant().as_str())
            .bind(id.to_string())
            .fetch_optional(tx.connection())
            .await?;
    let Some(row) = row else { return Ok(None) };
    let keys = sqlx::query("SELECT version, wrapped FROM person_keys WHERE tenant = $1 AND person = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .fetch_all(tx.connection())
        .await?;
    let key = |row: &sqlx::any::AnyRow| {
        let version = KeyVersion::try_from(row.try_get::<i64, _>("version")?)?;
        Ok::<_, StoreError>(StoredPersonKey { version, wrapped: row.try_get("wrapped")? })
    };
    Ok(Some(Person {
        external_id: row.try_get("external_id")?,
        created_at_ms: row.try_get("created_at")?,
        erased_at_ms: row.try_get("erased_at")?,
        keys: keys.iter().map(key).collect::<Result<_, _>>()?,
    }))
}

/// Takes away what a person could be found and read by; false if there is no such person, or nothing left of them.
pub(crate) async fn erase(tx: &mut TenantTx, id: PersonId, now_ms: i64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE people SET external_hash = NULL, erased_at = $3 WHERE tenant = $1 AND id = $2 AND erased_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    super::kept_answers::delete_about(tx, id).await?;
    sqlx::query("UPDATE person_keys SET wrapped = NULL WHERE tenant = $1 AND person = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(true)
}
