//! What a tenant's sealing keys have sealed, in whichever table: to be sealed anew, and to see which old key is still needed.

use sqlx::{AssertSqlSafe, Row as _};

use super::{StoreError, TenantTx};

/// How everything begins that one key has sealed.
pub(crate) type Header = [u8; 6];

/// A column with values under a tenant's own key.
#[derive(Debug)]
pub(crate) struct Column {
    pub table: &'static str,
    pub column: &'static str,
    /// What names a row; its bytes, in hexadecimal digits, are the place that a value is bound to, or its text is.
    row: &'static str,
    is_hash: bool,
}

/// All of them but the audit log's, which nobody may change.
pub(crate) const COLUMNS: [Column; 6] = [
    Column { table: "sign_in", column: "secret", row: "''", is_hash: false },
    Column { table: "webhooks", column: "url", row: "id", is_hash: false },
    Column { table: "webhooks", column: "secret", row: "id", is_hash: false },
    Column { table: "kept_answers", column: "answer", row: "key_hash", is_hash: true },
    Column { table: "audit_holds", column: "reason", row: "''", is_hash: false },
    Column { table: "signing_keys", column: "sealed", row: "name", is_hash: false },
];

/// A value, and where it is.
#[derive(Debug)]
pub(crate) struct Sealed {
    key: Key,
    /// The row, as it is bound to the value.
    pub row: String,
    pub sealed: Vec<u8>,
}

#[derive(Debug)]
enum Key {
    Text(String),
    Hash(Vec<u8>),
}

impl Column {
    /// Some values that do not begin so.
    pub async fn other_than(
        &self,
        tx: &mut TenantTx,
        header: Header,
        values_max: i64,
    ) -> Result<Vec<Sealed>, StoreError> {
        let Self { table, column, row, .. } = self;
        let statement = format!(
            "SELECT {row} AS place, {column} AS sealed FROM {table}
             WHERE tenant = $1 AND {column} IS NOT NULL AND substr({column}, 1, 6) <> $2 LIMIT $3"
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(tx.tenant().as_str())
            .bind(header.as_slice())
            .bind(values_max)
            .fetch_all(tx.connection())
            .await?;
        let value = |row: &sqlx::any::AnyRow| {
            let sealed = row.try_get("sealed")?;
            if self.is_hash {
                let hash: Vec<u8> = row.try_get("place")?;
                let row = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                return Ok(Sealed { key: Key::Hash(hash), row, sealed });
            }
            let text: String = row.try_get("place")?;
            Ok(Sealed { key: Key::Text(text.clone()), row: text, sealed })
        };
        rows.iter().map(value).collect()
    }

    /// Puts a value's new form in the place of the one that was read; false if that is no longer there.
    pub async fn replace(&self, tx: &mut TenantTx, read: &Sealed, again: &[u8]) -> Result<bool, StoreError> {
        let Self { table, column, row, .. } = self;
        let statement =
            format!("UPDATE {table} SET {column} = $4 WHERE tenant = $1 AND {row} = $2 AND {column} = $3");
        let update = sqlx::query(AssertSqlSafe(statement)).bind(tx.tenant().as_str());
        let update = match &read.key {
            Key::Text(text) => update.bind(text.as_str()),
            Key::Hash(hash) => update.bind(hash.as_slice()),
        };
        let done = update.bind(read.sealed.as_slice()).bind(again).execute(tx.connection()).await?;
        Ok(done.rows_affected() == 1)
    }
}

/// A table that holds something that a key has sealed: values, people's keys, or addresses of audit entries.
pub(crate) async fn needs(
    tx: &mut TenantTx,
    value: Header,
    person_key: Header,
) -> Result<Option<&'static str>, StoreError> {
    let columns = COLUMNS.iter().map(|of| (of.table, of.column, value));
    let others = [("person_keys", "wrapped", person_key), ("audit", "address", value)];
    for (table, column, header) in columns.chain(others) {
        let statement =
            format!("SELECT 1 FROM {table} WHERE tenant = $1 AND substr({column}, 1, 6) = $2 LIMIT 1");
        let found = sqlx::query(AssertSqlSafe(statement))
            .bind(tx.tenant().as_str())
            .bind(header.as_slice())
            .fetch_optional(tx.connection())
            .await?;
        if found.is_some() {
            return Ok(Some(table));
        }
    }
    Ok(None)
}
