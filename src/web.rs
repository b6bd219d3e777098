//! The HTTP surface put together: signaling, control API, health, metrics, and the widget's files.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use control_api::{ControlApi, TrustedProxies};
use media_model::Pii;

/// URL path, media type and bytes of each built file.
static WIDGET_FILES: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/widget_files.rs"));

/// The visit alone, for a portal's frame. This and the next are served by `pages.rs`, not as they are.
pub const EMBED: &str = "/embed/{tenant}";
/// Where guest links lead.
pub const GUEST: &str = "/guest";

/// Only our own scripts, nothing from elsewhere, nothing inline; in frames of these pages.
pub fn content_security_policy(frame_ancestors: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         media-src 'self' blob:; frame-ancestors {frame_ancestors}; base-uri 'none'; form-action 'none'"
    )
}

const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-cache"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), microphone=(self), display-capture=(self)",
    ),
];

/// The demo portal and the widget.
pub fn widget_router() -> Router {
    let mut router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/portal/") }))
        .route("/portal", get(|| async { Redirect::temporary("/portal/") }));
    for &(path, media_type, bytes) in WIDGET_FILES.iter().filter(|(path, ..)| ![EMBED, GUEST].contains(path))
    {
        // Portals on other origins load the element as a module script, which needs their browsers' leave (CORS).
        let headers = [(header::CONTENT_TYPE, media_type), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
        router = router.route(path, get(move || async move { (headers, bytes) }));
    }
    if WIDGET_FILES.is_empty() {
        router = router.route("/portal/", get(|| async { widget_missing() }));
    }
    router
}

/// A built file's text.
pub fn file(path: &str) -> Option<&'static str> {
    let (.., bytes) = WIDGET_FILES.iter().find(|(known, ..)| *known == path)?;
    str::from_utf8(bytes).ok()
}

/// What is answered in the place of a file that was not built.
pub fn widget_missing() -> Response {
    (StatusCode::NOT_FOUND, "This binary was built without the widget: run `make widget` and build again.\n")
        .into_response()
}

/// Tells signaling where requests come from, as far as proxies that are believed say, and lets so many through from one
/// address as come to the control API.
pub fn with_addresses(router: Router, proxies: TrustedProxies, api: ControlApi) -> Router {
    let proxies = Arc::new(proxies);
    router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        let (proxies, api) = (proxies.clone(), api.clone());
        async move {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
            if let Some(peer) = peer {
                let address = proxies.client(peer, request.headers());
                if let Some(too_fast) = api.too_fast(address) {
                    api.turned_away_at_signaling("too_many_requests", Some(Pii::new(address)));
                    return too_fast;
                }
                request.extensions_mut().insert(signaling::Address(Pii::new(address)));
            }
            next.run(request).await
        }
    }))
}

/// For a year (RFC 6797 §6.1).
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the headers that every answer carries; where browsers come by TLS, also that they shall go on doing so.
pub fn with_security_headers(router: Router, is_by_tls: bool) -> Router {
    let policy = HeaderValue::try_from(content_security_policy("'self'"));
    let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let policy = policy.clone();
        async move {
            let mut response = next.run(request).await;
            response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
            for (name, value) in SECURITY_HEADERS {
                response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
            }
            if is_by_tls {
                response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
            }
            response
        }
    }))
}
