//! Sends webhooks' messages until they are taken or given up. Each is sent at least once; two processes share the work, as an
//! attempt is claimed in the database before it is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use media_model::TenantId;

use super::{ControlApi, now_ms, random_bytes};
use crate::{
    StoreError,
    keys::{Place, TenantKeys},
    limits::{
        DEAD_LETTERS_KEPT, WEBHOOK_BATCH_MESSAGES_MAX, WEBHOOK_INTERVAL, WEBHOOK_LEASE,
        WEBHOOK_SWEEP_INTERVAL, WEBHOOK_TENANTS_MAX,
    },
    store::{self, outbox::Message},
    webhooks::{NotSent, WebhookSecret, WebhookSender, WebhookUrl, pause_after},
};

/// What a receiver answers that wants no more messages (Standard Webhooks, RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// When each tenant's next message is due, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<Agenda>);

#[derive(Debug, Default)]
struct Agenda {
    due: BTreeMap<TenantId, i64>,
    /// Tenants whose messages are under way.
    busy: BTreeSet<TenantId>,
}

impl Due {
    /// A message is due then, or will be once its act is committed.
    pub fn note(&self, tenant: TenantId, due_at_ms: i64) {
        let mut agenda = self.lock();
        let due = agenda.due.entry(tenant).or_insert(due_at_ms);
        *due = due_at_ms.min(*due);
    }

    /// Takes a tenant who has something due and whom nobody is busy with.
    fn take(&self, now_ms: i64) -> Option<TenantId> {
        let mut agenda = self.lock();
        if agenda.busy.len() >= WEBHOOK_TENANTS_MAX {
            return None;
        }
        let is_free = |tenant: &TenantId| !agenda.busy.contains(tenant);
        let mut due = agenda.due.iter().filter(|(tenant, at)| **at <= now_ms && is_free(tenant));
        let tenant = due.next().map(|(tenant, _)| *tenant)?;
        agenda.due.remove(&tenant);
        agenda.busy.insert(tenant);
        Some(tenant)
    }

    fn done(&self, tenant: TenantId) {
        self.lock().busy.remove(&tenant);
    }

    fn lock(&self) -> MutexGuard<'_, Agenda> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an attempt went.
#[derive(Debug, Clone, Copy)]
enum Attempt {
    Taken,
    Gone,
    Refused(u16),
    NotSent(NotSent),
}

impl ControlApi {
    /// Sends messages for as long as the process lives.
    pub async fn keep_delivering(self, sender: WebhookSender) {
        let mut since_sweep = WEBHOOK_SWEEP_INTERVAL;
        loop {
            if since_sweep >= WEBHOOK_SWEEP_INTERVAL {
                since_sweep = Duration::ZERO;
                if let Err(error) = self.sweep_outboxes().await {
                    tracing::warn!(%error, "tenants cannot be asked for messages to their webhooks");
                }
            }
            while let Some(tenant) = self.due.take(now_ms()) {
                let (api, sender) = (self.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Err(error) = api.deliver_due(tenant, &sender).await {
                        tracing::warn!(%tenant, %error, "messages to webhooks wait for the database");
                        api.due.note(tenant, now_ms() + WEBHOOK_LEASE.as_millis() as i64);
                    }
                    api.due.done(tenant);
                });
            }
            tokio::time::sleep(WEBHOOK_INTERVAL).await;
            since_sweep += WEBHOOK_INTERVAL;
        }
    }

    /// Looks for messages of which this process does not know, and forgets old dead letters.
    async fn sweep_outboxes(&self) -> Result<(), StoreError> {
        let forgotten_ms = now_ms() - DEAD_LETTERS_KEPT.as_millis() as i64;
        for tenant in self.store.tenants().await? {
            let mut tx = self.store.read(tenant).await?;
            if let Some(due_at_ms) = store::outbox::next_due_ms(&mut tx).await? {
                self.due.note(tenant, due_at_ms);
            }
            if store::outbox::has_dead(&mut tx, forgotten_ms).await? {
                drop(tx);
                let mut tx = self.store.begin(tenant).await?;
                store::outbox::forget_dead(&mut tx, forgotten_ms).await?;
                self.store.commit(tx).await?;
            }
        }
        Ok(())
    }

    /// Sends everything of a tenant that is due, some messages at a time.
    pub async fn deliver_due(&self, tenant: TenantId, sender: &WebhookSender) -> Result<(), StoreError> {
        loop {
            let (now_ms, until_ms) = (now_ms(), now_ms() + WEBHOOK_LEASE.as_millis() as i64);
            let mut tx = self.store.begin(tenant).await?;
            let claimed = store::outbox::claim(&mut tx, now_ms, until_ms, WEBHOOK_BATCH_MESSAGES_MAX).await?;
            self.store.commit(tx).await?;
            if claimed.is_empty() {
                let mut tx = self.store.read(tenant).await?;
                if let Some(due_at_ms) = store::outbox::next_due_ms(&mut tx).await? {
                    self.due.note(tenant, due_at_ms);
                }
                return Ok(());
            }
            // Each is settled as soon as it is answered: a receiver that is slow holds up what follows, not what is done.
            let all = claimed.iter().map(|message| self.deliver(tenant, message, sender));
            join_all(all).await.into_iter().collect::<Result<(), _>>()?;
        }
    }

    /// Makes one attempt, and puts down how it went.
    async fn deliver(
        &self,
        tenant: TenantId,
        message: &Message,
        sender: &WebhookSender,
    ) -> Result<(), StoreError> {
        let Some(attempt) = self.attempt(tenant, message, sender).await? else { return Ok(()) };
        let now_ms = now_ms();
        let mut tx = self.store.begin(tenant).await?;
        match attempt {
            Attempt::Taken => store::outbox::remove(&mut tx, message).await?,
            Attempt::Gone => {
                store::webhooks::set_gone(&mut tx, message.webhook, Some(now_ms)).await?;
                store::outbox::put_off(&mut tx, message, Some(GONE), None, now_ms).await?;
                store::outbox::give_up_all(&mut tx, message.webhook, now_ms).await?;
            }
            Attempt::Refused(status) => put_off(&mut tx, message, Some(status)).await?,
            Attempt::NotSent(_) => put_off(&mut tx, message, None).await?,
        }
        self.store.commit(tx).await
    }

    /// One attempt; nothing if the webhook is gone meanwhile.
    async fn attempt(
        &self,
        tenant: TenantId,
        message: &Message,
        sender: &WebhookSender,
    ) -> Result<Option<Attempt>, StoreError> {
        let mut tx = self.store.read(tenant).await?;
        let Some(webhook) = store::webhooks::find(&mut tx, message.webhook).await? else { return Ok(None) };
        // Since this message was claimed, or while it waited for another attempt.
        if webhook.gone_at_ms.is_some() {
            return Ok(Some(Attempt::Gone));
        }
        let row = webhook.id.to_string();
        let place = |column| Place { tenant, table: "webhooks", row: &row, column };
        let open = |keys: &TenantKeys| {
            Ok((keys.open_text(&place("url"), &webhook.url)?, keys.open(&place("secret"), &webhook.secret)?))
        };
        let (url, secret) = self.vault.with_keys(&mut tx, open).await?;
        drop(tx);
        let secret =
            WebhookSecret::from_slice(secret.reveal()).ok_or(StoreError::Malformed("a webhook's secret"))?;
        // What was allowed when it was made may be so no longer.
        let Some(url) = WebhookUrl::parse(url.reveal(), sender.allowed()) else {
            return Ok(Some(Attempt::NotSent(NotSent::AddressRefused)));
        };
        let sent = sender.send(&url, &secret, message.id, now_ms() / 1_000, message.body.clone()).await;
        let attempt = match sent {
            Ok(200..=299) => Attempt::Taken,
            Ok(GONE) => Attempt::Gone,
            Ok(status) => Attempt::Refused(status),
            Err(fault) => Attempt::NotSent(fault),
        };
        let (webhook, attempts) = (webhook.id, message.attempts);
        match attempt {
            Attempt::Taken => {}
            Attempt::Gone => {
                tracing::warn!(%tenant, %webhook, "a webhook wants no more messages: it is sent none");
            }
            Attempt::Refused(status) => {
                tracing::info!(%tenant, %webhook, attempts, status, "a webhook refused a message");
            }
            Attempt::NotSent(fault) => {
                tracing::info!(%tenant, %webhook, attempts, %fault, "a message did not reach a webhook");
            }
        }
        Ok(Some(attempt))
    }
}

async fn put_off(tx: &mut store::TenantTx, message: &Message, status: Option<u16>) -> Result<(), StoreError> {
    let [lot, ..] = random_bytes();
    let now_ms = now_ms();
    let due_at_ms = pause_after(message.attempts, lot).map(|pause| now_ms + pause.as_millis() as i64);
    store::outbox::put_off(tx, message, status, due_at_ms, now_ms).await
}
