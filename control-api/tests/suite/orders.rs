//! What was taken back is told to running consults, whoever took it and whatever became of them.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use axum::http::StatusCode;
use media_model::ConsultId;
use serde_json::json;
use signaling_protocol::ticket::TicketId;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::support::{Fixture, Orders, in_seconds, on_both, request};

async fn a_consult(f: &Fixture) -> String {
    let (status, consult) = f.post("/v1/consults", json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{consult}");
    consult["id"].as_str().expect("an id").to_owned()
}

async fn a_ticket(f: &Fixture, consult: &str) -> TicketId {
    let body = json!({"role": "provider", "person_id": "dr-1", "display_name": "Somebody"});
    let (status, minted) = f.post(&format!("/v1/consults/{consult}/tickets"), body).await;
    assert_eq!(status, StatusCode::CREATED, "{minted}");
    minted["id"].as_str().expect("an id").parse().expect("a ticket's id")
}

async fn revoked(f: &Fixture) -> Vec<String> {
    sqlx::query_scalar("SELECT id FROM tickets WHERE revoked_at IS NOT NULL")
        .fetch_all(&f.raw().await)
        .await
        .expect("rows")
}

/// Waits until what is asked for is so.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.expect("it comes to be so");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_has_revoked_all_the_same() {
    on_both(async |f| {
        let consult = a_consult(&f).await;
        // Given up after the first step, after the second, and so on, until it is done before.
        for steps in 1.. {
            let ticket = a_ticket(&f, &consult).await;
            let path = format!("/v1/consults/{consult}/tickets/{ticket}");
            let mut asked =
                Box::pin(f.router.clone().oneshot(request("DELETE", &path, &f.key, String::new())));
            let mut left = steps;
            let done = poll_fn(|cx| {
                left -= 1;
                match asked.as_mut().poll(cx) {
                    Poll::Ready(answer) => Poll::Ready(Some(answer)),
                    Poll::Pending if left == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            let answer = done.await;
            drop(asked);
            until(async || {
                let is_told = f.orders.revoked.lock().expect("not poisoned").contains(&ticket);
                is_told && revoked(&f).await.contains(&ticket.to_string())
            })
            .await;
            if let Some(answer) = answer {
                assert_eq!(answer.expect("an answer").status(), StatusCode::NO_CONTENT);
                break;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_took_back_is_told_within_seconds_and_once() {
    on_both(async |f| {
        let (consult, orders) = (a_consult(&f).await, Arc::new(Orders::default()));
        let following = tokio::spawn(f.another_process_with(orders.clone()).await.keep_following_orders());
        let ticket = a_ticket(&f, &consult).await;
        let path = format!("/v1/consults/{consult}/tickets/{ticket}");
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        until(async || orders.revoked.lock().expect("not poisoned").contains(&ticket)).await;
        let end = format!("/v1/consults/{consult}/end");
        assert_eq!(f.post(&end, json!({})).await.0, StatusCode::OK);
        let ended: ConsultId = consult.parse().expect("an id");
        until(async || orders.ended.lock().expect("not poisoned").contains(&ended)).await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let revoked = orders.revoked.lock().expect("not poisoned").clone();
        assert_eq!(revoked.iter().filter(|one| **one == ticket).count(), 1, "{revoked:?}");
        assert_eq!(*orders.ended.lock().expect("not poisoned"), [ended]);
        following.abort();
    })
    .await;
}

#[tokio::test]
async fn a_consult_is_over_since_its_first_end() {
    on_both(async |f| {
        let (consult, appointment) = a_visit(&f).await;
        let end = format!("/v1/consults/{consult}/end");
        let (first, second) = tokio::join!(f.post(&end, json!(null)), f.post(&end, json!(null)));
        assert_eq!((first.0, second.0), (StatusCode::OK, StatusCode::OK));
        let over_since = async |f: &Fixture| {
            let since = sqlx::query_scalar::<_, i64>("SELECT ended_at FROM consults WHERE id = $1");
            since.bind(&consult).fetch_one(&f.raw().await).await.expect("over")
        };
        let since = over_since(&f).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (status, ended) = f.post(&format!("/v1/appointments/{appointment}/end"), json!({})).await;
        assert_eq!(status, StatusCode::OK, "{ended}");
        assert_eq!(over_since(&f).await, since, "which its tickets say, too");
        let told = f.audit().await.into_iter().filter(|(_, action, ..)| action == "consult_ended").count();
        assert_eq!(told, 1, "by one of the two");
    })
    .await;
}

/// A visit that was started, of `ehr-1` with `dr-1`: its consult, and its appointment.
async fn a_visit(f: &Fixture) -> (String, String) {
    let (_, patient) = f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
    f.consent(patient["id"].as_str().expect("an id")).await;
    let people = json!([
        {"person_id": "ehr-1", "role": "patient"},
        {"person_id": "dr-1", "role": "provider"},
    ]);
    let body = json!({"starts_at": in_seconds(0), "ends_at": in_seconds(1_800), "people": people});
    let (status, appointment) = f.post("/v1/appointments", body).await;
    assert_eq!(status, StatusCode::CREATED, "{appointment}");
    let id = |value: &serde_json::Value| value.as_str().expect("an id").to_owned();
    let (consult, appointment) = (id(&appointment["consult"]), id(&appointment["id"]));
    let (status, started) = f.post(&format!("/v1/appointments/{appointment}/start"), json!(null)).await;
    assert_eq!(status, StatusCode::OK, "{started}");
    (consult, appointment)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_made_while_consent_is_withdrawn_is_barred_or_refused() {
    on_both(async |f| {
        let (consult, _) = a_visit(&f).await;
        let (_, patient) = f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
        let patient = patient["id"].as_str().expect("an id");
        let withdraw = format!("/v1/people/{patient}/consents/telehealth");
        let tickets = format!("/v1/consults/{consult}/tickets");
        for _ in 0..20 {
            let mint =
                || f.post(&tickets, json!({"role": "provider", "person_id": "dr-1", "display_name": "A"}));
            let gone = f.send("DELETE", &withdraw, &f.key, String::new());
            let (one, two, three, (withdrawn, _)) = tokio::join!(mint(), mint(), mint(), gone);
            assert_eq!(withdrawn, StatusCode::NO_CONTENT);
            let made =
                [one, two, three].into_iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
            let open = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM tickets WHERE barred_at IS NULL");
            assert_eq!(open.fetch_one(&f.raw().await).await.expect("rows"), 0, "of {made} that were made");
            f.consent(patient).await;
        }
    })
    .await;
}
