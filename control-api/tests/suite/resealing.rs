//! A tenant's old keys go: what they sealed is sealed anew under writers who do not wait, and no key goes that something needs.

use axum::{body::to_bytes, http::StatusCode};
use control_api::{ControlApi, HoldReason, Resealed, SignInSettings, keys::KeyVersion};
use media_model::{Pii, TenantId};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    holds,
    support::{Fixture, on_both, request, tenant},
};

fn clinic() -> TenantId {
    tenant("clinic")
}

fn version(number: u32) -> KeyVersion {
    KeyVersion::new(number).expect("not zero")
}

/// Has an hour pass for every key that there is.
async fn an_hour_passes(f: &Fixture) {
    let earlier = sqlx::query("UPDATE tenant_keys SET created_at = created_at - 3600000");
    earlier.execute(&f.raw().await).await.expect("the owner may");
}

async fn keys(f: &Fixture) -> Vec<i64> {
    let all =
        "SELECT version FROM tenant_keys WHERE tenant = 'clinic' AND purpose = 'sealing' ORDER BY version";
    sqlx::query_scalar(all).fetch_all(&f.raw().await).await.expect("rows")
}

/// Asks with an idempotency key and from nowhere: no address is sealed.
async fn once(f: &Fixture, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
    let mut request = request("POST", path, &f.key, body.to_string());
    request.headers_mut().insert("idempotency-key", key.parse().expect("a header value"));
    let response = f.router.clone().oneshot(request).await.expect("an answer");
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn webhooks(f: &Fixture) -> Vec<String> {
    let (status, told) = f.send("GET", "/v1/webhooks", &f.key, String::new()).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let list = told.as_array().or(told["webhooks"].as_array()).expect("a list");
    list.iter().map(|one| one["url"].as_str().expect("a URL").to_owned()).collect()
}

async fn reseal(api: &ControlApi) -> Resealed {
    api.reseal_tenant(clinic()).await.expect("the store works")
}

#[tokio::test]
async fn an_old_key_goes_when_nothing_needs_it_and_everything_opens_still() {
    on_both(async |f| {
        let shell = f.another_process().await;
        let person = json!({"external_id": "ehr-1"});
        let first = once(&f, "/v1/people", "k", &person).await;
        assert_eq!(first.0, StatusCode::OK, "{}", first.1);
        let (status, told) = f.post("/v1/webhooks", json!({"url": "https://ehr.example/hooks"})).await;
        assert_eq!(status, StatusCode::CREATED, "{told}");
        let settings = SignInSettings {
            issuer: "https://id.example".to_owned(),
            client_id: "x".to_owned(),
            secret: Some(Pii::new("secret".to_owned())),
            mfa_required: false,
            mfa_acr: Vec::new(),
            idle: std::time::Duration::from_secs(900),
            return_to: None,
        };
        f.api.set_sign_in(clinic(), &settings).await.expect("settings");
        let reason = HoldReason::parse("Doe v. Clinic, 26-cv-104").expect("a reason");
        f.api.hold_from_shell(clinic(), &reason).await.expect("held");
        assert_eq!(reseal(&shell).await, Resealed::default(), "there is one key, and it is new");

        shell.rotate_tenant_key(clinic()).await.expect("a new key");
        let resealed = reseal(&shell).await;
        let stay = vec![(version(1), None)];
        assert_eq!(resealed, Resealed { values: 5, retired: Vec::new(), stay }, "its successor is new");
        an_hour_passes(&f).await;
        let retired = vec![version(1)];
        assert_eq!(reseal(&shell).await, Resealed { values: 0, retired, stay: Vec::new() });
        assert_eq!(keys(&f).await, [2]);

        assert_eq!(once(&f, "/v1/people", "k", &person).await, first, "the kept answer");
        assert_eq!(webhooks(&f).await, ["https://ehr.example/hooks"]);
        let place = format!("/v1/people/{}", first.1["id"].as_str().expect("an id"));
        assert_eq!(f.send("GET", &place, &f.key, String::new()).await.1["external_id"], "ehr-1");
        let hold = holds::auditor(&f, "clinic").await.get(holds::PATH).await.json();
        assert_eq!(hold["reason"], reason.text().reveal().as_str());
        let details: Vec<String> =
            sqlx::query_scalar("SELECT detail FROM audit WHERE action = 'rotate_keys' ORDER BY nr")
                .fetch_all(&f.raw().await)
                .await
                .expect("rows");
        assert_eq!(
            (&details[0], details.last().map(String::as_str)),
            (&"new_key".to_owned(), Some("key_retired"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_that_sealed_an_address_of_the_audit_log_stays() {
    on_both(async |f| {
        f.send_as(("POST", "/v1/consults"), &f.key, json!({}), None, &[]).await;
        f.api.rotate_tenant_key(clinic()).await.expect("a new key");
        an_hour_passes(&f).await;
        assert_eq!(reseal(&f.api).await.stay, [(version(1), Some("audit"))]);
        assert_eq!(keys(&f).await, [1, 2]);
        f.api.seal(clinic()).await.expect("sealed");
        let (_, log) = f.send("GET", "/v1/audit", &f.key, String::new()).await;
        let mut entries = log["entries"].as_array().expect("entries").iter();
        assert!(entries.any(|entry| entry["address"] == "198.51.100.7"), "it opens still");
    })
    .await;
}

#[tokio::test]
async fn what_is_written_meanwhile_opens_and_keeps_its_key() {
    on_both(async |f| {
        let shell = f.another_process().await;
        // This process has the first key in memory, and goes on with it until it meets the second.
        f.post("/v1/people", json!({"external_id": "ehr-0"})).await;
        let write = async {
            let mut told = Vec::new();
            for number in 0..60 {
                let (key, body) = (format!("k-{number}"), json!({"external_id": format!("ehr-{number}")}));
                told.push((key.clone(), body.clone(), once(&f, "/v1/people", &key, &body).await));
            }
            told
        };
        let rotate = async {
            for _ in 0..3 {
                shell.rotate_tenant_key(clinic()).await.expect("a new key");
                reseal(&shell).await;
            }
        };
        let (told, ()) = tokio::join!(write, rotate);
        an_hour_passes(&f).await;
        let last = reseal(&shell).await;
        assert_eq!((last.retired.len(), last.stay.len()), (3, 0), "{last:?}");
        assert_eq!(reseal(&shell).await, Resealed::default(), "once is enough");
        assert_eq!(keys(&f).await, [4]);
        for (key, body, before) in told {
            assert_eq!(before.0, StatusCode::OK, "{}", before.1);
            assert_eq!(once(&f, "/v1/people", &key, &body).await, before);
        }
    })
    .await;
}
