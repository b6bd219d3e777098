//! HTTP: one file a noun. Parses requests into types, leaves the rules to `app/`.

mod appointments;
mod consults;
mod people;
mod tickets;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
    routing::{delete, get, post, put},
};
use serde::de::DeserializeOwned;

use crate::{ApiKey, ControlApi, audit::Actor, auth::Caller, limits, problem::Problem};

impl ControlApi {
    /// The routes under `/v1` that belong to the control API.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/people", post(people::register))
            .route("/v1/people/{person}", get(people::read).delete(people::erase))
            .route(
                "/v1/people/{person}/consents/telehealth",
                put(appointments::give_consent).delete(appointments::withdraw_consent),
            )
            .route("/v1/appointments", post(appointments::book))
            .route("/v1/appointments/{appointment}", get(appointments::read))
            .route("/v1/appointments/{appointment}/move", post(appointments::r#move))
            .route("/v1/appointments/{appointment}/{change}", post(appointments::change))
            .route("/v1/consults", post(consults::create))
            .route("/v1/consults/{consult}/end", post(consults::end))
            .route("/v1/consults/{consult}/tickets", post(tickets::mint))
            .route("/v1/consults/{consult}/tickets/{ticket}", delete(tickets::revoke))
            .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
            .with_state(self.clone())
    }
}

impl FromRequestParts<ControlApi> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &ControlApi) -> Result<Self, Problem> {
        let key = ApiKey::from_headers(&parts.headers).ok_or(Problem::Unauthorized)?;
        let client = api.client_of(&key).await?.ok_or(Problem::Unauthorized)?;
        Ok(Self { tenant: key.tenant(), actor: Actor::ApiClient(client.id), scopes: client.scopes })
    }
}

/// A JSON body, or the problem with it.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(JsonRejection::BytesRejection(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::BodyTooLarge)
            }
            Err(_) => Err(Problem::BodyMalformed),
        }
    }
}

/// Milliseconds since 1970 as RFC 3339 text in UTC, as every time in the API is written.
pub(crate) fn rfc3339(ms: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_default()
}
