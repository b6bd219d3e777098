//! Tables `webhooks` and `webhook_events`.

use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::webhooks::{EventKinds, WebhookId};

/// A row of `webhooks`, with its events.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub id: WebhookId,
    /// Sealed.
    pub url: Vec<u8>,
    /// Sealed.
    pub secret: Vec<u8>,
    pub events: EventKinds,
    pub created_at_ms: i64,
    /// When the receiver said that it wants no more.
    pub gone_at_ms: Option<i64>,
}

pub(crate) async fn insert(tx: &mut TenantTx, webhook: &Webhook) -> Result<(), StoreError> {
    let tenant = tx.tenant();
    sqlx::query("INSERT INTO webhooks (tenant, id, url, secret, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant.as_str())
        .bind(webhook.id.to_string())
        .bind(webhook.url.as_slice())
        .bind(webhook.secret.as_slice())
        .bind(webhook.created_at_ms)
        .execute(tx.connection())
        .await?;
    for kind in webhook.events.iter() {
        sqlx::query("INSERT INTO webhook_events (tenant, webhook, kind) VALUES ($1, $2, $3)")
            .bind(tenant.as_str())
            .bind(webhook.id.to_string())
            .bind(kind.as_str())
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

/// All of the tenant's, oldest first.
pub(crate) async fn all(tx: &mut TenantTx) -> Result<Vec<Webhook>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, url, secret, created_at, gone_at FROM webhooks WHERE tenant = $1 ORDER BY created_at, id",
    )
    .bind(tx.tenant().as_str())
    .fetch_all(tx.connection())
    .await?;
    let mut webhooks = Vec::with_capacity(rows.len());
    for row in &rows {
        let id =
            row.try_get::<&str, _>("id")?.parse().map_err(|_| StoreError::Malformed("a webhook's id"))?;
        webhooks.push(webhook_of(row, id, events(tx, id).await?)?);
    }
    Ok(webhooks)
}

pub(crate) async fn find(tx: &mut TenantTx, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
    let row =
        sqlx::query("SELECT url, secret, created_at, gone_at FROM webhooks WHERE tenant = $1 AND id = $2")
            .bind(tx.tenant().as_str())
            .bind(id.to_string())
            .fetch_optional(tx.connection())
            .await?;
    let Some(row) = row else { return Ok(None) };
    let events = events(tx, id).await?;
    webhook_of(&row, id, events).map(Some)
}

/// Takes a webhook and its messages away; false if there is none.
pub(crate) async fn delete(tx: &mut TenantTx, id: WebhookId) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM webhooks WHERE tenant = $1 AND id = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that the receiver wants no more, or that it is to be tried again.
pub(crate) async fn set_gone(
    tx: &mut TenantTx,
    id: WebhookId,
    gone_at_ms: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE webhooks SET gone_at = $3 WHERE tenant = $1 AND id = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .bind(gone_at_ms)
        .execute(tx.connection())
        .await?;
    Ok(())
}

async fn events(tx: &mut TenantTx, id: WebhookId) -> Result<EventKinds, StoreError> {
    let rows = sqlx::query("SELECT kind FROM webhook_events WHERE tenant = $1 AND webhook = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .fetch_all(tx.connection())
        .await?;
    let kinds: Vec<&str> = rows.iter().map(|row| row.try_get("kind")).collect::<Result<_, _>>()?;
    EventKinds::parse(&kinds).ok_or(StoreError::Malformed("a webhook's events"))
}

fn webhook_of(row: &AnyRow, id: WebhookId, events: EventKinds) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id,
        url: row.try_get("url")?,
        secret: row.try_get("secret")?,
        events,
        created_at_ms: row.try_get("created_at")?,
        gone_at_ms: row.try_get("gone_at")?,
    })
}
