//! Appointments: booked once, with the patient's consent, and gone through in order, on both databases.

use axum::http::StatusCode;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::{Fixture, on_both};

const PATIENT: &str = "ehr-patient-1";
const REASON: &str = "a cough that does not go away";

/// So many minutes from now, as the API reads it.
fn in_minutes(minutes: i64) -> String {
    (OffsetDateTime::now_utc() + time::Duration::minutes(minutes)).format(&Rfc3339).expect("a time")
}

fn appointment(provider: &str, from_min: i64, to_min: i64) -> Value {
    json!({
        "starts_at": in_minutes(from_min),
        "ends_at": in_minutes(to_min),
        "reason": REASON,
        "people": [{"person_id": PATIENT, "role": "patient"}, {"person_id": provider, "role": "provider"}],
    })
}

async fn consent(f: &Fixture, method: &str) -> StatusCode {
    let (_, person) = f.post("/v1/people", json!({"external_id": PATIENT})).await;
    let path = format!("/v1/people/{}/consents/telehealth", person["id"].as_str().expect("an id"));
    f.send(method, &path, &f.key, String::new()).await.0
}

async fn booked(f: &Fixture, body: Value) -> Value {
    let (status, booked) = f.post("/v1/appointments", body).await;
    assert_eq!(status, StatusCode::CREATED, "{booked}");
    booked
}

async fn change(f: &Fixture, appointment: &Value, change: &str) -> (StatusCode, Value) {
    let id = appointment["id"].as_str().expect("an id");
    f.post(&format!("/v1/appointments/{id}/{change}"), json!({})).await
}

#[tokio::test]
async fn of_two_hundred_who_book_one_slot_at_once_one_gets_it() {
    on_both(async |f| {
        assert_eq!(consent(&f, "PUT").await, StatusCode::NO_CONTENT);
        let all = (0..200).map(async |_| {
            loop {
                let answer = f.post("/v1/appointments", appointment("dr-1", 60, 90)).await;
                // On a busy machine some wait too long for the database: nothing was done, they try again.
                if answer.0 != StatusCode::SERVICE_UNAVAILABLE {
                    return answer;
                }
            }
        });
        let answers = futures_util::future::join_all(all).await;
        let winners = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
        let losers = answers
            .iter()
            .filter(|(status, body)| *status == StatusCode::CONFLICT && body["code"] == "booked_twice");
        assert_eq!((winners, losers.count()), (1, 199), "{:?}", answers.first());
    })
    .await;
}

#[tokio::test]
async fn whoever_is_booked_is_free_again_when_it_is_called_off_moved_or_next_to_it() {
    on_both(async |f| {
        consent(&f, "PUT").await;
        let first = booked(&f, appointment("dr-1", 60, 90)).await;
        let (status, body) = f.post("/v1/appointments", appointment("dr-1", 75, 105)).await;
        assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("booked_twice")));
        booked(&f, appointment("dr-2", 75, 105)).await;
        let path = format!("/v1/appointments/{}/move", first["id"].as_str().expect("an id"));
        let to = json!({"starts_at": in_minutes(200), "ends_at": in_minutes(230)});
        assert_eq!(f.post(&path, to).await.0, StatusCode::OK);
        let second = booked(&f, appointment("dr-1", 75, 105)).await;
        assert_eq!(change(&f, &second, "cancel").await.1["state"], "cancelled");
        booked(&f, appointment("dr-1", 75, 105)).await;
        let back = json!({"starts_at": in_minutes(80), "ends_at": in_minutes(110)});
        let (status, body) = f.post(&path, back).await;
        assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("booked_twice")));
    })
    .await;
}

#[tokio::test]
async fn an_appointment_goes_from_booked_to_completed_and_ends_its_consult() {
    on_both(async |f| {
        consent(&f, "PUT").await;
        let first = booked(&f, appointment("dr-1", 10, 40)).await;
        assert_eq!(first["state"], "scheduled");
        assert_ne!(first["id"], first["consult"]);
        let (status, body) = change(&f, &first, "end").await;
        assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("state_forbids")));
        for (act, state) in [("confirm", "confirmed"), ("start", "in_progress")] {
            let (status, body) = change(&f, &first, act).await;
            assert_eq!((status, &body["state"]), (StatusCode::OK, &json!(state)), "{act}");
        }
        let (status, summary) = change(&f, &first, "end").await;
        assert_eq!((status, &summary["appointment"]), (StatusCode::OK, &first["id"]), "{summary}");
        assert_eq!(change(&f, &first, "cancel").await.1["code"], "state_forbids", "it is over");
        let ended = f.orders.ended.lock().expect("not poisoned").clone();
        assert_eq!(
            ended.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [first["consult"].as_str().expect("an id")]
        );
        assert_eq!(change(&f, &first, "dance").await.0, StatusCode::NOT_FOUND);
        let actions: Vec<_> = f.audit().await.into_iter().skip(4).map(|(_, action, ..)| action).collect();
        let expected = ["book_appointment", "confirm_appointment", "start_appointment", "end_appointment"];
        assert_eq!(actions, expected, "what was refused changed nothing");
    })
    .await;
}

#[tokio::test]
async fn without_the_patients_consent_nothing_is_booked_nor_begun_nor_joined() {
    on_both(async |f| {
        let (status, body) = f.post("/v1/appointments", appointment("dr-1", 10, 40)).await;
        assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("consent_missing")));
        assert_eq!(consent(&f, "DELETE").await, StatusCode::NOT_FOUND);
        consent(&f, "PUT").await;
        let first = booked(&f, appointment("dr-1", 10, 40)).await;
        let tickets = format!("/v1/consults/{}/tickets", first["consult"].as_str().expect("an id"));
        let ticket =
            |person: &str, role: &str| json!({"role": role, "person_id": person, "display_name": "Somebody"});
        let mut given = Vec::new();
        for (person, role) in [(PATIENT, "patient"), ("dr-1", "provider")] {
            let (status, minted) = f.post(&tickets, ticket(person, role)).await;
            assert_eq!(status, StatusCode::CREATED);
            given.push(minted["id"].as_str().expect("an id").to_owned());
        }
        for (person, role) in [("dr-2", "provider"), (PATIENT, "provider"), ("dr-1", "observer")] {
            let (status, body) = f.post(&tickets, ticket(person, role)).await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::FORBIDDEN, &json!("not_booked")),
                "{person} {role}"
            );
        }
        assert_eq!(consent(&f, "DELETE").await, StatusCode::NO_CONTENT);
        let mut barred: Vec<_> =
            f.orders.barred.lock().expect("not poisoned").iter().map(ToString::to_string).collect();
        barred.sort_unstable();
        given.sort_unstable();
        assert_eq!(barred, given, "what was given out opens nothing any more");
        let (status, body) = f.post(&tickets, ticket(PATIENT, "patient")).await;
        assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("consent_missing")));
        let (status, body) = change(&f, &first, "start").await;
        assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("consent_missing")));
    })
    .await;
}

#[tokio::test]
async fn an_appointment_is_its_tenants_own_and_the_reason_for_it_nobodys_who_reads_the_tables() {
    on_both(async |f| {
        let other = f.key_of("other").await;
        consent(&f, "PUT").await;
        let first = booked(&f, appointment("dr-1", 10, 40)).await;
        let path = format!("/v1/appointments/{}", first["id"].as_str().expect("an id"));
        assert_eq!(f.send("GET", &path, &f.key, String::new()).await, (StatusCode::OK, first.clone()));
        assert_eq!(f.send("GET", &path, &other, String::new()).await.0, StatusCode::NOT_FOUND);
        for act in ["confirm", "cancel", "start"] {
            let (status, _) = f.send("POST", &format!("{path}/{act}"), &other, "{}".into()).await;
            assert_eq!(status, StatusCode::NOT_FOUND);
        }
        let bytes = f.all_bytes().await;
        let holds = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(holds(first["consult"].as_str().expect("an id")) && !holds(REASON) && !holds(PATIENT));
    })
    .await;
}

#[tokio::test]
async fn every_bad_booking_has_its_own_answer() {
    on_both(async |f| {
        consent(&f, "PUT").await;
        let with = |field: &str, value: Value| {
            let mut body = appointment("dr-1", 60, 90);
            body[field] = value;
            body
        };
        let twice =
            json!([{"person_id": PATIENT, "role": "patient"}, {"person_id": PATIENT, "role": "nurse"}]);
        for (body, code) in [
            (with("starts_at", json!("tomorrow")), "field_invalid"),
            (with("ends_at", json!(in_minutes(61))), "field_invalid"),
            (with("people", json!([])), "field_invalid"),
            (with("people", twice), "field_invalid"),
            (with("reason", json!("")), "field_invalid"),
            (with("surprise", json!(1)), "body_malformed"),
            (appointment("dr-1", -120, -60), "in_the_past"),
        ] {
            let (status, answer) = f.post("/v1/appointments", body).await;
            assert!(status.is_client_error());
            assert_eq!(answer["code"], code);
        }
    })
    .await;
}
