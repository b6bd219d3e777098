//! `/v1/webhooks`

use axum::{extract::State, http::StatusCode};
use media_model::Pii;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi,
    answer::Answer,
    app::webhooks::{NewWebhook, Sent, Webhook},
    auth::Caller,
    permissions::Act,
    problem::Problem,
    store::outbox::DeadLetter,
    webhooks::{EventKinds, MessageId, WebhookId, WebhookUrl},
};

/// A webhook to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewWebhook")]
pub(super) struct CreateBody {
    #[schemars(schema_with = "schema::webhook_url")]
    url: Pii<String>,
    /// What it is told of; without any, everything.
    #[serde(default)]
    #[schemars(schema_with = "schema::events")]
    events: Vec<String>,
}

/// A webhook, and the secret of its signatures, which is told this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedWebhook")]
pub(super) struct CreatedBody {
    #[serde(flatten)]
    webhook: WebhookBody,
    #[schemars(schema_with = "schema::webhook_secret")]
    secret: Pii<String>,
}

/// Where messages are sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(super) struct WebhookBody {
    #[schemars(schema_with = "schema::id")]
    id: WebhookId,
    #[schemars(schema_with = "schema::webhook_url")]
    url: Pii<String>,
    #[schemars(schema_with = "schema::events")]
    events: Vec<&'static str>,
    #[schemars(schema_with = "schema::utc")]
    created_at: String,
    /// When its receiver said that it wants no more.
    #[schemars(schema_with = "schema::utc_if_any")]
    gone_at: Option<String>,
}

/// The tenant's webhooks, the oldest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Webhooks")]
pub(super) struct WebhooksBody {
    webhooks: Vec<WebhookBody>,
}

/// Messages that were given up, the newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLetters")]
pub(super) struct DeadLettersBody {
    dead_letters: Vec<DeadLetterBody>,
}

/// A message that was given up.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLetter")]
struct DeadLetterBody {
    #[schemars(schema_with = "schema::id")]
    id: MessageId,
    #[schemars(schema_with = "schema::event")]
    event: &'static str,
    #[schemars(schema_with = "schema::utc")]
    created_at: String,
    #[schemars(schema_with = "schema::utc")]
    given_up_at: String,
    attempts: i64,
    /// HTTP status of the last answer, if there was one.
    status: Option<i64>,
}

/// A message that is on its way.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SentMessage")]
pub(super) struct MessageBody {
    #[schemars(schema_with = "schema::id")]
    message: MessageId,
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events.iter().map(|kind| kind.as_str()).collect(),
            created_at: rfc3339(webhook.created_at_ms),
            gone_at: webhook.gone_at_ms.map(rfc3339),
        }
    }
}

impl From<NewWebhook> for CreatedBody {
    fn from(new: NewWebhook) -> Self {
        Self { webhook: new.webhook.into(), secret: new.secret }
    }
}

impl Answer for NewWebhook {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&CreatedBody::from(self.clone())).ok()
    }
}

impl Answer for Sent {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&MessageBody { message: self.0 }).ok()
    }
}

impl From<DeadLetter> for DeadLetterBody {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            event: letter.kind.as_str(),
            created_at: rfc3339(letter.created_at_ms),
            given_up_at: rfc3339(letter.dead_at_ms),
            attempts: letter.attempts,
            status: letter.status,
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/v1/webhooks", list)
            .is("listWebhooks", Act::SeeWebhooks, "Lists where messages are sent")
            .gives::<WebhooksBody>(StatusCode::OK),
        Operation::post("/v1/webhooks", create)
            .is(
                "createWebhook",
                Act::ManageWebhooks,
                "Has messages about appointments and consults sent somewhere",
            )
            .takes::<CreateBody>()
            .gives::<CreatedBody>(StatusCode::CREATED)
            .refuses([Problem::TooMany]),
        Operation::delete("/v1/webhooks/{webhook}", delete).is(
            "deleteWebhook",
            Act::ManageWebhooks,
            "Takes a webhook away, and what waits for it",
        ),
        Operation::post("/v1/webhooks/{webhook}/test", test)
            .is(
                "testWebhook",
                Act::ManageWebhooks,
                "Sends a message that says nothing, to see whether it arrives",
            )
            .gives::<MessageBody>(StatusCode::ACCEPTED),
        Operation::get("/v1/webhooks/{webhook}/dead-letters", dead_letters)
            .is("listDeadLetters", Act::SeeWebhooks, "Lists messages that were given up")
            .gives::<DeadLettersBody>(StatusCode::OK),
        Operation::post("/v1/webhooks/{webhook}/dead-letters/{message}/retry", retry)
            .is("retryDeadLetter", Act::ManageWebhooks, "Sends a message again that was given up")
            .gives::<MessageBody>(StatusCode::ACCEPTED),
    ]
}

async fn create(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<CreateBody>,
) -> Result<(StatusCode, axum::Json<CreatedBody>), Problem> {
    let url = WebhookUrl::parse(body.url.reveal(), api.webhook_networks());
    let url = url.ok_or(Problem::FieldInvalid("url"))?;
    let events = EventKinds::parse(&body.events).ok_or(Problem::FieldInvalid("events"))?;
    let new = api.create_webhook(caller, url, events).await?;
    Ok((StatusCode::CREATED, axum::Json(new.into())))
}

async fn list(State(api): State<ControlApi>, caller: Caller) -> Result<axum::Json<WebhooksBody>, Problem> {
    let webhooks = api.webhooks(caller).await?.into_iter().map(WebhookBody::from).collect();
    Ok(axum::Json(WebhooksBody { webhooks }))
}

async fn delete(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(webhook): Path<WebhookId>,
) -> Result<StatusCode, Problem> {
    api.delete_webhook(caller, webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(webhook): Path<WebhookId>,
) -> Result<(StatusCode, axum::Json<MessageBody>), Problem> {
    let Sent(message) = api.test_webhook(caller, webhook).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(MessageBody { message })))
}

async fn dead_letters(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(webhook): Path<WebhookId>,
) -> Result<axum::Json<DeadLettersBody>, Problem> {
    let letters = api.dead_letters(caller, webhook).await?;
    Ok(axum::Json(DeadLettersBody { dead_letters: letters.into_iter().map(DeadLetterBody::from).collect() }))
}

async fn retry(
    State(api): State<ControlApi>,
    caller: Caller,
    Path((webhook, message)): Path<(WebhookId, MessageId)>,
) -> Result<(StatusCode, axum::Json<MessageBody>), Problem> {
    let Sent(message) = api.retry_dead_letter(caller, webhook, message).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(MessageBody { message })))
}
