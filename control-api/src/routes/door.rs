//! What every request passes: it gets an id, is known by its key, and is answered as before where it was asked before.

use std::{net::SocketAddr, time::Instant};

use axum::{
    body::{Body, to_bytes},
    extract::{self, ConnectInfo, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use media_model::Pii;
use signaling_protocol::ticket::{Token as _, typ_of};

use super::{cookies, cors::Page};
use crate::{
    ApiKey, ControlApi,
    app::{Attempt, requests::Again},
    audit::RequestId,
    auth::{Caller, Request},
    ids::PersonId,
    limits::{BODY_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX},
    permissions::{Act, Subject},
    problem::Problem,
    visit_token::VisitToken,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ON_BEHALF_OF: HeaderName = HeaderName::from_static("on-behalf-of");
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
    let started = Instant::now();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let address = peer.map(|peer| api.proxies().client(peer, request.headers()));
    let passed = address.map_or(Ok(()), |address| api.rates().pass_address(address, started));
    let asked = Request { id, address: address.map(Pii::new), started };
    request.extensions_mut().insert(asked.clone());
    let mut response = match passed {
        Ok(()) if !api.is_open() => Problem::StoreUnavailable.into_response(),
        Ok(()) if request.method().is_safe() => next.run(request).await,
        Ok(()) => to_its_end(next.run(request)).await,
        Err(wait) => {
            api.turned_away(None, Problem::TooManyRequests(0).code(), &asked);
            Problem::too_fast(wait).into_response()
        }
    };
    // What is told about people is kept by nobody on the way.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Does something to its end, whether or not the caller waits for it: what is kept has to be told to running consults, too.
async fn to_its_end(work: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(work).await {
        Ok(response) => response,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Problem::StoreUnavailable.into_response(),
        },
    }
}

/// Lets in who has a key or a token, as fast as they may come.
pub(super) async fn admit(
    State(gate): State<Gate>,
    mut request: extract::Request,
    next: Next,
) -> Result<Response, Problem> {
    let asked = request.extensions().get::<Request>().cloned().ok_or(Problem::Unauthorized)?;
    let mut caller = who_asks(&gate, request.method(), request.uri(), request.headers(), asked).await?;
    // Visitors have passed theirs before they were looked up.
    if !matches!(caller.subject, Subject::Visitor { .. }) {
        let client = format!("{} {}", caller.tenant, caller.actor);
        gate.api.rates().pass_client(client, Instant::now()).map_err(Problem::too_fast)?;
    }
    if let Some(person) = on_behalf_of(request.headers()) {
        caller = gate.api.acting_for(caller, person, gate.act).await?;
    }
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

/// Who asks: a back end by its key or token, somebody in a visit by theirs, or somebody who signed in by their cookie, which is not
/// looked at where the request says by another way who asks.
async fn who_asks(
    gate: &Gate,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    asked: Request,
) -> Result<Caller, Problem> {
    let request = asked.clone();
    let attempt = Attempt { request: &request, tenant: None, client: None, credential: None };
    let unless =
        |what: &'static str| move |problem: &Problem| (*problem == Problem::Unauthorized).then_some(what);
    match bearer(headers) {
        Some(Bearer::Key(key)) => {
            let attempt = Attempt { tenant: Some(key.tenant()), credential: Some(key.reveal()), ..attempt };
            return gate.api.identify(attempt, gate.api.caller(&key, asked), unless("api_key")).await;
        }
        Some(Bearer::Token(token)) => {
            let attempt = Attempt { credential: Some(token), ..attempt };
            let caller = gate.api.caller_by_token(token, asked);
            return gate.api.identify(attempt, caller, unless("access_token")).await;
        }
        Some(Bearer::Visit(token)) => {
            // Who has a genuine one guesses nothing, and is held up by nobody at their address who does.
            if let Some(genuine) = gate.api.genuine_visit(token) {
                return visitor(gate, uri, headers, &genuine, asked).await;
            }
            let attempt = Attempt { credential: Some(token), ..attempt };
            let nobody = async { Err(Problem::Unauthorized) };
            return gate.api.identify(attempt, nobody, unless("visit_token")).await;
        }
        None => {}
    }
    let cookie = cookies::session(headers).filter(|_| !headers.contains_key(header::AUTHORIZATION));
    let Some(cookie) = cookie else {
        gate.api.turned_away(None, "no_credentials", &asked);
        return Err(Problem::Unauthorized);
    };
    let is_read = method == Method::GET || method == Method::HEAD;
    let is_from_elsewhere = !is_read && !gate.api.own_origin().is_own_page(uri, headers);
    let caller = gate.api.caller_by_session(&cookie, asked, gate.act, is_from_elsewhere).await;
    caller.inspect_err(|problem| {
        if *problem == Problem::SignedOut {
            gate.api.turned_away(Some(cookie.tenant()), Problem::SignedOut.code(), &request);
        }
    })
}

/// Somebody in a visit, on a page that may call for their tenant.
async fn visitor(
    gate: &Gate,
    uri: &Uri,
    headers: &HeaderMap,
    token: &VisitToken,
    asked: Request,
) -> Result<Caller, Problem> {
    let page = Page::of(&gate.api, uri, headers);
    if !page.is_some_and(|page| page.is_for(&gate.api, token.tenant)) {
        gate.api.turned_away(Some(token.tenant), Problem::OriginRefused.code(), &asked);
        return Err(Problem::OriginRefused);
    }
    gate.api.visitor(token, gate.act, asked).await
}

/// What a request says who asks by: a back end's key, or a token that it got for it, or the token of a visit.
enum Bearer<'a> {
    Key(ApiKey),
    Token(&'a str),
    Visit(&'a str),
}

/// Whether a request has what says that it is the token of a visit.
pub(super) fn is_by_visit(headers: &HeaderMap) -> bool {
    matches!(bearer(headers), Some(Bearer::Visit(_)))
}

fn bearer(headers: &HeaderMap) -> Option<Bearer<'_>> {
    if let Some(key) = ApiKey::from_headers(headers) {
        return Some(Bearer::Key(key));
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    // Which kind it says it is decides only whose key it is held against.
    let is_visit = typ_of(token).is_some_and(|typ| typ == VisitToken::TYP);
    Some(if is_visit { Bearer::Visit(token) } else { Bearer::Token(token) })
}

/// For whom a back end says that it acts, if it does; what is no person's id is nobody's.
fn on_behalf_of(headers: &HeaderMap) -> Option<Option<PersonId>> {
    let mut values = headers.get_all(ON_BEHALF_OF).iter();
    let id = values.next()?.to_str().ok().and_then(|text| text.parse().ok());
    Some(id.filter(|_| values.next().is_none()))
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
