//! Table `chat_lines`: lines are added, never changed, never deleted.

use media_model::{ConsultId, Role};
use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::ids::PersonId;

/// A row of `chat_lines`.
#[derive(Debug)]
pub(crate) struct Row {
    /// In the consult, from 1.
    pub number: i64,
    pub id: String,
    pub at_ms: i64,
    pub person: PersonId,
    pub role: Role,
    /// Under whose key the text is sealed.
    pub about: PersonId,
    pub text: Option<Vec<u8>>,
}

/// The number of the next line, for this transaction alone: others who write to the consult wait for its end. Nothing where there
/// is no such consult.
pub(crate) async fn next_number(tx: &mut TenantTx, consult: ConsultId) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "UPDATE consults SET chat_lines = chat_lines + 1 WHERE tenant = $1 AND id = $2 RETURNING chat_lines",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|row| row.try_get("chat_lines")).transpose()?)
}

pub(crate) async fn insert(tx: &mut TenantTx, consult: ConsultId, row: &Row) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO chat_lines (tenant, consult_id, number, entry, at, person, role, about, text)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .bind(row.number)
    .bind(row.id.as_str())
    .bind(row.at_ms)
    .bind(row.person.to_string())
    .bind(row.role.as_str())
    .bind(row.about.to_string())
    .bind(row.text.as_deref())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Lines of a consult after this number, in their order.
pub(crate) async fn after(
    tx: &mut TenantTx,
    consult: ConsultId,
    number: i64,
    lines_max: i64,
) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query(
        "SELECT number, entry, at, person, role, about, text FROM chat_lines
         WHERE tenant = $1 AND consult_id = $2 AND number > $3 ORDER BY number LIMIT $4",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .bind(number)
    .bind(lines_max)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(row_of).collect()
}

fn row_of(row: &AnyRow) -> Result<Row, StoreError> {
    let person = |column| {
        row.try_get::<&str, _>(column)?.parse().map_err(|_| StoreError::Malformed("who a line of chat is of"))
    };
    let role = row.try_get::<&str, _>("role")?.parse();
    Ok(Row {
        number: row.try_get("number")?,
        id: row.try_get("entry")?,
        at_ms: row.try_get("at")?,
        person: person("person")?,
        role: role.map_err(|_| StoreError::Malformed("a role"))?,
        about: person("about")?,
        text: row.try_get("text")?,
    })
}
