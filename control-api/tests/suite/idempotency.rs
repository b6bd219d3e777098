//! A request with an idempotency key is done once, however often it is sent.

use axum::http::StatusCode;
use control_api::RoleChange;
use media_model::{Pii, Role};
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{
    Fixture, a_patient,
    browser::{ORIGIN, signed_in},
    in_seconds, on_both, tenant,
};

/// How often something was done, by the audit log.
async fn count(f: &Fixture, action: &str) -> usize {
    f.audit().await.iter().filter(|(_, what, ..)| what == action).count()
}

#[tokio::test]
async fn a_repeated_request_is_answered_the_same_and_done_once() {
    on_both(async |f| {
        let first = f.post_once("/v1/consults", "k-1", json!({})).await;
        assert_eq!(first.0, StatusCode::CREATED);
        assert_eq!(f.post_once("/v1/consults", "k-1", json!({})).await, first);
        assert_eq!(count(&f, "consult_created").await, 1);
        assert_eq!(count(&f, "create_consult").await, 1, "that it was told again is in the audit log");
        assert_ne!(f.post_once("/v1/consults", "k-2", json!({})).await.1, first.1, "another key");

        let consult = first.1["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/consults/{consult}/tickets");
        let ticket = f.post_once(&path, "k-1", a_patient()).await;
        assert_eq!(ticket.0, StatusCode::CREATED, "the same key of another path is another key");
        assert_eq!(f.post_once(&path, "k-1", a_patient()).await, ticket);

        let path = format!("{path}/{}", ticket.1["id"].as_str().expect("an id"));
        for _ in 0..2 {
            let (status, _, body) = f.send_as(("DELETE", &path), &f.key, json!({}), Some("k-1"), &[]).await;
            assert_eq!((status, body), (StatusCode::NO_CONTENT, serde_json::Value::Null));
        }
        assert_eq!(count(&f, "ticket_revoked").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_good_for_one_body_and_has_a_form() {
    on_both(async |f| {
        f.post_once("/v1/consults", "k-1", json!({})).await;
        let (status, body) = f.post_once("/v1/consults", "k-1", json!({"waiting_room": true})).await;
        let reused = (StatusCode::UNPROCESSABLE_ENTITY, Some("idempotency_key_reused"));
        assert_eq!((status, body["code"].as_str()), reused);
        for bad in ["", "a b", &"x".repeat(129)] {
            let (status, body) = f.post_once("/v1/consults", bad, json!({})).await;
            let malformed = (StatusCode::BAD_REQUEST, Some("idempotency_key_malformed"));
            assert_eq!((status, body["code"].as_str()), malformed);
        }
        assert_eq!(count(&f, "consult_created").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again_with_its_key() {
    on_both(async |f| {
        let path = format!("/v1/consults/{}/tickets", "0".repeat(32));
        assert_eq!(f.post_once(&path, "k-1", a_patient()).await.0, StatusCode::NOT_FOUND);
        assert_eq!(f.post_once(&path, "k-1", a_patient()).await.0, StatusCode::NOT_FOUND);
        let person = json!({"external_id": ""});
        let (status, _) = f.post_once("/v1/people", "k-1", person).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        let (status, _) = f.post_once("/v1/people", "k-1", json!({"external_id": "p"})).await;
        assert_eq!(status, StatusCode::OK, "nothing was kept of what was refused");
    })
    .await;
}

#[tokio::test]
async fn keys_of_other_clients_and_tenants_are_other_keys() {
    on_both(async |f| {
        let mut ids = Vec::new();
        let scopes = control_api::permissions::Scopes::all();
        let second = f.api.create_client(tenant("clinic"), "second", scopes).await;
        let second = second.expect("a client").reveal().to_owned();
        for key in [&f.key, &second, &f.key_of("other").await] {
            let (status, _, body) =
                f.send_as(("POST", "/v1/consults"), key, json!({}), Some("k-1"), &[]).await;
            assert_eq!(status, StatusCode::CREATED);
            ids.push(body["id"].to_string());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_one_acts_and_all_get_its_answer() {
    on_both(async |f| {
        let one = || f.post_once("/v1/consults", "k-1", json!({}));
        let answers = futures_util::future::join_all((0..8).map(|_| one())).await;
        assert_eq!(answers[0].0, StatusCode::CREATED);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(count(&f, "consult_created").await, 1);
    })
    .await;
}

#[tokio::test]
async fn answers_are_kept_sealed_for_a_day_and_not_beyond_an_erasure() {
    on_both(async |f| {
        let body = json!({"external_id": "ehr-person-4711"});
        let (_, person) = f.post_once("/v1/people", "k-1", body.clone()).await;
        f.post_once("/v1/consults", "k-2", json!({})).await;
        let pool = f.raw().await;
        let rows = sqlx::query("SELECT key_hash, body_hash, answer FROM kept_answers ORDER BY status");
        let rows = rows.fetch_all(&pool).await.expect("rows");
        assert_eq!(rows.len(), 2);
        for row in &rows {
            for column in ["key_hash", "body_hash", "answer"] {
                let bytes = String::from_utf8_lossy(row.get::<&[u8], _>(column)).into_owned();
                assert!(!bytes.contains("4711") && !bytes.contains("k-1") && !bytes.contains("created_at"));
            }
        }
        let path = format!("/v1/people/{}", person["id"].as_str().expect("an id"));
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        let (_, again) = f.post_once("/v1/people", "k-1", body).await;
        assert_ne!(again["id"], person["id"], "nothing of the erased person was kept");

        assert_eq!(f.api.forget_answers().await.expect("the store works"), 0);
        let old = sqlx::query("UPDATE kept_answers SET expires_at = expires_at - 86400001");
        old.execute(&pool).await.expect("the rows are there");
        let (status, other) = f.post_once("/v1/consults", "k-2", json!({"waiting_room": true})).await;
        assert_eq!((status, &other["waiting_room"]), (StatusCode::CREATED, &json!(true)), "its key is free");
        assert_eq!(f.api.forget_answers().await.expect("the store works"), 1, "of the person");
    })
    .await;
}

/// Asks on behalf of a person with the idempotency key `k`.
async fn once_for(f: &Fixture, path: &str, person: &str, body: Value) -> (StatusCode, Value) {
    let (status, _, told) =
        f.send_as(("POST", path), &f.key, body, Some("k"), &[("on-behalf-of", person)]).await;
    (status, told)
}

fn forbidden(why: &str) -> (StatusCode, Value) {
    (StatusCode::FORBIDDEN, json!(why))
}

#[tokio::test]
async fn an_answer_is_told_again_to_nobody_who_may_no_longer() {
    on_both(async |f| {
        let known_as = async |standing| {
            let change = RoleChange { standing: Some(standing), tenant_role: None };
            let id = f.api.set_roles_from_shell(tenant("clinic"), Pii::new("dr-1".to_owned()), change).await;
            id.expect("a person").to_string()
        };
        let doctor = known_as(Some(Role::Provider)).await;
        let first = once_for(&f, "/v1/consults", &doctor, json!({})).await;
        assert_eq!(first.0, StatusCode::CREATED);
        assert_eq!(once_for(&f, "/v1/consults", &doctor, json!({})).await, first);
        known_as(None).await;
        let refused = once_for(&f, "/v1/consults", &doctor, json!({})).await;
        assert_eq!((refused.0, refused.1["code"].clone()), forbidden("role_forbids"));
        known_as(Some(Role::Provider)).await;
        assert_eq!(once_for(&f, "/v1/consults", &doctor, json!({})).await, first, "as before");

        // A ticket of a visit, while the person is booked for it.
        let (_, patient) = f.post("/v1/people", json!({"external_id": "p-1"})).await;
        f.consent(patient["id"].as_str().expect("an id")).await;
        let people =
            json!([{"person_id": "p-1", "role": "patient"}, {"person_id": "dr-1", "role": "provider"}]);
        let visit = json!({"starts_at": in_seconds(60), "ends_at": in_seconds(660), "people": people});
        let (_, visit) = f.post("/v1/appointments", visit).await;
        let path = format!("/v1/consults/{}/tickets", visit["consult"].as_str().expect("an id"));
        let ticket = once_for(&f, &path, &doctor, a_patient()).await;
        assert_eq!(ticket.0, StatusCode::CREATED, "{}", ticket.1);
        assert_eq!(once_for(&f, &path, &doctor, a_patient()).await, ticket);
        let gone = sqlx::query("DELETE FROM appointment_people WHERE role = 'provider'");
        gone.execute(&f.raw().await).await.expect("the owner may");
        let refused = once_for(&f, &path, &doctor, a_patient()).await;
        assert_eq!((refused.0, refused.1["code"].clone()), forbidden("not_concerned"));
        let entries = f.audit().await;
        let noted = entries
            .iter()
            .filter(|(_, _, outcome, actor)| outcome == "refused" && *actor == format!("person:{doctor}"));
        assert_eq!(noted.count(), 2, "both are in the audit log");
    })
    .await;
}

#[tokio::test]
async fn an_answer_of_two_factors_is_not_told_again_to_one() {
    on_both(async |f| {
        let change = RoleChange { standing: Some(Some(Role::Nurse)), tenant_role: None };
        let nurse = f.api.set_roles_from_shell(tenant("clinic"), Pii::new("n-1".to_owned()), change).await;
        let nurse = nurse.expect("a person").to_string();
        let (_, patient) = f.post("/v1/people", json!({"external_id": "p-1"})).await;
        let body = json!({"patient": patient["id"], "reason": "unconscious, allergies unknown"}).to_string();
        let headers = [("origin", ORIGIN), ("idempotency-key", "k")];
        let ask = async |mfa| {
            let mut browser = signed_in(&f, "clinic", &nurse, mfa).await;
            let page = browser.send("POST", "/v1/break-glass", &body, &headers).await;
            (page.status, page.json())
        };
        let first = ask(true).await;
        assert_eq!(first.0, StatusCode::CREATED, "{}", first.1);
        assert_eq!(ask(true).await, first);
        let refused = ask(false).await;
        assert_eq!((refused.0, refused.1["code"].clone()), forbidden("mfa_needed"));
        assert_eq!(count(&f, "open_break_glass").await, 3, "once done, once told again, once refused");
    })
    .await;
}
