//! Table `webhook_outbox`: messages that were not taken yet. One is there from the commit of the act that it tells of.

use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::webhooks::{EventKind, MessageId, WebhookId};

/// A message that is to be sent.
#[derive(Debug)]
pub(crate) struct Message {
    pub webhook: WebhookId,
    pub id: MessageId,
    pub body: String,
    /// Made so far, the one that begins now included.
    pub attempts: u32,
}

/// A message that was given up.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub id: MessageId,
    pub kind: EventKind,
    pub created_at_ms: i64,
    pub dead_at_ms: i64,
    pub attempts: i64,
    /// Of the last answer, if there was one.
    pub status: Option<i64>,
}

/// Leaves a message for each webhook of the tenant that is for such events; how many those are.
pub(crate) async fn add(
    tx: &mut TenantTx,
    id: MessageId,
    kind: EventKind,
    body: &str,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO webhook_outbox (tenant, webhook, id, kind, body, created_at, attempts, due_at)
         SELECT w.tenant, w.id, $2, e.kind, $4, $5, 0, $5
         FROM webhook_events e JOIN webhooks w ON w.tenant = e.tenant AND w.id = e.webhook
         WHERE e.tenant = $1 AND e.kind = $3 AND w.gone_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(kind.as_str())
    .bind(body)
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Leaves a message for this webhook alone.
pub(crate) async fn add_for(
    tx: &mut TenantTx,
    webhook: WebhookId,
    id: MessageId,
    kind: EventKind,
    body: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO webhook_outbox (tenant, webhook, id, kind, body, created_at, attempts, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $6)",
    )
    .bind(tx.tenant().as_str())
    .bind(webhook.to_string())
    .bind(id.to_string())
    .bind(kind.as_str())
    .bind(body)
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// When the next message is due.
pub(crate) async fn next_due_ms(tx: &mut TenantTx) -> Result<Option<i64>, StoreError> {
    let row =
        sqlx::query("SELECT min(due_at) AS due FROM webhook_outbox WHERE tenant = $1 AND dead_at IS NULL")
            .bind(tx.tenant().as_str())
            .fetch_one(tx.connection())
            .await?;
    Ok(row.try_get("due")?)
}

/// Takes messages that are due, for an attempt that is this process's alone until `until_ms`.
pub(crate) async fn claim(
    tx: &mut TenantTx,
    now_ms: i64,
    until_ms: i64,
    messages_max: i64,
) -> Result<Vec<Message>, StoreError> {
    let rows = sqlx::query(
        "SELECT webhook, id, body, attempts FROM webhook_outbox
         WHERE tenant = $1 AND dead_at IS NULL AND due_at <= $2 ORDER BY due_at LIMIT $3",
    )
    .bind(tx.tenant().as_str())
    .bind(now_ms)
    .bind(messages_max)
    .fetch_all(tx.connection())
    .await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let message = message_of(row)?;
        let done = sqlx::query(
            "UPDATE webhook_outbox SET due_at = $5, attempts = attempts + 1
             WHERE tenant = $1 AND webhook = $2 AND id = $3 AND dead_at IS NULL AND due_at <= $4",
        )
        .bind(tx.tenant().as_str())
        .bind(message.webhook.to_string())
        .bind(message.id.to_string())
        .bind(now_ms)
        .bind(until_ms)
        .execute(tx.connection())
        .await?;
        // Another process may have been faster.
        if done.rows_affected() == 1 {
            claimed.push(message);
        }
    }
    Ok(claimed)
}

/// The message was taken.
pub(crate) async fn remove(tx: &mut TenantTx, message: &Message) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM webhook_outbox WHERE tenant = $1 AND webhook = $2 AND id = $3")
        .bind(tx.tenant().as_str())
        .bind(message.webhook.to_string())
        .bind(message.id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The message was not taken: it is sent again at `due_at_ms`, or given up now.
pub(crate) async fn put_off(
    tx: &mut TenantTx,
    message: &Message,
    status: Option<u16>,
    due_at_ms: Option<i64>,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_outbox SET status = $4, due_at = $5, dead_at = $6
         WHERE tenant = $1 AND webhook = $2 AND id = $3",
    )
    .bind(tx.tenant().as_str())
    .bind(message.webhook.to_string())
    .bind(message.id.to_string())
    .bind(status.map(i64::from))
    .bind(due_at_ms.unwrap_or(now_ms))
    .bind(if due_at_ms.is_none() { Some(now_ms) } else { None })
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Gives up everything that waits for a webhook.
pub(crate) async fn give_up_all(
    tx: &mut TenantTx,
    webhook: WebhookId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_outbox SET dead_at = $3 WHERE tenant = $1 AND webhook = $2 AND dead_at IS NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(webhook.to_string())
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Messages of a webhook that were given up, the newest first.
pub(crate) async fn dead(
    tx: &mut TenantTx,
    webhook: WebhookId,
    letters_max: i64,
) -> Result<Vec<DeadLetter>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, kind, created_at, dead_at, attempts, status FROM webhook_outbox
         WHERE tenant = $1 AND webhook = $2 AND dead_at IS NOT NULL ORDER BY dead_at DESC, id LIMIT $3",
    )
    .bind(tx.tenant().as_str())
    .bind(webhook.to_string())
    .bind(letters_max)
    .fetch_all(tx.connection())
    .await?;
    let letter = |row: &AnyRow| {
        Ok(DeadLetter {
            id: row.try_get::<&str, _>("id")?.parse().map_err(|_| StoreError::Malformed("a message's id"))?,
            kind: row.try_get::<&str, _>("kind")?.parse().map_err(|_| StoreError::Malformed("an event"))?,
            created_at_ms: row.try_get("created_at")?,
            dead_at_ms: row.try_get("dead_at")?,
            attempts: row.try_get("attempts")?,
            status: row.try_get("status")?,
        })
    };
    rows.iter().map(letter).collect()
}

/// Has a message sent again that was given up; false if there is none.
pub(crate) async fn revive(
    tx: &mut TenantTx,
    webhook: WebhookId,
    id: MessageId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE webhook_outbox SET dead_at = NULL, attempts = 0, due_at = $4
         WHERE tenant = $1 AND webhook = $2 AND id = $3 AND dead_at IS NOT NULL",
    )
    .bind(tx.tenant().as_str())
    .bind(webhook.to_string())
    .bind(id.to_string())
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether messages were given up before this time.
pub(crate) async fn has_dead(tx: &mut TenantTx, before_ms: i64) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT id FROM webhook_outbox WHERE tenant = $1 AND dead_at < $2 LIMIT 1")
        .bind(tx.tenant().as_str())
        .bind(before_ms)
        .fetch_optional(tx.connection())
        .await?;
    Ok(row.is_some())
}

/// Forgets them.
pub(crate) async fn forget_dead(tx: &mut TenantTx, before_ms: i64) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM webhook_outbox WHERE tenant = $1 AND dead_at < $2")
        .bind(tx.tenant().as_str())
        .bind(before_ms)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected())
}

fn message_of(row: &AnyRow) -> Result<Message, StoreError> {
    let attempts = row.try_get::<i64, _>("attempts")?;
    Ok(Message {
        webhook: row
            .try_get::<&str, _>("webhook")?
            .parse()
            .map_err(|_| StoreError::Malformed("a webhook's id"))?,
        id: row.try_get::<&str, _>("id")?.parse().map_err(|_| StoreError::Malformed("a message's id"))?,
        body: row.try_get("body")?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX).saturating_add(1),
    })
}
