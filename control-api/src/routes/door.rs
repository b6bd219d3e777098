//! What every request passes: it gets an id, is known by its key, and is answered as before where it was asked before.

use std::{net::SocketAddr, time::Instant};

use axum::{
    body::{Body, to_bytes},
    extract::{self, ConnectInfo, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use media_model::Pii;

use crate::{
    ApiKey, ControlApi,
    app::requests::Again,
    audit::RequestId,
    auth::Request,
    limits::{BODY_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX},
    permissions::Act,
    problem::Problem,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the door knows of the operation behind it.
#[derive(Clone)]
pub(super) struct Gate {
    pub api: ControlApi,
    pub act: Act,
    /// Of an answer when it was done.
    pub status: StatusCode,
}

/// Gives the request an id, which the answer, the audit log and nothing else has, and notes from where it came.
pub(super) async fn announce(
    State(api): State<ControlApi>,
    mut request: extract::Request,
    next: Next,
) -> Response {
    let id = RequestId::from_bytes(crate::app::random_bytes());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let address = peer.map(|peer| Pii::new(api.proxies().client(peer, request.headers())));
    request.extensions_mut().insert(Request { id, address, started: Instant::now() });
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Lets in who has a key.
pub(super) async fn admit(
    State(gate): State<Gate>,
    mut request: extract::Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = ApiKey::from_headers(request.headers()).ok_or(Problem::Unauthorized)?;
    let asked = request.extensions().get::<Request>().cloned().ok_or(Problem::StoredValueDamaged)?;
    let mut caller = gate.api.caller(&key, asked).await?;
    if request.method() == Method::GET || request.method() == Method::HEAD {
        request.extensions_mut().insert(caller);
        return Ok(next.run(request).await);
    }
    if let Some(key) = idempotency_key(request.headers())? {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Problem::BodyTooLarge)?;
        let route = format!("{} {}", parts.method, parts.uri.path());
        let status = gate.status.as_u16();
        gate.api.make_repeatable(&mut caller, &route, &key, &body, status).await?;
        request = extract::Request::from_parts(parts, Body::from(body));
    }
    if let Some(again) = gate.api.answer_again(&caller, gate.act).await? {
        return Ok(answer(again));
    }
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    if response.extensions().get() == Some(&Problem::IdempotencyKeyInUse) {
        // Another request with this key was done since we looked.
        if let Some(again) = gate.api.answer_again(&caller, gate.act).await? {
            return Ok(answer(again));
        }
    }
    Ok(response)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = values.next() else { return Ok(None) };
    let bytes = key.as_bytes();
    let is_sound = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&bytes.len())
        && bytes.iter().all(u8::is_ascii_graphic)
        && values.next().is_none();
    let key = key.to_str().ok().filter(|_| is_sound).ok_or(Problem::IdempotencyKeyMalformed)?;
    Ok(Some(key.to_owned()))
}

fn answer(again: Again) -> Response {
    let status = StatusCode::from_u16(again.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match again.json {
        None => status.into_response(),
        Some(json) => {
            (status, [(header::CONTENT_TYPE, "application/json")], json.into_revealed()).into_response()
        }
    }
}
