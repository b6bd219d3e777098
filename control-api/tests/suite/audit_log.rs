//! The audit log over HTTP: who may read it, what it tells, and that what is taken out verifies elsewhere.

use axum::{body::to_bytes, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use control_api::{
    RoleChange,
    audit::{Head, StoredEntry},
    permissions::{Scope, Scopes, TenantRole},
};
use media_model::Pii;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{Fixture, on_both, request, tenant};

/// Two patients who were made known and looked at, sealed.
async fn looked_at(f: &Fixture) -> [String; 2] {
    let mut ids = Vec::new();
    for external_id in ["ehr-1", "ehr-2"] {
        let (_, person) = f.post("/v1/people", json!({"external_id": external_id})).await;
        let id = person["id"].as_str().expect("an id").to_owned();
        f.consent(&id).await;
        ids.push(id);
    }
    f.api.seal(tenant("clinic")).await.expect("sealed");
    ids.try_into().expect("two")
}

async fn get(f: &Fixture, path: &str, key: &str) -> Value {
    let (status, told) = f.send("GET", path, key, String::new()).await;
    assert_eq!(status, StatusCode::OK, "{path}: {told}");
    told
}

#[tokio::test]
async fn the_log_tells_who_looked_at_a_patient_and_from_where() {
    on_both(async |f| {
        let [first, _] = looked_at(&f).await;
        let read = format!("/v1/people/{first}");
        f.send_as(("GET", &read), &f.key, json!(null), None, &[]).await;
        f.api.seal(tenant("clinic")).await.expect("sealed");
        let all = get(&f, "/v1/audit", &f.key).await;
        let seqs: Vec<i64> = all["entries"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["seq"].as_i64().expect("a number"))
            .collect();
        assert_eq!(seqs, (1..=all["last"].as_i64().expect("the last")).collect::<Vec<_>>());
        let looked = all["entries"].as_array().expect("a list").last().expect("the look").clone();
        assert_eq!((&looked["action"], &looked["address"]), (&json!("person_read"), &json!("198.51.100.7")));
        let about = get(&f, &format!("/v1/audit?person={first}"), &f.key).await;
        let about: Vec<&Value> =
            about["entries"].as_array().expect("a list").iter().map(|entry| &entry["action"]).collect();
        assert_eq!(about, ["person_registered", "record_consent", "person_read"], "nothing about the other");
        let next = get(&f, &format!("/v1/audit?after={}&limit=1", seqs[1]), &f.key).await;
        assert_eq!((&next["last"], next["entries"].as_array().map(Vec::len)), (&json!(seqs[2]), Some(1)));
        f.api.seal(tenant("clinic")).await.expect("sealed");
        let end = get(&f, &format!("/v1/audit?after={}", seqs.len()), &f.key).await;
        let looks: Vec<_> = end["entries"].as_array().expect("a list").iter().collect();
        assert_eq!(looks.len(), 3, "reading the log is in the log: {looks:?}");
        assert_eq!((&looks[0]["action"], &looks[1]["patient"]), (&json!("see_audit"), &json!(first)));
        for wrong in ["after=-1", "after=x", "limit=0", "limit=1001", "person=ehr-1", "after=1&after=2"] {
            let (status, told) = f.send("GET", &format!("/v1/audit?{wrong}"), &f.key, String::new()).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {told}");
        }
        let other = f.key_of("other").await;
        let theirs = get(&f, &format!("/v1/audit?person={first}"), &other).await;
        assert_eq!(theirs, json!({"entries": [], "last": null}));
    })
    .await;
}

#[tokio::test]
async fn an_auditor_reads_the_log_and_takes_it_out_only_with_a_second_factor() {
    on_both(async |f| {
        looked_at(&f).await;
        let change = RoleChange { standing: None, tenant_role: Some(Some(TenantRole::Auditor)) };
        let auditor =
            f.api.set_roles_from_shell(tenant("clinic"), Pii::new("audit-1".to_owned()), change).await;
        let auditor = auditor.expect("an auditor").to_string();
        let headers = [("on-behalf-of", auditor.as_str())];
        let read = f.send_as(("GET", "/v1/audit"), &f.key, json!(null), None, &headers).await;
        assert_eq!(read.0, StatusCode::OK, "{}", read.2);
        let export = f.send_as(("GET", "/v1/audit/export"), &f.key, json!(null), None, &headers).await;
        assert_eq!((export.0, &export.2["code"]), (StatusCode::FORBIDDEN, &json!("mfa_needed")));
        let scopes = Scopes::from_iter([Scope::AuditRead]);
        let reader = f.api.create_client(tenant("clinic"), "reader", scopes).await.expect("a client");
        get(&f, "/v1/audit", reader.reveal()).await;
        let (status, told) = f.send("GET", "/v1/audit/export", reader.reveal(), String::new()).await;
        assert_eq!((status, &told["code"]), (StatusCode::FORBIDDEN, &json!("scope_missing")));
    })
    .await;
}

/// The entry that a line of the export has, by what `docs/control-api.md` says of it.
pub fn stored(line: &Value) -> StoredEntry {
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    let sure = |name: &str| text(name).unwrap_or_else(|| panic!("{name} in {line}"));
    StoredEntry {
        version: line["version"].as_i64().expect("a version"),
        id: sure("entry"),
        at_ms: line["at_ms"].as_i64().expect("a time"),
        action: sure("action"),
        outcome: sure("outcome"),
        actor: sure("actor"),
        asserted_by: text("asserted_by"),
        surface: sure("surface"),
        patient: text("patient"),
        consult: text("consult"),
        participant: line["participant"].as_i64(),
        person: text("person"),
        role: text("role"),
        detail: text("detail"),
        address: text("address").map(|sealed| BASE64.decode(sealed).expect("base64")),
        request: text("request"),
        duration_us: line["duration_us"].as_i64(),
    }
}

#[tokio::test]
async fn what_is_exported_is_the_chain_and_verifies_without_a_key() {
    on_both(async |f| {
        looked_at(&f).await;
        let mut head = Head::genesis("clinic");
        let mut lines = 0;
        // In parts of two, as somebody takes out a long one.
        loop {
            let path = format!("/v1/audit/export?limit=2&after={lines}");
            let asked = request("GET", &path, &f.key, String::new());
            let answer = f.router.clone().oneshot(asked).await.expect("an answer");
            assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
            let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
            let part: Vec<Value> = std::str::from_utf8(&bytes)
                .expect("text")
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect();
            for line in &part {
                let link = head.seal(&stored(line)).expect("a version that is known");
                assert_eq!((&line["seq"], &line["hash"]), (&json!(link.seq), &json!(link.hash.to_string())));
                assert_eq!(line["previous"], json!(link.previous.to_string()));
            }
            lines += part.len();
            if part.len() < 2 {
                break;
            }
        }
        let sealed = f.api.seal(tenant("clinic")).await.expect("sealed");
        assert!(lines >= 6, "{lines}");
        assert!(sealed.seq > head.seq, "that it was taken out was put down meanwhile");
    })
    .await;
}
