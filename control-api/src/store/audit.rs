//! Table `audit`: entries are added, never changed, never deleted.

use super::{StoreError, TenantTx};
use crate::audit::{Entry, unix_ms};

pub(crate) async fn insert(tx: &mut TenantTx, entry: &Entry) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit (tenant, at, action, outcome, actor, consult_id, participant, person_id, role, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tx.tenant().as_str())
    .bind(unix_ms(entry.at))
    .bind(entry.action.as_str())
    .bind(entry.outcome.as_str())
    .bind(entry.actor.to_string())
    .bind(entry.consult.map(|id| id.to_string()))
    .bind(entry.participant.map(|number| i64::from(number.csrc())))
    .bind(entry.person_id.as_ref().map(|id| id.reveal().as_str()))
    .bind(entry.role.map(|role| role.as_str()))
    .bind(entry.detail)
    .execute(tx.connection())
    .await?;
    Ok(())
}
