//! Pages of others that may redeem a guest link, and call for whoever is in a visit: those of portals, as signaling has it. Nothing else
//! of the control API is for pages of others, and nobody's cookie is.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use media_model::TenantId;

use super::door;
use crate::{ControlApi, problem::Problem};

/// For how long browsers remember that they may.
const PREFLIGHT_MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");

/// From which page a request comes, as far as it matters once its tenant is known.
#[derive(Debug, Clone)]
pub(super) enum Page {
    /// None, or one that may call for every tenant.
    Any,
    /// Of some tenant's portal.
    Portal(String),
}

impl Page {
    /// Whether it may call for this tenant.
    pub fn is_for(&self, api: &ControlApi, tenant: TenantId) -> bool {
        match self {
            Self::Any => true,
            Self::Portal(origin) => api.portals().is_of(tenant, origin),
        }
    }

    pub fn of(api: &ControlApi, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Some(Self::Any) };
        if api.own_origin().is_own_page(uri, headers) {
            return Some(Self::Any);
        }
        let origin = origin.to_str().ok()?;
        if api.allows_everywhere(origin) {
            return Some(Self::Any);
        }
        api.portals().is_any(origin).then(|| Self::Portal(origin.to_owned()))
    }
}

/// Turns pages away that are nobody's here, and tells the browsers of the others that they may call.
pub(super) async fn guard(State(api): State<ControlApi>, mut request: Request, next: Next) -> Response {
    let Some(page) = Page::of(&api, request.uri(), request.headers()) else {
        if let Some(asked) = request.extensions().get() {
            api.turned_away(None, Problem::OriginRefused.code(), asked);
        }
        return Problem::OriginRefused.into_response();
    };
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        request.extensions_mut().insert(page);
        return next.run(request).await;
    };
    let asks_first = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if request.method() == Method::OPTIONS && asks_first {
        allowed("POST", "Content-Type")
    } else {
        request.extensions_mut().insert(page);
        next.run(request).await
    };
    tell(&mut response, origin);
    response
}

/// Lets pages of portals call for whoever is in a visit. For which tenant they may, the door knows once it has seen the token; what has
/// none is answered as ever, and no page of others is told how.
pub(super) async fn guard_visits(State(api): State<ControlApi>, request: Request, next: Next) -> Response {
    let page = Page::of(&api, request.uri(), request.headers());
    let origin = request.headers().get(header::ORIGIN).cloned().filter(|_| page.is_some());
    if request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        let Some(origin) = origin else { return Problem::OriginRefused.into_response() };
        let mut response = allowed("GET, POST", "Authorization, Content-Type, Idempotency-Key");
        tell(&mut response, origin);
        return response;
    }
    let origin = origin.filter(|_| door::is_by_visit(request.headers()));
    let mut response = next.run(request).await;
    if let Some(origin) = origin {
        tell(&mut response, origin);
    }
    response
}

/// The answer to a browser that asks first.
fn allowed(methods: &'static str, headers: &'static str) -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods)),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(headers)),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_S),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// Tells the page's browser that the page may see the answer.
fn tell(response: &mut Response, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}
