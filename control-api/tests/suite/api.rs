//! The control API over HTTP requests, on both databases.

use axum::http::StatusCode;
use control_api::permissions::Scopes;
use media_model::{RandomId, Role};
use serde_json::{Value, json};

use crate::support::{a_patient, now_s, on_both, tenant};

#[tokio::test]
async fn a_ticket_says_what_was_asked_for() {
    on_both(async |f| {
        let consult = f.consult(json!({"waiting_room": true})).await;
        let (status, body) = f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        assert_eq!(status, StatusCode::CREATED);
        let token = body["ticket"].as_str().expect("a token");
        let ticket = f.verifier.verify(token, now_s()).expect("a good ticket");
        assert_eq!((ticket.consult.to_string(), ticket.role, ticket.waits), (consult, Role::Patient, true));
        assert!(ticket.person.reveal().parse::<RandomId>().is_ok(), "the EHR's own id is not in it");
        assert_eq!(ticket.id.to_string(), body["id"].as_str().expect("an id"));
        assert!(body["expires_at"].as_str().expect("a time").ends_with('Z'));
    })
    .await;
}

#[tokio::test]
async fn staff_does_not_wait() {
    on_both(async |f| {
        let consult = f.consult(json!({"waiting_room": true})).await;
        let provider = json!({"role": "provider", "person_id": "d-1", "display_name": "A doctor"});
        let (_, body) = f.post(&format!("/v1/consults/{consult}/tickets"), provider).await;
        let ticket =
            f.verifier.verify(body["ticket"].as_str().expect("a token"), now_s()).expect("a good ticket");
        assert!(!ticket.waits);
    })
    .await;
}

#[tokio::test]
async fn without_a_key_nothing_is_done() {
    on_both(async |f| {
        let stranger = control_api::ApiKey::generate(tenant("clinic"));
        for key in ["", "nonsense", stranger.reveal()] {
            let (status, body) = f.send("POST", "/v1/consults", key, "{}".into()).await;
            assert_eq!((status, body["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("unauthorized")));
        }
        assert_eq!(f.audit().await.len(), 2, "only of the tenant and its client");
    })
    .await;
}

#[tokio::test]
async fn every_bad_body_has_its_own_answer() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        let path = format!("/v1/consults/{consult}/tickets");
        let with = |field: &str, value: Value| {
            let mut body = a_patient();
            body[field] = value;
            body
        };
        for (body, code) in [
            (json!([]), "body_malformed"),
            (with("role", json!("king")), "body_malformed"),
            (with("surprise", json!(1)), "body_malformed"),
            (with("person_id", json!("")), "field_invalid"),
            (with("person_id", json!("x".repeat(129))), "field_invalid"),
            (with("person_id", json!("a b")), "field_invalid"),
            (with("display_name", json!("  ")), "field_invalid"),
            (with("display_name", json!("a\nb")), "field_invalid"),
            (with("display_name", json!("x".repeat(101))), "field_invalid"),
            (with("expires_in_s", json!(0)), "field_invalid"),
            (with("expires_in_s", json!(1_000_000)), "field_invalid"),
            (with("expires_in_s", json!(-1)), "field_invalid"),
            (with("expires_in_s", json!(1e300)), "field_invalid"),
            (with("expires_in_s", json!(1.5)), "body_malformed"),
            (with("display_name", json!("x".repeat(20_000))), "body_too_large"),
        ] {
            let (status, answer) = f.post(&path, body).await;
            assert!(status.is_client_error());
            assert_eq!(answer["code"], code);
        }
        assert_eq!(f.post(&path, with("expires_in_s", json!(300.0))).await.0, StatusCode::CREATED);
        let (status, _) = f.post("/v1/consults/not-an-id/tickets", a_patient()).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (status, _) = f.post(&format!("/v1/consults/{}/tickets", "0".repeat(32)), a_patient()).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn an_ended_consult_gives_no_tickets_and_tells_the_running_one() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        let (status, body) = f.post(&format!("/v1/consults/{consult}/end"), json!({})).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body["ended_at"].is_string());
        let (status, again) = f.post(&format!("/v1/consults/{consult}/end"), json!({})).await;
        assert_eq!((status, &again["ended_at"]), (StatusCode::OK, &body["ended_at"]));
        let (status, body) = f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        assert_eq!((status, body["code"].as_str()), (StatusCode::CONFLICT, Some("consult_ended")));
        let ended = f.orders.ended.lock().expect("not poisoned").clone();
        assert!(ended.iter().all(|id| id.to_string() == consult) && !ended.is_empty());
        f.api.replay_revocations().await.expect("the store works");
        assert_eq!(
            f.orders.revoked.lock().expect("not poisoned").len(),
            1,
            "its tickets are revoked after a restart too"
        );
    })
    .await;
}

#[tokio::test]
async fn a_revoked_ticket_is_told_at_once_and_again_after_a_restart() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        let (_, ticket) = f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        let id = ticket["id"].as_str().expect("an id");
        let path = format!("/v1/consults/{consult}/tickets/{id}");
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        f.api.replay_revocations().await.expect("the store works");
        let told: Vec<_> =
            f.orders.revoked.lock().expect("not poisoned").iter().map(ToString::to_string).collect();
        assert_eq!(told, [id, id]);
        let other = f.consult(json!({})).await;
        let path = format!("/v1/consults/{other}/tickets/{id}");
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn what_was_taken_back_is_told_again_for_as_long_as_a_resume_token_is_good() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        f.post(&format!("/v1/consults/{consult}/end"), json!({})).await;
        let pool = f.raw().await;
        let told = || {
            let counts = (&f.orders.revoked, &f.orders.ended);
            (counts.0.lock().expect("not poisoned").len(), counts.1.lock().expect("not poisoned").len())
        };
        assert_eq!(told(), (0, 1), "ended once");
        let hours_ago = |hours: u64| i64::try_from((now_s() - hours * 3_600) * 1_000).expect("small");
        for (hours, expected) in [(23, (1, 2)), (25, (1, 2))] {
            for statement in
                ["UPDATE tickets SET expires_at = 0, revoked_at = $1", "UPDATE consults SET ended_at = $1"]
            {
                sqlx::query(statement).bind(hours_ago(hours)).execute(&pool).await.expect("changes the row");
            }
            f.api.replay_revocations().await.expect("the store works");
            assert_eq!(told(), expected, "{hours} hours ago, long after the ticket expired");
        }
    })
    .await;
}

#[tokio::test]
async fn every_act_leaves_an_entry_that_cannot_be_changed() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        f.post(&format!("/v1/consults/{consult}/end"), json!({})).await;
        let actions: Vec<_> = f.audit().await.into_iter().map(|(_, action, ..)| action).collect();
        assert_eq!(
            actions,
            ["tenant_created", "api_client_created", "consult_created", "ticket_minted", "consult_ended"]
        );
        let pool = f.raw().await;
        for statement in ["UPDATE audit SET action = 'x'", "DELETE FROM audit"] {
            assert!(sqlx::query(statement).execute(&pool).await.is_err(), "{statement}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_known_by_its_secret_only() {
    on_both(async |f| {
        assert!(f.api.knows_key(&f.key).await.expect("the store works"));
        assert!(!f.api.knows_key("consilium_").await.expect("the store works"));
        assert!(f.api.create_client(tenant("clinic"), "not a name", Scopes::all()).await.is_err());
        assert!(f.api.create_client(tenant("nobody"), "name", Scopes::all()).await.is_err());
    })
    .await;
}
