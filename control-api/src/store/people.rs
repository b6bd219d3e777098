//! Tables `people` and `person_keys`.

use media_model::Role;
use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::{
    ids::PersonId,
    keys::{Erasure, KeyVersion, StoredPersonKey},
    permissions::{self, TenantRole},
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
    pub display_name: Option<Vec<u8>>,
    pub created_at_ms: i64,
    pub erased_at_ms: Option<i64>,
    pub keys: Vec<StoredPersonKey>,
}

pub(crate) async fn load(tx: &mut TenantTx, id: PersonId) -> Result<Option<Person>, StoreError> {
    let row = sqlx::query(
        "SELECT external_id, display_name, created_at, erased_at FROM people WHERE tenant = $1 AND id = $2",
    )
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
        display_name: row.try_get("display_name")?,
        created_at_ms: row.try_get("created_at")?,
        erased_at_ms: row.try_get("erased_at")?,
        keys: keys.iter().map(key_of).collect::<Result<_, _>>()?,
    }))
}

/// Somebody who may act, as the permissions see them; without a second factor, which only a sign-in shows. `None` where
/// there is nobody of this id, or they were erased.
pub(crate) async fn person(
    tx: &mut TenantTx,
    id: PersonId,
) -> Result<Option<permissions::Person>, StoreError> {
    let row = sqlx::query(
        "SELECT standing, tenant_role FROM people WHERE tenant = $1 AND id = $2 AND erased_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let standing = row.try_get::<Option<&str>, _>("standing")?.map(str::parse::<Role>).transpose();
    let standing = standing.map_err(|_| StoreError::Malformed("what somebody is known as"))?;
    let tenant_role =
        row.try_get::<Option<&str>, _>("tenant_role")?.map(str::parse::<TenantRole>).transpose();
    let tenant_role = tenant_role.map_err(|_| StoreError::Malformed("a role for the tenant"))?;
    Ok(Some(permissions::Person { id, standing, tenant_role, mfa: false }))
}

/// Whether there is or was somebody of this id.
pub(crate) async fn is_known(tx: &mut TenantTx, id: PersonId) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM people WHERE tenant = $1 AND id = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .fetch_optional(tx.connection())
        .await?;
    Ok(row.is_some())
}

/// Puts down by which name others know somebody, sealed; false if there is nobody of this id.
pub(crate) async fn set_display_name(
    tx: &mut TenantTx,
    id: PersonId,
    name: Option<&[u8]>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE people SET display_name = $3 WHERE tenant = $1 AND id = $2 AND erased_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(name)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts down what somebody is known as and what they are for the tenant; false if there is nobody of this id.
pub(crate) async fn set_roles(tx: &mut TenantTx, person: &permissions::Person) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE people SET standing = $3, tenant_role = $4 WHERE tenant = $1 AND id = $2 AND erased_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(person.id.to_string())
    .bind(person.standing.map(Role::as_str))
    .bind(person.tenant_role.map(TenantRole::as_str))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes away what a person could be found and read by, their sessions apart; false if that had been done, or there is no such person.
pub(crate) async fn erase(tx: &mut TenantTx, erasure: &Erasure) -> Result<bool, StoreError> {
    let (tenant, person) = (tx.tenant(), erasure.person.to_string());
    let done = sqlx::query(
        "UPDATE people SET external_hash = NULL, display_name = NULL, standing = NULL, tenant_role = NULL, erased_at = $3
         WHERE tenant = $1 AND id = $2 AND erased_at IS NULL",
    )
    .bind(tenant.as_str())
    .bind(person.as_str())
    .bind(erasure.at_ms)
    .execute(tx.connection())
    .await?;
    super::kept_answers::delete_about(tx, erasure.person).await?;
    super::identities::delete_about(tx, erasure.person).await?;
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
