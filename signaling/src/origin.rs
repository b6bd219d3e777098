//! Which web pages may call (RFC 6454 §7). Tickets are what proves a right; this keeps foreign pages from trying.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Shared, counters::Counters, problem::Problem};

/// Which `Origin` is let through. A request without one is not a web page's, and is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OriginPolicy {
    /// Only pages that this server served itself.
    #[default]
    SameHost,
    /// Those, and pages of these origins (`https://portal.example`), compared as text.
    Listed(Vec<String>),
    /// Every page.
    Any,
}

impl OriginPolicy {
    /// Whether a request with these headers is let through.
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        match self {
            Self::Any => true,
            Self::SameHost => is_same_host(origin, headers),
            Self::Listed(origins) => {
                is_same_host(origin, headers)
                    || origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
            }
        }
    }
}

/// Turns foreign pages away, and tells the browsers of those that may call so (CORS).
pub(crate) async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if !shared.origins.allows(request.headers()) {
        Counters::add(&shared.counters.origins_refused);
        return Problem::new(StatusCode::FORBIDDEN, "origin_refused", "this page's origin may not call")
            .into_response();
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let Some(origin) = origin else { return response };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let exposed = HeaderValue::from_static("Location, ETag, Link, Accept-Patch");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    if is_preflight {
        let methods = HeaderValue::from_static("POST, PATCH, DELETE, OPTIONS");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let allowed = HeaderValue::from_static("Authorization, Content-Type, If-Match");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    }
    response
}

fn is_same_host(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, authority)), Some(host)) if authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("consult.example:8080"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        headers
    }

    #[test]
    fn foreign_pages_are_turned_away_unless_listed() {
        let listed = OriginPolicy::Listed(vec!["https://portal.example".into()]);
        for (origin, same_host, by_list) in [
            (None, true, true),
            (Some("https://consult.example:8080"), true, true),
            (Some("https://portal.example"), false, true),
            (Some("https://evil.example"), false, false),
            (Some("null"), false, false),
        ] {
            assert_eq!(OriginPolicy::SameHost.allows(&request(origin)), same_host, "{origin:?}");
            assert_eq!(listed.allows(&request(origin)), by_list, "{origin:?}");
            assert!(OriginPolicy::Any.allows(&request(origin)));
        }
    }
}
