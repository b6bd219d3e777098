//! Pages of others that may redeem a guest link: those of portals, as signaling has it. Nothing else of the control API is for pages of
//! others.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use media_model::TenantId;

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

    fn of(api: &ControlApi, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
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
        return Problem::OriginRefused.into_response();
    };
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        request.extensions_mut().insert(page);
        return next.run(request).await;
    };
    let asks_first = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if request.method() == Method::OPTIONS && asks_first {
        let allowed = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST")),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type")),
            (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_S),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        request.extensions_mut().insert(page);
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}
