//! Messages to a clinic's systems: left with the act, signed, sent until taken or given up.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use crate::support::{Fixture, on_both, request, tenant};
use aws_lc_rs::hmac;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use control_api::{ControlApi, Networks, webhooks::WebhookSender};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A system of the clinic's that takes messages, or does not.
struct Receiver {
    address: SocketAddr,
    answers: Arc<AtomicU16>,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

type Shared = (Arc<AtomicU16>, Arc<Mutex<Vec<(HeaderMap, String)>>>);

impl Receiver {
    async fn start() -> Self {
        let (answers, got): Shared = (Arc::new(AtomicU16::new(204)), Arc::default());
        let take = async |State((answers, got)): State<Shared>, headers: HeaderMap, body: String| {
            got.lock().expect("not poisoned").push((headers, body));
            StatusCode::from_u16(answers.load(Ordering::Relaxed)).expect("a status")
        };
        let router = Router::new().route("/hooks", post(take)).with_state((answers.clone(), got.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, answers, got }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks?token=letmein", self.address)
    }

    fn got(&self) -> Vec<(HeaderMap, String)> {
        std::mem::take(&mut *self.got.lock().expect("not poisoned"))
    }
}

fn networks() -> Networks {
    Networks::parse(&["127.0.0.0/8"]).expect("a network")
}

/// The control API that may reach this machine.
struct Clinic {
    f: Fixture,
    api: ControlApi,
    router: Router,
    sender: WebhookSender,
}

impl Clinic {
    fn of(f: Fixture) -> Self {
        let api = f.api.clone().with_webhook_networks(networks());
        Self { router: api.router(), sender: WebhookSender::new(networks()), api, f }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.send_as(&self.f.key, method, path, body).await
    }

    async fn send_as(&self, key: &str, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let answer = self.router.clone().oneshot(request(method, path, key, body.to_string())).await;
        let answer = answer.expect("an answer");
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Its id and secret.
    async fn webhook(&self, receiver: &Receiver, events: Value) -> (String, String) {
        let body = json!({"url": receiver.url(), "events": events});
        let (status, made) = self.send("POST", "/v1/webhooks", body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let text = |field: &str| made[field].as_str().expect(field).to_owned();
        (text("id"), text("secret"))
    }

    async fn deliver(&self) {
        self.api.deliver_due(tenant("clinic"), &self.sender).await.expect("the database");
    }

    /// Makes everything due that was put off.
    async fn let_time_pass(&self) {
        let sql = "UPDATE webhook_outbox SET due_at = 0 WHERE dead_at IS NULL";
        sqlx::query(sql).execute(&self.f.raw().await).await.expect("the owner may");
    }

    async fn new_consult(&self) -> String {
        let (status, consult) = self.send("POST", "/v1/consults", json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{consult}");
        consult["id"].as_str().expect("an id").to_owned()
    }
}

#[tokio::test]
async fn a_message_is_signed_says_ids_only_and_is_sent_once() {
    on_both(async |f| {
        let (clinic, receiver) = (Clinic::of(f), Receiver::start().await);
        let (_, secret) = clinic.webhook(&receiver, json!(["consult.created"])).await;
        let consult = clinic.new_consult().await;
        clinic.send("POST", &format!("/v1/consults/{consult}/end"), json!({})).await;
        clinic.deliver().await;
        clinic.deliver().await;
        let got = receiver.got();
        let [(headers, body)] = got.as_slice() else { panic!("one message: {got:?}") };
        let message: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(
            (&message["type"], &message["data"]),
            (&json!("consult.created"), &json!({"consult": consult}))
        );
        let header = |name: &str| headers[name].to_str().expect("text").to_owned();
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let said = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), said.as_bytes());
        assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_not_taken_is_sent_again_then_given_up_and_can_be_sent_by_hand() {
    on_both(async |f| {
        let (clinic, receiver) = (Clinic::of(f), Receiver::start().await);
        let (webhook, _) = clinic.webhook(&receiver, json!([])).await;
        clinic.new_consult().await;
        receiver.answers.store(500, Ordering::Relaxed);
        clinic.deliver().await;
        clinic.deliver().await;
        let first = receiver.got();
        assert_eq!(first.len(), 1, "it waits before it tries again");
        let mut attempts = 1;
        for _ in 0..20 {
            clinic.let_time_pass().await;
            clinic.deliver().await;
            let again = receiver.got();
            assert!(again.iter().all(|(headers, _)| headers["webhook-id"] == first[0].0["webhook-id"]));
            attempts += again.len();
        }
        assert_eq!(attempts, 10, "for three days, and no longer");
        let letters = format!("/v1/webhooks/{webhook}/dead-letters");
        let (_, dead) = clinic.send("GET", &letters, json!(null)).await;
        let letter = &dead["dead_letters"][0];
        assert_eq!((&letter["attempts"], &letter["status"]), (&json!(10), &json!(500)), "{dead}");
        receiver.answers.store(200, Ordering::Relaxed);
        let retry = format!("{letters}/{}/retry", letter["id"].as_str().expect("an id"));
        assert_eq!(clinic.send("POST", &retry, json!(null)).await.0, StatusCode::ACCEPTED);
        clinic.deliver().await;
        assert_eq!(receiver.got().len(), 1);
        assert_eq!(clinic.send("GET", &letters, json!(null)).await.1["dead_letters"], json!([]));
        assert_eq!(clinic.send("POST", &retry, json!(null)).await.0, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn what_was_not_done_is_not_told_and_what_two_processes_send_comes_once() {
    on_both(async |f| {
        let (clinic, receiver) = (Clinic::of(f), Receiver::start().await);
        clinic.webhook(&receiver, json!([])).await;
        let (status, _) = clinic.send("POST", "/v1/appointments", json!({"people": []})).await;
        assert!(status.is_client_error());
        clinic.deliver().await;
        assert_eq!(receiver.got().len(), 0);
        for _ in 0..40 {
            clinic.new_consult().await;
        }
        let other = clinic.f.another_process().await;
        let sender = WebhookSender::new(networks());
        let (one, two) = tokio::join!(
            clinic.api.deliver_due(tenant("clinic"), &sender),
            other.deliver_due(tenant("clinic"), &sender)
        );
        one.and(two).expect("the database");
        clinic.deliver().await;
        let got = receiver.got();
        let ids: BTreeSet<_> =
            got.iter().map(|(headers, _)| headers["webhook-id"].clone().as_bytes().to_vec()).collect();
        assert_eq!((got.len(), ids.len()), (40, 40));
    })
    .await;
}

#[tokio::test]
async fn who_says_gone_is_sent_no_more_and_a_deleted_webhook_takes_its_messages_along() {
    on_both(async |f| {
        let (clinic, receiver) = (Clinic::of(f), Receiver::start().await);
        let (webhook, _) = clinic.webhook(&receiver, json!(["consult.created"])).await;
        let (test, path) = (format!("/v1/webhooks/{webhook}/test"), format!("/v1/webhooks/{webhook}"));
        assert_eq!(clinic.send("POST", &test, json!(null)).await.0, StatusCode::ACCEPTED);
        clinic.deliver().await;
        assert!(receiver.got()[0].1.contains("webhook.tested"));
        receiver.answers.store(410, Ordering::Relaxed);
        clinic.new_consult().await;
        clinic.deliver().await;
        clinic.new_consult().await;
        clinic.let_time_pass().await;
        clinic.deliver().await;
        assert_eq!(receiver.got().len(), 1);
        let (_, told) = clinic.send("GET", "/v1/webhooks", json!(null)).await;
        assert!(told["webhooks"][0]["gone_at"].is_string(), "{told}");
        receiver.answers.store(200, Ordering::Relaxed);
        assert_eq!(clinic.send("POST", &test, json!(null)).await.0, StatusCode::ACCEPTED);
        clinic.deliver().await;
        assert_eq!(receiver.got().len(), 1, "tried again by hand");
        clinic.new_consult().await;
        clinic.deliver().await;
        assert_eq!(receiver.got().len(), 1, "and there again");
        assert_eq!(clinic.send("DELETE", &path, json!(null)).await.0, StatusCode::NO_CONTENT);
        assert_eq!(clinic.send("DELETE", &path, json!(null)).await.0, StatusCode::NOT_FOUND);
        assert_eq!(clinic.send("GET", "/v1/webhooks", json!(null)).await.1["webhooks"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_webhook_is_its_tenants_alone_goes_where_it_may_and_is_kept_sealed() {
    on_both(async |f| {
        let (clinic, receiver) = (Clinic::of(f), Receiver::start().await);
        let (webhook, secret) = clinic.webhook(&receiver, json!([])).await;
        let other = clinic.f.key_of("other").await;
        let list = clinic.send_as(&other, "GET", "/v1/webhooks", json!(null)).await.1;
        assert_eq!(list["webhooks"], json!([]));
        for (method, path) in [("DELETE", ""), ("POST", "/test"), ("GET", "/dead-letters")] {
            let path = format!("/v1/webhooks/{webhook}{path}");
            let (status, _) = clinic.send_as(&other, method, &path, json!(null)).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
        }
        clinic.send_as(&other, "POST", "/v1/consults", json!({})).await;
        clinic.api.deliver_due(tenant("other"), &clinic.sender).await.expect("the database");
        clinic.deliver().await;
        assert_eq!(receiver.got().len(), 0, "another tenant's consult");
        for url in [
            "http://10.0.0.1/",
            "https://169.254.169.254/",
            "https://u:p@ehr.example/",
            "ftp://ehr.example/",
            "",
        ] {
            let (status, problem) = clinic.send("POST", "/v1/webhooks", json!({"url": url})).await;
            assert_eq!(
                (status, &problem["field"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &json!("url")),
                "{url}"
            );
        }
        let body = json!({"url": "https://ehr.example/", "events": ["consult.exploded"]});
        assert_eq!(clinic.send("POST", "/v1/webhooks", body).await.1["field"], "events");
        let rows = sqlx::query("SELECT url, secret FROM webhooks")
            .fetch_all(&clinic.f.raw().await)
            .await
            .expect("rows");
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        for row in &rows {
            let (url, secret): (Vec<u8>, Vec<u8>) = (sqlx::Row::get(row, 0), sqlx::Row::get(row, 1));
            assert!(
                !url.windows(7).any(|part| part == b"letmein")
                    && !secret.windows(8).any(|part| part == &key[..8])
            );
        }
        assert_eq!(rows.len(), 1);
    })
    .await;
}
