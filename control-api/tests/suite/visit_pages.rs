//! Pages of portals that call for whoever is in a visit.

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use media_model::Role;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{Fixture, browser::ORIGIN, on_both, tenant};

const PORTAL: &str = "https://portal.clinic.example";
const OTHERS: &str = "https://portal.other.example";
const STRANGER: &str = "https://evil.example";

async fn ask(f: &Fixture, method: &str, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap) {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = f.router.clone().oneshot(request).await.expect("an answer");
    (response.status(), response.headers().clone())
}

async fn asks_first(f: &Fixture, path: &str, origin: &str) -> (StatusCode, HeaderMap) {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization"),
    ];
    ask(f, "OPTIONS", path, &headers).await
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn pages_of_the_tenant_call_for_who_is_in_its_visit_and_for_nobody_else() {
    on_both(async |f| {
        f.key_of("other").await;
        for (of, origin) in [("clinic", PORTAL), ("other", OTHERS)] {
            let origin = [origin.parse().expect("an origin")];
            f.api.change_portal_origins(tenant(of), &origin, &[]).await.expect("a list");
        }
        let consult = f.consult(json!({})).await;
        let token = f.welcome(&f.ticket(&f.key, &consult, "patient", Role::Patient).await);
        let chat = format!("/v1/consults/{consult}/chat");
        let (by_token, by_key) = (format!("Bearer {token}"), format!("Bearer {}", f.key));
        let allowed = "access-control-allow-origin";

        let (status, headers) = asks_first(&f, &chat, PORTAL).await;
        assert_eq!((status, text(&headers, allowed)), (StatusCode::NO_CONTENT, PORTAL));
        let may = text(&headers, "access-control-allow-headers").to_lowercase();
        assert_eq!(may, "authorization, content-type, idempotency-key");
        assert_eq!(text(&headers, "access-control-allow-credentials"), "", "nobody's cookie comes along");
        assert!(text(&headers, "vary").contains("Origin"));
        let (status, headers) = asks_first(&f, &chat, STRANGER).await;
        assert_eq!((status, text(&headers, allowed)), (StatusCode::FORBIDDEN, ""));

        for (origin, status, told) in [
            (PORTAL, StatusCode::OK, PORTAL),
            (OTHERS, StatusCode::FORBIDDEN, OTHERS),
            (STRANGER, StatusCode::FORBIDDEN, ""),
            (ORIGIN, StatusCode::OK, ORIGIN),
        ] {
            let headers = [("origin", origin), ("authorization", by_token.as_str())];
            let (answered, headers) = ask(&f, "GET", &chat, &headers).await;
            assert_eq!((answered, text(&headers, allowed)), (status, told), "{origin}");
        }
        let headers = [("origin", PORTAL), ("authorization", by_key.as_str())];
        let (status, headers) = ask(&f, "GET", &chat, &headers).await;
        assert_eq!(
            (status, text(&headers, allowed)),
            (StatusCode::OK, ""),
            "keys do not belong in a browser"
        );
        let (status, headers) = ask(&f, "GET", &chat, &[("authorization", &by_token)]).await;
        assert_eq!((status, text(&headers, allowed)), (StatusCode::OK, ""), "no page");

        for path in ["/v1/people", "/v1/consults", "/v1/audit", "/v1/webhooks"] {
            let (status, headers) = asks_first(&f, path, PORTAL).await;
            assert_eq!((status, text(&headers, allowed)), (StatusCode::METHOD_NOT_ALLOWED, ""), "{path}");
        }
        f.api.tell_anonymous().await;
        let refused: Vec<(String, String)> =
            sqlx::query_as("SELECT tenant, detail FROM audit WHERE action = 'anonymous_refused'")
                .fetch_all(&f.raw().await)
                .await
                .expect("rows");
        let expected = [("clinic".to_owned(), "origin_refused times:2 addresses:0".to_owned())];
        assert_eq!(refused, expected, "two pages that are not the tenant's");
    })
    .await;
}
