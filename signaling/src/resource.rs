//! WHIP and WHEP sessions: what RFC 9725 and draft-ietf-wish-whep have in common.
//!
//! A session answers to the bearer token that made it. Its ETag names the ICE session (RFC 9725 §4.3.1) and is the
//! server's ICE user fragment.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::{constant_time, digest};
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use media_model::TransportId;
use signaling_protocol::{client::Offer, error::ErrorCode};

use crate::{
    Shared,
    consult::{Claim, Moment, Seat},
    door,
    fragment::{self, Fragment},
    journal::{Departure, Way},
    negotiation::{self, fresh_ice, random_hex},
    origin::Page,
    problem::Problem,
    sdp::SdpError,
};

const SDP: HeaderValue = HeaderValue::from_static("application/sdp");
const SDP_FRAGMENT: HeaderValue = HeaderValue::from_static("application/trickle-ice-sdpfrag");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// The sessions of a node, by the unguessable last segment of their URL.
#[derive(Default)]
pub(crate) struct Resources(HashMap<String, Resource>);

#[derive(Clone)]
struct Resource {
    transport: TransportId,
    seat: Seat,
    bearer: [u8; 32],
    etag: String,
}

impl Resources {
    /// Forgets sessions whose transport is gone.
    pub(crate) fn retain(&mut self, has_transport: impl Fn(TransportId) -> bool) {
        self.0.retain(|_, resource| has_transport(resource.transport));
    }
}

/// Makes a session of an offer.
pub(crate) async fn create(
    shared: &Arc<Shared>,
    way: Way,
    page: &Page,
    headers: &HeaderMap,
    body: &[u8],
    read: fn(String) -> Result<Offer, SdpError>,
) -> Response {
    let asked = async {
        require_content_type(headers, &SDP)?;
        require_acceptable(headers)?;
        let bearer = bearer(headers)?;
        let claim = door::believe_ticket(shared, Moment::now(), page, bearer)?;
        door::check_page(shared, Moment::now(), page, &claim)?;
        let sdp = String::from_utf8(body.to_vec()).map_err(|_| ErrorCode::OfferInvalid)?;
        let offer = read(sdp).map_err(ErrorCode::from)?;
        // A caller who hangs up halfway must not leave half a session behind: a task of its own sees it through.
        let task = tokio::spawn(open(Arc::clone(shared), way, claim, hash(bearer), offer));
        task.await.map_err(|_| ErrorCode::Internal)?.map_err(Problem::from)
    };
    asked.await.unwrap_or_else(|problem| refuse(shared, problem))
}

async fn open(
    shared: Arc<Shared>,
    way: Way,
    claim: Claim,
    bearer: [u8; 32],
    offer: Offer,
) -> Result<Response, ErrorCode> {
    let now = Moment::now();
    if claim.waits {
        // Nobody can be shown a waiting room over plain HTTP.
        door::refused(&shared, now, &claim, ErrorCode::Forbidden);
        return Err(ErrorCode::Forbidden);
    }
    let id = random_hex::<16>()?;
    let reservation = door::reserve(&shared, now, &claim, way).await?;
    let seat = reservation.seat;
    let opened = shared.registry().open_resource(now, &claim, seat);
    let answered = match opened {
        Ok(()) => {
            let session = Some((claim.ticket, claim.coming(now)));
            negotiation::negotiate(&shared, seat, way, session, &offer).await
        }
        Err(code) => Err(code),
    };
    let joined = answered.and_then(|answered| {
        let transport = answered.transport.ok_or(ErrorCode::Internal)?;
        Ok((answered, transport))
    });
    let (answered, transport) =
        joined.inspect_err(|_| shared.registry().close_resource(Moment::now(), &claim, seat, way))?;
    let etag = format!("\"{}\"", answered.ufrag);
    let location = format!("/v1/{}/{id}", way.as_str());
    let resource = Resource { transport, seat, bearer, etag: etag.clone() };
    shared.resources().0.insert(id, resource);
    tracing::info!(consult = %seat.consult, participant = seat.participant.csrc(), way = way.as_str(), "joined");
    let mut response = (StatusCode::CREATED, answered.sdp).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, SDP);
    headers.insert(header::LOCATION, text_header(location)?);
    headers.insert(header::ETAG, text_header(etag)?);
    headers.insert(ACCEPT_PATCH, SDP_FRAGMENT);
    Ok(response)
}

/// Candidates of the client, which an ICE-lite server has no use for, or an ICE restart (RFC 9725 §4.3).
pub(crate) async fn patch(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    patched(&shared, &id, &headers, &body).unwrap_or_else(|problem| refuse(&shared, problem))
}

fn patched(shared: &Shared, id: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let resource = find(shared, id, headers)?;
    require_content_type(headers, &SDP_FRAGMENT)?;
    let fragment = Fragment::parse(body).ok_or(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "fragment_invalid",
        "not an SDP fragment (RFC 8840 §9)",
    ))?;
    // RFC 9725 §4.3.1: the precondition says whether this is about the running ICE session or a new one.
    match headers.get(header::IF_MATCH).map(HeaderValue::as_bytes) {
        None => {
            Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_missing", "If-Match is needed"))
        }
        // An entity tag is quoted, `*` is not (RFC 9110 §13.1.1), but RFC 9725 shows it both ways.
        Some(b"*" | b"\"*\"") => restart(shared, id, &resource, &fragment),
        Some(etag) if etag == resource.etag.as_bytes() => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(_) => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "if_match_failed",
            "the ICE session was restarted meanwhile",
        )),
    }
}

fn restart(shared: &Shared, id: &str, resource: &Resource, fragment: &Fragment) -> Result<Response, Problem> {
    let theirs = fragment.credentials().ok_or(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "fragment_invalid",
        "an ICE restart needs ice-ufrag and ice-pwd",
    ))?;
    let ours = fresh_ice()?;
    let answer = shared.registry().restart_ice(resource.seat, resource.transport, ours.clone(), theirs)?;
    let etag = format!("\"{}\"", ours.ufrag);
    if let Some(resource) = shared.resources().0.get_mut(id) {
        resource.etag.clone_from(&etag);
    }
    let mut response = (StatusCode::OK, fragment::from_answer(&answer, &ours)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, SDP_FRAGMENT);
    response.headers_mut().insert(header::ETAG, text_header(etag)?);
    Ok(response)
}

/// Ends a session (RFC 9725 §4.2).
pub(crate) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match find(&shared, &id, &headers) {
        Ok(resource) => {
            shared.resources().0.remove(&id);
            shared.registry().end_resource(Moment::now(), resource.transport, Departure::Left);
            StatusCode::OK.into_response()
        }
        Err(problem) => refuse(&shared, problem),
    }
}

/// What may be sent here (RFC 9725 §4.2); the CORS headers are added by `origin.rs`.
pub(crate) async fn options() -> Response {
    let headers = [(ACCEPT_POST, SDP), (ACCEPT_PATCH, SDP_FRAGMENT)];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn find(shared: &Shared, id: &str, headers: &HeaderMap) -> Result<Resource, Problem> {
    let bearer = hash(bearer(headers)?);
    let resource = shared.resources().0.get(id).cloned();
    let resource = resource.filter(|resource| shared.registry().has_transport(resource.transport));
    let resource = resource.ok_or(Problem::new(StatusCode::NOT_FOUND, "not_found", "no such session"))?;
    if constant_time::verify_slices_are_equal(&resource.bearer, &bearer).is_err() {
        return Err(ErrorCode::TicketInvalid.into());
    }
    Ok(resource)
}

fn refuse(shared: &Shared, problem: Problem) -> Response {
    if let Some(code) = ErrorCode::ALL.into_iter().find(|code| code.as_str() == problem.code) {
        shared.counters.erred(code);
    }
    shared.counters.request_refused(problem.code);
    tracing::info!(code = problem.code, status = problem.status.as_u16(), "WHIP or WHEP request refused");
    problem.into_response()
}

/// The token of RFC 6750 §2.1.
fn bearer(headers: &HeaderMap) -> Result<&str, ErrorCode> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or(ErrorCode::TicketInvalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ErrorCode::TicketInvalid);
    }
    Ok(token.trim())
}

fn hash(bearer: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bearer.as_bytes()).as_ref());
    hash
}

fn require_content_type(headers: &HeaderMap, wanted: &HeaderValue) -> Result<(), Problem> {
    let essence = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(essence);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case(wanted.to_str().unwrap_or_default())) {
        return Ok(());
    }
    let title = "this media type is not understood here";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_unsupported", title))
}

fn require_acceptable(headers: &HeaderMap) -> Result<(), Problem> {
    let is_sdp = |range: &str| matches!(essence(range), "application/sdp" | "application/*" | "*/*");
    let mut accept =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if accept.peek().is_none() || accept.any(|ranges| ranges.split(',').any(is_sdp)) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "the answer is application/sdp"))
}

/// A media type without its parameters (RFC 9110 §8.3.1).
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn text_header(text: String) -> Result<HeaderValue, ErrorCode> {
    HeaderValue::try_from(text).map_err(|_| ErrorCode::Internal)
}
