//! HTTP: one file a noun. Parses requests into types, leaves the rules to `app/`.
//!
//! Each noun lists its operations ([`operation::Operation`]). Of that list both the router and the OpenAPI document are made.

mod appointments;
mod audit;
mod break_glass;
mod chat;
mod clients;
mod consents;
mod consults;
mod cookies;
mod cors;
mod direct_consults;
mod document;
mod door;
mod guest_links;
mod holds;
mod identities;
mod oauth;
mod operation;
mod origins;
mod page;
mod patient_appointments;
mod people;
mod query;
mod roles;
mod schema;
mod session;
mod sign_in;
mod sign_in_page;
mod tickets;
mod visits;
mod webhooks;

use std::collections::BTreeSet;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
    middleware,
    routing::{get, post},
};
use serde::de::DeserializeOwned;

use crate::{ControlApi, auth::Caller, limits, permissions, problem::Problem, rfc3339::rfc3339};
use door::Gate;
use operation::Operation;

/// What there is below `/v1`.
fn operations() -> Vec<Operation> {
    [
        people::operations(),
        identities::operations(),
        roles::operations(),
        consents::operations(),
        appointments::operations(),
        patient_appointments::operations(),
        consults::operations(),
        chat::operations(),
        tickets::operations(),
        guest_links::operations(),
        visits::operations(),
        webhooks::operations(),
        origins::operations(),
        direct_consults::operations(),
        audit::operations(),
        holds::operations(),
        break_glass::operations(),
        clients::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The OpenAPI 3.1 document of the control API, as JSON.
pub fn openapi() -> &'static str {
    &document::DOCUMENT
}

impl ControlApi {
    /// The routes under `/v1` that belong to the control API.
    pub fn router(&self) -> Router {
        let add = |router: Router<Self>, operation: Operation| {
            let gate = Gate { api: self.clone(), act: operation.act, status: operation.gives.0 };
            let admit = middleware::from_fn_with_state(gate, door::admit);
            router.route(operation.path, operation.handler.route_layer(admit))
        };
        let is_for_visitors = |operation: &Operation| permissions::is_for_visitors(operation.act);
        let paths: BTreeSet<_> =
            operations().iter().filter(|operation| is_for_visitors(operation)).map(|one| one.path).collect();
        let (of_visits, others): (Vec<_>, Vec<_>) =
            operations().into_iter().partition(|operation| paths.contains(operation.path));
        let guard = middleware::from_fn_with_state(self.clone(), cors::guard_visits);
        of_visits
            .into_iter()
            .fold(Router::new(), add)
            .layer(guard)
            .merge(others.into_iter().fold(Router::new(), add))
            .route(oauth::PATH, post(oauth::token))
            .route(
                guest_links::REDEEM,
                post(guest_links::redeem).layer(middleware::from_fn_with_state(self.clone(), cors::guard)),
            )
            .route(sign_in::START, get(sign_in::start))
            .route(sign_in::CALLBACK, get(sign_in::come_back))
            .route(session::SESSION, get(session::read))
            .route(session::SIGN_OUT, post(session::sign_out))
            .route(session::SIGNED_IN, get(session::signed_in))
            .route(session::SIGNED_OUT, get(session::signed_out))
            .route("/v1/openapi.json", get(page::openapi))
            .route("/v1/docs", get(page::docs))
            .route("/v1/docs/page.css", get(page::style))
            .layer(middleware::from_fn_with_state(self.clone(), door::announce))
            .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
            .with_state(self.clone())
    }
}

/// Whom the door let in.
impl FromRequestParts<ControlApi> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ControlApi) -> Result<Self, Problem> {
        parts.extensions.remove::<Self>().ok_or(Problem::Unauthorized)
    }
}

/// Ids in the path. One that does not look like one names nothing.
pub(crate) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(ids)| Self(ids)).map_err(|_| Problem::NotFound)
    }
}

/// A JSON body, or the problem with it.
pub(crate) struct Json<T>(pub T);

/// A JSON body, or what an empty one stands for, or the problem with it.
pub(crate) struct JsonOrNothing<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, limits::BODY_BYTES_MAX).await.map_err(|_| Problem::BodyTooLarge)?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        Json::from_request(request, state).await.map(|Json(body)| Self(body))
    }
}

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
