//! Which web pages may call (RFC 6454 §7). Tickets are what proves a right; this keeps foreign pages from trying.
//!
//! It is looked at twice. Before anything else, whether a page is this server's, the operator's or any tenant's; and once a ticket says
//! whose consult it is about, whether a tenant's page is that tenant's.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::rand;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use media_model::{Pii, RequestId, TenantId};
use signaling_protocol::error::ErrorCode;

use crate::{Shared, counters::Counters, journal::Call, problem::Problem};

/// Which `Origin` is let through for every tenant. A request without one is not a web page's, and is.
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
    /// Whether a request with this target and these headers is let through.
    pub fn allows(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        match self {
            Self::Any => true,
            Self::SameHost => is_same_host(origin, uri, headers),
            Self::Listed(origins) => {
                is_same_host(origin, uri, headers)
                    || origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
            }
        }
    }
}

/// Which pages are tenants' own. It is asked at each request and must not wait for anything.
pub trait Portals: Send + Sync {
    /// Whether pages of this origin are any tenant's.
    fn is_any(&self, origin: &str) -> bool;
    /// Whether they are this tenant's.
    fn is_of(&self, tenant: TenantId, origin: &str) -> bool;
}

/// From where a request comes, where whoever serves the router knows: an extension of the request.
#[derive(Debug, Clone)]
pub struct Address(pub Pii<IpAddr>);

/// From which page a request comes, as far as it matters once its tenant is known, and by which connection.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    origin: PageOrigin,
    pub(crate) call: Call,
}

#[derive(Debug, Clone)]
enum PageOrigin {
    /// None, or one that may call for every tenant.
    Any,
    /// Of some tenant's portal.
    Portal(Box<str>),
}

impl PageOrigin {
    fn of(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        if shared.origins.allows(uri, headers) {
            return Some(Self::Any);
        }
        let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
        shared.portals.is_any(origin).then(|| Self::Portal(origin.into()))
    }
}

impl Page {
    /// Whether it may call for this tenant.
    pub(crate) fn is_for(&self, shared: &Shared, tenant: TenantId) -> bool {
        match &self.origin {
            PageOrigin::Any => true,
            PageOrigin::Portal(origin) => shared.portals.is_of(tenant, origin),
        }
    }
}

/// Turns foreign pages away, and tells the browsers of those that may call so (CORS).
pub(crate) async fn guard(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let address = request.extensions_mut().remove::<Address>().map(|address| address.0);
    let Some(origin) = PageOrigin::of(&shared, request.uri(), request.headers()) else {
        Counters::add(&shared.counters.origins_refused);
        shared.journal.turned_away(ErrorCode::Forbidden, address);
        return Problem::new(StatusCode::FORBIDDEN, "origin_refused", "this page's origin may not call")
            .into_response();
    };
    let mut id = [0; 16];
    if rand::fill(&mut id).is_err() {
        return Problem::from(ErrorCode::Internal).into_response();
    }
    let call = Call { request: RequestId::from_bytes(id), address };
    request.extensions_mut().insert(Page { origin, call });
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

/// The host is the target's where that names one, as over HTTP/2 (RFC 9113 §8.3.1, RFC 9112 §3.2.2).
fn is_same_host(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap) -> bool {
    let named = uri.authority().map(|authority| authority.as_str());
    let host = named.or_else(|| headers.get(header::HOST)?.to_str().ok());
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
            let uri = Uri::from_static("/v1/signal");
            assert_eq!(OriginPolicy::SameHost.allows(&uri, &request(origin)), same_host, "{origin:?}");
            assert_eq!(listed.allows(&uri, &request(origin)), by_list, "{origin:?}");
            assert!(OriginPolicy::Any.allows(&uri, &request(origin)));
        }
    }

    #[test]
    fn a_target_that_names_its_host_is_believed_before_the_host_header() {
        let uri = Uri::from_static("https://other.example/v1/signal");
        for (origin, is_let_through) in
            [("https://other.example", true), ("https://consult.example:8080", false)]
        {
            assert_eq!(
                OriginPolicy::SameHost.allows(&uri, &request(Some(origin))),
                is_let_through,
                "{origin}"
            );
        }
    }
}
