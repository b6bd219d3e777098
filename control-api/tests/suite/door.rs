//! Who is let in by what, and how fast: access tokens and rate limits.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use control_api::permissions::{Scope, Scopes};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{Fixture, a_patient, on_both, tenant};

async fn ask(f: &Fixture, authorization: Option<&str>, form: &str) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::post("/v1/oauth2/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()))
        .expect("a request");
    if let Some(authorization) = authorization {
        request.headers_mut().insert(header::AUTHORIZATION, authorization.parse().expect("a value"));
    }
    let response = f.router.clone().oneshot(request).await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = to_bytes(response.into_body(), 1 << 16).await.expect("a body");
    (status, headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// Id and secret of a client with these scopes.
async fn client(f: &Fixture, scopes: Scopes) -> (String, String) {
    let key = f.api.create_client(tenant("clinic"), "oauth", scopes).await.expect("a client");
    let id = f.api.client_id(&key).await.expect("the store works").expect("it is there");
    (id, key.reveal().to_owned())
}

#[tokio::test]
async fn a_client_gets_a_token_either_way_and_it_opens_the_api() {
    on_both(async |f| {
        let scopes: Scopes = [Scope::ConsultsCreate, Scope::TicketsWrite].into_iter().collect();
        let (id, secret) = client(&f, scopes).await;
        let basic = format!("Basic {}", BASE64.encode(format!("{id}:{secret}")));
        let grant = "grant_type=client_credentials";
        let in_form = format!("{grant}&client_id={id}&client_secret={secret}");
        for (authorization, form) in [(Some(basic.as_str()), grant), (None, in_form.as_str())] {
            let (status, headers, body) = ask(&f, authorization, form).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            assert_eq!(headers[header::CACHE_CONTROL], "no-store");
            assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(600)));
            let token = body["access_token"].as_str().expect("a token");
            let (status, _) = f.send("POST", "/v1/consults", token, "{}".into()).await;
            assert_eq!(status, StatusCode::CREATED);
            let person = json!({"external_id": "p-1"}).to_string();
            let (status, _) = f.send("POST", "/v1/people", token, person).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "no scope for it");
            assert!(f.verifier.verify(token, crate::support::now_s()).is_err(), "it is no ticket");
        }
        let issued = f.audit().await.into_iter().filter(|(_, action, ..)| action == "token_issued");
        assert_eq!(issued.count(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_token_may_be_for_less_than_the_client_and_never_for_more() {
    on_both(async |f| {
        let scopes: Scopes = [Scope::ConsultsCreate, Scope::TicketsWrite].into_iter().collect();
        let (id, secret) = client(&f, scopes).await;
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let (_, _, body) = ask(&f, None, &format!("{form}&scope=tickets:write")).await;
        assert_eq!(body["scope"], "tickets:write");
        let token = body["access_token"].as_str().expect("a token");
        let (status, _) = f.send("POST", "/v1/consults", token, "{}".into()).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        for more in ["people:erase", "tickets:write people:erase", "nonsense", ""] {
            let (status, _, body) = ask(&f, None, &format!("{form}&scope={}", more.replace(' ', "+"))).await;
            assert_eq!(
                (status, &body["error"]),
                (StatusCode::BAD_REQUEST, &json!("invalid_scope")),
                "{more}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_cannot_say_who_they_are_gets_none() {
    on_both(async |f| {
        let (id, secret) = client(&f, Scopes::all()).await;
        let grant = "grant_type=client_credentials";
        let whole = format!("{grant}&client_id={id}&client_secret={secret}");
        let basic = |id: &str| format!("Basic {}", BASE64.encode(format!("{id}:{secret}")));
        for (authorization, form, expected) in [
            (None, grant.to_owned(), "invalid_client"),
            (None, format!("{grant}&client_id=clinic.x&client_secret={secret}"), "invalid_client"),
            (None, format!("{grant}&client_id={id}&client_secret=x"), "invalid_client"),
            (Some(basic("other.x")), grant.to_owned(), "invalid_client"),
            (Some("Basic !".to_owned()), grant.to_owned(), "invalid_client"),
            (Some(basic(&id)), whole.clone(), "invalid_request"),
            (None, format!("{whole}&client_id={id}"), "invalid_request"),
            (None, String::new(), "invalid_request"),
            (None, whole.replace("client_credentials", "password"), "unsupported_grant_type"),
        ] {
            let (status, headers, body) = ask(&f, authorization.as_deref(), &form).await;
            assert_eq!(body["error"], expected);
            let is_challenged = headers.contains_key(header::WWW_AUTHENTICATE);
            assert_eq!(status == StatusCode::UNAUTHORIZED, expected == "invalid_client");
            assert_eq!(is_challenged, expected == "invalid_client");
        }
    })
    .await;
}

#[tokio::test]
async fn a_ticket_and_a_revoked_clients_token_open_nothing() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        let (_, ticket) = f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        let ticket = ticket["ticket"].as_str().expect("a ticket");
        assert_eq!(f.send("POST", "/v1/consults", ticket, "{}".into()).await.0, StatusCode::UNAUTHORIZED);

        let (id, secret) = client(&f, Scopes::all()).await;
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let (_, _, body) = ask(&f, None, &form).await;
        let token = body["access_token"].as_str().expect("a token");
        assert_eq!(f.send("POST", "/v1/consults", token, "{}".into()).await.0, StatusCode::CREATED);
        let revoke = sqlx::query("UPDATE api_clients SET revoked_at = 1");
        revoke.execute(&f.raw().await).await.expect("the rows are there");
        assert_eq!(f.send("POST", "/v1/consults", token, "{}".into()).await.0, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn who_comes_too_fast_is_told_to_wait() {
    let mut f = Fixture::sqlite().await;
    f.router = f.api.clone().with_requests_per_s(1).router();
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let (status, headers, body) = f.send_as(("POST", "/v1/consults"), &f.key, json!({}), None, &[]).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(body["code"], "too_many_requests");
            assert_eq!(headers[header::RETRY_AFTER], "1");
            assert!(headers.contains_key("x-request-id"));
        }
        statuses.push(status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::CREATED).count(), 4, "{statuses:?}");
}
