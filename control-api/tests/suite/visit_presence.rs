//! Tokens of visits: good for who is there, for so many requests, and for nobody who was sent out.

use axum::http::StatusCode;
use control_api::{
    Seen, VisitToken,
    audit::{Action, Actor, Entry, Surface},
    new_entry_id,
};
use media_model::{ParticipantNumber, Pii, Role};
use serde_json::json;
use signaling_protocol::ticket::{KeyRing, Ticket};

use crate::{
    support::{on_both, tenant},
    visit_tokens::{Visit, acts, code, entry, long_ago},
};

/// What signaling hands in of somebody who came with this ticket last, and was sent out.
fn sent_out(visit: &Visit, ticket: &Ticket) -> Seen {
    let by = ParticipantNumber::new(1).expect("not zero");
    let entry = Entry {
        actor: Actor::Staff(by),
        surface: Surface::Signaling,
        consult: visit.consult.parse().ok(),
        person_id: Some(Pii::new(ticket.person.reveal().clone())),
        role: Some(ticket.role),
        detail: Some("removed"),
        ..Entry::of(Action::Left)
    };
    Seen { revoked: Some(ticket.id), ..Seen::new(tenant("clinic"), new_entry_id(), entry) }
}

#[tokio::test]
async fn who_is_sent_out_loses_every_ticket_that_they_were_given_until_then_and_nobody_else_does() {
    on_both(async |f| {
        let (visit, other) = (Visit::begin(&f).await, Visit::begin(&f).await);
        let [patient, provider, _] = visit.tokens(&f);
        let latest = f.ticket(&f.key, &visit.consult, "patient", Role::Patient).await;
        let seen = sent_out(&visit, &latest);
        // As the clock goes: what is given out from now on is a new decision.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let next = f.ticket(&f.key, &visit.consult, "patient", Role::Patient).await;
        f.api.record(&[seen]).await.expect("the database");
        for token in [&patient, &f.welcome(&latest)] {
            assert_eq!(code(&visit.read(&f, token).await), (401, "visit_over"));
        }
        let elsewhere = other.tokens(&f)[0].clone();
        for (visit, token) in [(&visit, &provider), (&visit, &f.welcome(&next)), (&other, &elsewhere)] {
            assert_eq!(visit.read(&f, token).await.0, StatusCode::OK);
        }
    })
    .await;
}

#[tokio::test]
async fn the_waiting_room_guards_the_chat_from_who_left_and_the_end_from_who_was_not_there() {
    on_both(async |f| {
        let visit = Visit::begin(&f).await;
        let [patient, provider, _] = visit.tokens(&f);
        let [of_patient, ..] = &visit.tickets;
        let away = |is_away: bool| {
            let mut away = f.orders.away.lock().expect("not poisoned");
            *away = Vec::from_iter(is_away.then(|| of_patient.person.reveal().clone()));
        };
        away(true);
        assert_eq!(code(&visit.read(&f, &patient).await), (401, "visit_over"));
        assert_eq!(code(&visit.write(&f, &patient, "still here").await), (401, "visit_over"));
        assert_eq!(visit.read(&f, &provider).await.0, StatusCode::OK, "who is there");
        away(false);
        assert_eq!(visit.read(&f, &patient).await.0, StatusCode::OK, "who is let in again");
        let end = format!("/v1/consults/{}/end", visit.consult);
        assert_eq!(f.send("POST", &end, &f.key, String::new()).await.0, StatusCode::OK);
        assert_eq!(visit.read(&f, &patient).await.0, StatusCode::OK, "who was there when it was ended");
        assert_eq!(code(&visit.write(&f, &patient, "wait").await), (409, "consult_ended"));
        away(true);
        assert_eq!(code(&visit.read(&f, &patient).await), (401, "visit_over"), "who was not");
        long_ago(&f, &visit.consult, 15 * 60_000).await;
        assert_eq!(code(&visit.read(&f, &provider).await), (401, "visit_over"));
        let refused: Vec<_> = acts(&f).await.into_iter().filter(|entry| entry[1] == "refused").collect();
        let expected = [
            entry(of_patient, "read_chat", "refused", "not_in_visit"),
            entry(of_patient, "write_chat", "refused", "not_in_visit"),
            entry(&visit.tickets[1], "read_chat", "refused", "consult_ended"),
        ];
        assert_eq!(refused, expected, "each once");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_good_on_the_node_on_which_its_holder_is_and_on_no_other() {
    on_both(async |mut f| {
        let visit = Visit::begin(&f).await;
        let [patient, provider, _] = visit.tokens(&f);
        let nowhere = visit.tickets.iter().map(|ticket| ticket.person.reveal().clone()).collect();
        let elsewhere = std::sync::Arc::new(crate::support::Orders {
            away: std::sync::Mutex::new(nowhere),
            ..Default::default()
        });
        let other = f.another_process_with(elsewhere).await;
        let here = f.router.clone();
        f.router = other.with_visit_keys(KeyRing::of(f.signers.1.clone()).expect("a key").verifier).router();
        for token in [&patient, &provider] {
            assert_eq!(code(&visit.read(&f, token).await), (401, "visit_over"));
        }
        f.router = here;
        assert_eq!(visit.read(&f, &patient).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn one_person_in_a_visit_asks_no_faster_than_a_page_and_a_dead_token_does_not_flood_the_log() {
    on_both(async |f| {
        let visit = Visit::begin(&f).await;
        let [patient, provider, _] = visit.tokens(&f);
        let [of_patient, ..] = &visit.tickets;
        f.orders.away.lock().expect("not poisoned").push(of_patient.person.reveal().clone());
        let again = f.ticket(&f.key, &visit.consult, "patient", Role::Patient).await;
        let mut codes = Vec::new();
        for _ in 0..200 {
            for token in [&patient, &f.welcome(&again)] {
                codes.push(code(&visit.read(&f, token).await).0);
            }
        }
        let looked_at = codes.iter().filter(|code| **code == 401).count();
        assert!((60..150).contains(&looked_at) && codes.contains(&429), "{looked_at} of {}", codes.len());
        assert_eq!(visit.read(&f, &provider).await.0, StatusCode::OK, "somebody else");
        let refused =
            async || acts(&f).await.into_iter().filter(|entry| entry[1] == "refused").collect::<Vec<_>>();
        let each = [of_patient, &again].map(|ticket| entry(ticket, "read_chat", "refused", "not_in_visit"));
        assert_eq!(refused().await, each, "each ticket's once");
        assert_eq!(f.api.tell_anonymous().await, 2);
        let told = refused().await;
        let times = told[2..].iter().map(|entry| {
            let times = entry[6].strip_prefix("not_in_visit times:").expect("how often");
            times.parse::<usize>().expect("a number")
        });
        assert_eq!(times.sum::<usize>(), looked_at - 2);
        assert_eq!(f.api.tell_anonymous().await, 0, "once");
    })
    .await;
}

#[tokio::test]
async fn a_genuine_token_is_held_up_by_nobody_who_guesses_and_holds_up_nobody() {
    on_both(async |mut f| {
        f.api = f.api.clone().with_failures_per_s(1);
        f.router = f.api.router();
        let visit = Visit::begin(&f).await;
        let (good, token) = (f.welcome(&visit.tickets[0]), f.visit_token(&visit.tickets[0]));
        let (issued_at_unix_s, expires_at_unix_s) =
            (token.issued_at_unix_s - 20_000, token.expires_at_unix_s - 20_000);
        let expired = f.signers.1.sign(&VisitToken { issued_at_unix_s, expires_at_unix_s, ..token });
        let read = async |token: &str| {
            let (status, _, told) = f.send_as(("GET", &visit.chat), token, json!({}), None, &[]).await;
            (status.as_u16(), told["code"].as_str().unwrap_or_default().to_owned())
        };
        for _ in 0..10 {
            assert_eq!(read(&expired).await, (401, "unauthorized".to_owned()));
        }
        let false_one = format!("{}x", &good[..good.len() - 10]);
        assert_eq!(read(&false_one).await.0, 401, "an expired one is no failure of its address");
        let mut codes = Vec::new();
        for _ in 0..10 {
            codes.push(read(&false_one).await.0);
        }
        assert!(codes.contains(&429), "{codes:?}");
        assert_eq!(read(&good).await.0, 200, "also one that nobody has shown before");
        f.api.tell_anonymous().await;
        let told: Vec<(String,)> = sqlx::query_as(
            "SELECT detail FROM audit WHERE action = 'anonymous_refused' AND tenant = 'clinic'",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        assert_eq!(told, [("visit_token times:10 addresses:1".to_owned(),)], "whose it was is known");
    })
    .await;
}
