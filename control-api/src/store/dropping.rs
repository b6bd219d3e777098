//! The only way in which anything leaves the audit log: from its beginning, up to what was announced in the anchor file.

use sqlx::Row as _;

use super::{StoreError, TenantTx};
use crate::limits::DROP_BATCH_LINKS;

/// The first link that is there.
pub(crate) async fn first(tx: &mut TenantTx) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("SELECT min(seq) AS seq FROM audit_links WHERE tenant = $1")
        .bind(tx.tenant().as_str())
        .fetch_one(tx.connection())
        .await?;
    Ok(row.try_get("seq")?)
}

/// Deletes the first links up to a number, some of them, with their entries; how many that were. The database refuses what is
/// held, what the tenant keeps for longer, and the last link.
pub(crate) async fn drop_some(tx: &mut TenantTx, up_to: i64) -> Result<u64, StoreError> {
    if tx.has_row_security() {
        let row = sqlx::query("SELECT drop_audit($1, $2) AS dropped")
            .bind(up_to)
            .bind(DROP_BATCH_LINKS)
            .fetch_one(tx.connection())
            .await?;
        return Ok(row.try_get::<i64, _>("dropped")?.unsigned_abs());
    }
    drop_from_file(tx, up_to).await
}

/// The same where there are no functions, and no roles that could be given the right to call one.
async fn drop_from_file(tx: &mut TenantTx, up_to: i64) -> Result<u64, StoreError> {
    let tenant = tx.tenant();
    let row = sqlx::query(
        "SELECT max(seq) AS seq
           FROM (SELECT seq FROM audit_links WHERE tenant = $1 AND seq <= $2 ORDER BY seq LIMIT $3) AS firsts",
    )
    .bind(tenant.as_str())
    .bind(up_to)
    .bind(DROP_BATCH_LINKS)
    .fetch_one(tx.connection())
    .await?;
    let Some(last) = row.try_get::<Option<i64>, _>("seq")? else { return Ok(0) };
    // Entries go first: the trigger asks which link names them.
    sqlx::query("PRAGMA defer_foreign_keys = ON").execute(tx.connection()).await?;
    let mut deleted = 0;
    for statement in [
        "INSERT INTO audit_dropping (tenant, up_to) VALUES ($1, $2)",
        "DELETE FROM audit WHERE tenant = $1
            AND entry IN (SELECT entry FROM audit_links WHERE tenant = $1 AND seq <= $2)",
        "DELETE FROM audit_links WHERE tenant = $1 AND seq <= $2",
        "DELETE FROM audit_dropping WHERE tenant = $1 AND up_to = $2",
    ] {
        let done = sqlx::query(statement).bind(tenant.as_str()).bind(last).execute(tx.connection()).await?;
        if statement.starts_with("DELETE FROM audit_links") {
            deleted = done.rows_affected();
        }
    }
    Ok(deleted)
}
