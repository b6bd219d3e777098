//! The HTTP surface put together: signaling, control API, health, metrics, and the widget's files.

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

/// URL path, media type and bytes of each built file.
static WIDGET_FILES: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/widget_files.rs"));

/// Only our own scripts, nothing from elsewhere, nothing inline.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; media-src 'self' blob:; frame-ancestors 'self'; base-uri 'none'; \
    form-action 'none'";

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
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
    for &(path, media_type, bytes) in WIDGET_FILES {
        // Portals on other origins load the element as a module script, which needs their browsers' leave (CORS).
        let headers = [(header::CONTENT_TYPE, media_type), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
        router = router.route(path, get(move || async move { (headers, bytes) }));
    }
    if WIDGET_FILES.is_empty() {
        router = router.route("/portal/", get(|| async { widget_missing() }));
    }
    router
}

fn widget_missing() -> Response {
    (StatusCode::NOT_FOUND, "This binary was built without the widget: run `make widget` and build again.\n")
        .into_response()
}

/// For a year (RFC 6797 §6.1).
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the headers that every answer carries; where browsers come by TLS, also that they shall go on doing so.
pub fn with_security_headers(router: Router, is_by_tls: bool) -> Router {
    router.layer(middleware::from_fn(move |request: Request, next: Next| async move {
        let mut response = next.run(request).await;
        for (name, value) in SECURITY_HEADERS {
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        if is_by_tls {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
        }
        response
    }))
}
