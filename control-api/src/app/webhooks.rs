//! Webhooks: where a tenant has messages sent, and leaving one with the act that it tells of.

use media_model::Pii;

use super::{ControlApi, by, now_ms, random_bytes, record};
use crate::{
    StoreError,
    audit::{Action, Entry, Object, Outcome},
    auth::Caller,
    keys::Place,
    limits::{DEAD_LETTERS_LISTED_MAX, WEBHOOKS_MAX},
    permissions::Act,
    problem::Problem,
    rfc3339::rfc3339,
    store::{self, TenantTx, outbox::DeadLetter, webhooks},
    webhooks::{Event, EventKind, EventKinds, MessageId, WebhookId, WebhookSecret, WebhookUrl},
};

/// A webhook as its tenant is told of it.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub id: WebhookId,
    pub url: Pii<String>,
    pub events: EventKinds,
    pub created_at_ms: i64,
    pub gone_at_ms: Option<i64>,
}

/// A webhook that was just made, and the secret of its signatures.
#[derive(Debug, Clone)]
pub(crate) struct NewWebhook {
    pub webhook: Webhook,
    pub secret: Pii<String>,
}

/// A message that is on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent(pub MessageId);

/// What a clinic's systems are told of something that signaling saw.
pub(super) fn event_of(entry: &Entry) -> Option<Event> {
    let kind = match (entry.action, entry.outcome) {
        (Action::Joined, Outcome::Granted) => EventKind::ParticipantJoined,
        (Action::Waited, Outcome::Granted) => EventKind::ParticipantWaiting,
        (Action::Left, Outcome::Granted) => EventKind::ParticipantLeft,
        _ => return None,
    };
    let person = entry.person_id.as_ref().and_then(|id| id.reveal().parse().ok());
    Some(Event { consult: entry.consult, person, role: entry.role, ..Event::of(kind) })
}

/// What was done with which webhook.
fn managed(caller: &Caller, what: &'static str, id: WebhookId) -> Entry {
    let (detail, object) = (Some(what), Some(Object::Webhook(id)));
    Entry { detail, object, ..by(caller, Action::Asked(Act::ManageWebhooks)) }
}

impl ControlApi {
    /// Makes a webhook, and its secret, which is told this once.
    pub(crate) async fn create_webhook(
        &self,
        caller: Caller,
        url: WebhookUrl,
        events: EventKinds,
    ) -> Result<NewWebhook, Problem> {
        self.permit(&caller, Act::ManageWebhooks).await?;
        let (id, secret, now_ms) = (WebhookId::from_bytes(random_bytes()), WebhookSecret::draw(), now_ms());
        let mut act = self.begin(&caller).await?;
        if webhooks::all(&mut act).await?.len() >= WEBHOOKS_MAX {
            return Err(Problem::TooMany);
        }
        let row = webhooks::Webhook {
            id,
            url: self.seal_webhook(&mut act, id, "url", url.reveal().as_str().as_bytes()).await?,
            secret: self.seal_webhook(&mut act, id, "secret", secret.as_bytes()).await?,
            events: events.clone(),
            created_at_ms: now_ms,
            gone_at_ms: None,
        };
        webhooks::insert(&mut act, &row).await?;
        record(&mut act, &managed(&caller, "webhook_created", id)).await?;
        let url = Pii::new(url.reveal().to_string());
        let webhook = Webhook { id, url, events, created_at_ms: now_ms, gone_at_ms: None };
        self.keep(act, &caller, NewWebhook { webhook, secret: secret.reveal() }).await
    }

    /// The tenant's webhooks, the oldest first.
    pub(crate) async fn webhooks(&self, caller: Caller) -> Result<Vec<Webhook>, Problem> {
        self.permit(&caller, Act::SeeWebhooks).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let rows = webhooks::all(&mut tx).await?;
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id.to_string();
            let place = Place { tenant: caller.tenant, table: "webhooks", row: &id, column: "url" };
            let url = self.vault.with_keys(&mut tx, |keys| keys.open_text(&place, &row.url)).await?;
            let (events, created_at_ms, gone_at_ms) = (row.events, row.created_at_ms, row.gone_at_ms);
            told.push(Webhook { id: row.id, url, events, created_at_ms, gone_at_ms });
        }
        drop(tx);
        self.note_read(caller.tenant, &by(&caller, Action::Asked(Act::SeeWebhooks))).await?;
        Ok(told)
    }

    /// Takes a webhook away, with what still waits for it.
    pub(crate) async fn delete_webhook(&self, caller: Caller, id: WebhookId) -> Result<(), Problem> {
        self.permit(&caller, Act::ManageWebhooks).await?;
        let mut act = self.begin(&caller).await?;
        if !webhooks::delete(&mut act, id).await? {
            return Err(Problem::NotFound);
        }
        record(&mut act, &managed(&caller, "webhook_deleted", id)).await?;
        self.keep(act, &caller, ()).await
    }

    /// Sends a message that says nothing, to see whether it arrives. A receiver that wanted no more is tried again.
    pub(crate) async fn test_webhook(&self, caller: Caller, id: WebhookId) -> Result<Sent, Problem> {
        self.permit(&caller, Act::ManageWebhooks).await?;
        let (message, now_ms) = (MessageId::from_bytes(random_bytes()), now_ms());
        let event = Event::of(EventKind::WebhookTested);
        let mut act = self.begin(&caller).await?;
        webhooks::find(&mut act, id).await?.ok_or(Problem::NotFound)?;
        webhooks::set_gone(&mut act, id, None).await?;
        let body = event.body(&rfc3339(now_ms));
        store::outbox::add_for(&mut act, id, message, event.kind, &body, now_ms).await?;
        record(&mut act, &managed(&caller, "webhook_tested", id)).await?;
        let sent = self.keep(act, &caller, Sent(message)).await?;
        self.due.note(caller.tenant, now_ms);
        Ok(sent)
    }

    /// The newest messages of a webhook that were given up.
    pub(crate) async fn dead_letters(
        &self,
        caller: Caller,
        id: WebhookId,
    ) -> Result<Vec<DeadLetter>, Problem> {
        self.permit(&caller, Act::SeeWebhooks).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        webhooks::find(&mut tx, id).await?.ok_or(Problem::NotFound)?;
        let letters = store::outbox::dead(&mut tx, id, DEAD_LETTERS_LISTED_MAX).await?;
        drop(tx);
        let object = Some(Object::Webhook(id));
        let entry = Entry { object, ..by(&caller, Action::Asked(Act::SeeWebhooks)) };
        self.note_read(caller.tenant, &entry).await?;
        Ok(letters)
    }

    /// Has a message sent again that was given up. A receiver that wanted no more is tried again.
    pub(crate) async fn retry_dead_letter(
        &self,
        caller: Caller,
        webhook: WebhookId,
        id: MessageId,
    ) -> Result<Sent, Problem> {
        self.permit(&caller, Act::ManageWebhooks).await?;
        let now_ms = now_ms();
        let mut act = self.begin(&caller).await?;
        if !store::outbox::revive(&mut act, webhook, id, now_ms).await? {
            return Err(Problem::NotFound);
        }
        webhooks::set_gone(&mut act, webhook, None).await?;
        record(&mut act, &managed(&caller, "dead_letter_retried", webhook)).await?;
        let sent = self.keep(act, &caller, Sent(id)).await?;
        self.due.note(caller.tenant, now_ms);
        Ok(sent)
    }

    /// Leaves a message of this event, in the act's own transaction.
    pub(super) async fn tell(
        &self,
        act: &mut TenantTx,
        event: &Event,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let body = event.body(&rfc3339(now_ms));
        let id = MessageId::from_bytes(random_bytes());
        if store::outbox::add(act, id, event.kind, &body, now_ms).await? > 0 {
            // Looked at too early, it is not there yet, and is looked for again.
            self.due.note(act.tenant(), now_ms);
        }
        Ok(())
    }

    async fn seal_webhook(
        &self,
        act: &mut TenantTx,
        id: WebhookId,
        column: &'static str,
        value: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let row = id.to_string();
        let place = Place { tenant: act.tenant(), table: "webhooks", row: &row, column };
        self.vault.with_keys(act, |keys| keys.seal(&place, value)).await
    }
}
