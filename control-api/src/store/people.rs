//! Tables `people` and `person_keys`.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::{
    ids::PersonId,
    keys::{Erasure, KeyVersion, StoredPersonKey},
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
    Ok(Some(Person {
        external_id: row.try_get("external_id")?,
        created_at_ms: row.try_get("created_at")?,
        erased_at_ms: row.try_get("erased_at")?,
        keys: keys.iter().map(key_of).collect::<Result<_, _>>()?,
    }))
}

/// Takes away what a person could be found and read by; false if that had been done, or there is no such person.
pub(crate) async fn erase(tx: &mut TenantTx, erasure: &Erasure) -> Result<bool, StoreError> {
    let (tenant, person) = (tx.tenant(), erasure.person.to_string());
    let done = sqlx::query(
        "UPDATE people SET external_hash = NULL, erased_at = $3 WHERE tenant = $1 AND id = $2 AND erased_at IS NULL",
    )
    .bind(tenant.as_str())
    .bind(person.as_str())
    .bind(erasure.at_ms)
    .execute(tx.connection())
    .await?;
    super::kept_answers::delete_about(tx, erasure.person).await?;
    sqlx::query("UPDATE person_keys SET wrapped = NULL WHERE tenant = $1 AND person = $2 AND version <= $3")
        .bind(tenant.as_str())
        .bind(person.as_str())
        .bind(i64::from(erasure.up_to_version))
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether nothing is left to erase.
pub(crate) async fn is_erased(tx: &mut TenantTx, erasure: &Erasure) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM people WHERE tenant = $1 AND id = $2 AND erased_at IS NULL)
              + (SELECT count(*) FROM person_keys
                  WHERE tenant = $1 AND person = $2 AND version <= $3 AND wrapped IS NOT NULL) AS remains",
    )
    .bind(tx.tenant().as_str())
    .bind(erasure.person.to_string())
    .bind(i64::from(erasure.up_to_version))
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get::<i64, _>("remains")? == 0)
}

/// People's keys after this one, in the order of person and version, without those that were erased.
pub(crate) async fn keys_after(
    tx: &mut TenantTx,
    after: Option<(PersonId, KeyVersion)>,
    keys_max: i64,
) -> Result<Vec<(PersonId, StoredPersonKey)>, StoreError> {
    let (person, version) =
        after.map_or((String::new(), 0), |(person, version)| (person.to_string(), version.into()));
    let rows = sqlx::query(
        "SELECT person, version, wrapped FROM person_keys
         WHERE tenant = $1 AND wrapped IS NOT NULL AND (person > $2 OR (person = $2 AND version > $3))
         ORDER BY person, version LIMIT $4",
    )
    .bind(tx.tenant().as_str())
    .bind(person)
    .bind(version)
    .bind(keys_max)
    .fetch_all(tx.connection())
    .await?;
    let key = |row: &sqlx::any::AnyRow| {
        let person = row.try_get::<&str, _>("person")?.parse();
        Ok((person.map_err(|_| StoreError::Malformed("a person's id"))?, key_of(row)?))
    };
    rows.iter().map(key).collect()
}

/// Puts a key's new form in the place of the one that was read; false if that is no longer there.
pub(crate) async fn replace_key(
    tx: &mut TenantTx,
    person: PersonId,
    read: &StoredPersonKey,
    again: &StoredPersonKey,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE person_keys SET wrapped = $5 WHERE tenant = $1 AND person = $2 AND version = $3 AND wrapped = $4",
    )
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .bind(i64::from(read.version))
    .bind(read.wrapped.as_deref())
    .bind(again.wrapped.as_deref())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

fn key_of(row: &sqlx::any::AnyRow) -> Result<StoredPersonKey, StoreError> {
    let version = KeyVersion::try_from(row.try_get::<i64, _>("version")?)?;
    Ok(StoredPersonKey { version, wrapped: row.try_get("wrapped")? })
}
