//! What a visit came to: who was there for how long, and what becomes of one that did not take place.

use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Fixture, in_seconds, on_both, tenant};
use axum::http::StatusCode;
use control_api::{
    Connection, Seen,
    audit::{Action, Entry},
    ids::PersonId,
    new_entry_id,
};
use media_model::{ConsultId, Pii, RequestId, Role};
use serde_json::{Value, json};

/// An appointment that begins now, for a patient and a provider.
async fn booked(f: &Fixture) -> Value {
    let (_, patient) = f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
    f.consent(patient["id"].as_str().expect("an id")).await;
    let people = json!([
        {"person_id": "ehr-1", "role": "patient"},
        {"person_id": "dr-1", "role": "provider"},
    ]);
    let (starts_at, ends_at) = (in_seconds(0), in_seconds(1_800));
    let body =
        json!({"starts_at": starts_at, "ends_at": ends_at, "people": people, "reason": "cough since Monday"});
    let (status, appointment) = f.post("/v1/appointments", body).await;
    assert_eq!(status, StatusCode::CREATED, "{appointment}");
    appointment
}

fn path(appointment: &Value, rest: &str) -> String {
    format!("/v1/appointments/{}/{rest}", appointment["id"].as_str().expect("an id"))
}

/// What signaling saw, so many seconds after the visit began.
async fn seen(f: &Fixture, appointment: &Value, role: Role, action: Action, after_s: u64) {
    seen_by(f, appointment, (role, None), action, after_s).await;
}

/// The same, by one of their connections.
async fn seen_by(
    f: &Fixture,
    appointment: &Value,
    (role, request): (Role, Option<RequestId>),
    action: Action,
    after_s: u64,
) {
    let people = appointment["people"].as_array().expect("people");
    let person = people.iter().find(|person| person["role"] == role.as_str()).expect("booked");
    let started = time::OffsetDateTime::parse(
        appointment["started_at"].as_str().expect("started"),
        &time::format_description::well_known::Rfc3339,
    );
    let started_s = started.expect("a time").unix_timestamp().unsigned_abs();
    let entry = Entry {
        at: UNIX_EPOCH + Duration::from_secs(started_s + after_s),
        consult: Some(appointment["consult"].as_str().expect("an id").parse().expect("an id")),
        person_id: Some(Pii::new(person["id"].as_str().expect("an id").to_owned())),
        role: Some(role),
        request,
        ..Entry::of(action)
    };
    f.api.record(&[Seen::new(tenant("clinic"), new_entry_id(), entry)]).await.expect("the database");
}

#[tokio::test]
async fn a_summary_tells_who_was_there_for_how_long_and_why() {
    on_both(async |f| {
        let appointment = booked(&f).await;
        let summary = path(&appointment, "summary");
        let (status, body) = f.send("GET", &summary, &f.key, String::new()).await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::CONFLICT, &json!("state_forbids")),
            "it has not taken place"
        );
        let (_, started) = f.post(&path(&appointment, "start"), json!(null)).await;
        for (role, action, after_s) in [
            (Role::Provider, Action::Joined, 2),
            (Role::Patient, Action::Admitted, 4),
            (Role::Patient, Action::Left, 10),
            (Role::Patient, Action::Joined, 12),
            (Role::Patient, Action::Left, 20),
            (Role::Provider, Action::Left, 18),
        ] {
            seen(&f, &started, role, action, after_s).await;
        }
        f.send("POST", &path(&appointment, "end"), &f.key, String::new()).await;
        // It ended a moment ago: later, for the sake of what was seen.
        let later =
            "UPDATE appointments SET started_at = started_at / 1000 * 1000, ended_at = started_at + 60000";
        sqlx::query(later).execute(&f.raw().await).await.expect("the owner may");
        let (status, told) = f.send("GET", &summary, &f.key, String::new()).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        assert_eq!(
            (&told["together_s"], &told["reason"]),
            (&json!(12), &json!("cough since Monday")),
            "{told}"
        );
        assert_eq!(told["recordings"], json!([]), "nothing is recorded");
        let present: Vec<_> = told["attendance"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|a| (&a["role"], &a["present_s"]))
            .collect();
        assert_eq!(present, [(&json!("provider"), &json!(16)), (&json!("patient"), &json!(14))]);
        let other = f.key_of("other").await;
        assert_eq!(f.send("GET", &summary, &other, String::new()).await.0, StatusCode::NOT_FOUND);
        let reads =
            f.audit().await.into_iter().filter(|entry| format!("{entry:?}").contains("read_notes")).count();
        assert_eq!(reads, 1, "the look was put down, and not those that were shown nothing");
    })
    .await;
}

#[tokio::test]
async fn who_reloads_the_page_or_comes_by_two_devices_was_there_all_the_time() {
    on_both(async |f| {
        let appointment = booked(&f).await;
        let (_, started) = f.post(&path(&appointment, "start"), json!(null)).await;
        let by = |number| Some(RequestId::from_bytes([number; 16]));
        for (role, connection, action, after_s) in [
            (Role::Provider, 1, Action::Joined, 2),
            (Role::Patient, 2, Action::Joined, 4),
            (Role::Provider, 3, Action::Joined, 10),
            (Role::Provider, 1, Action::Left, 11),
            (Role::Patient, 4, Action::Joined, 12),
            (Role::Patient, 4, Action::Left, 13),
            (Role::Provider, 3, Action::Left, 18),
            (Role::Patient, 2, Action::Left, 20),
        ] {
            seen_by(&f, &started, (role, by(connection)), action, after_s).await;
        }
        f.send("POST", &path(&appointment, "end"), &f.key, String::new()).await;
        let later =
            "UPDATE appointments SET started_at = started_at / 1000 * 1000, ended_at = started_at + 60000";
        sqlx::query(later).execute(&f.raw().await).await.expect("the owner may");
        let (_, told) = f.send("GET", &path(&appointment, "summary"), &f.key, String::new()).await;
        let present = told["attendance"].as_array().expect("a list").iter();
        let present: Vec<_> = present.map(|a| (&a["role"], &a["present_s"])).collect();
        assert_eq!(present, [(&json!("provider"), &json!(16)), (&json!("patient"), &json!(16))]);
        assert_eq!(told["together_s"], 14, "{told}");
    })
    .await;
}

#[tokio::test]
async fn who_did_not_come_is_put_down_after_ten_minutes_and_who_came_never() {
    on_both(async |f| {
        let appointment = booked(&f).await;
        let missed = path(&appointment, "no-show");
        assert_eq!(f.post(&missed, json!(null)).await.1["code"], "too_early");
        let earlier = "UPDATE appointments SET starts_at = starts_at - 1200000, ends_at = ends_at - 1200000";
        sqlx::query(earlier).execute(&f.raw().await).await.expect("the owner may");
        let (_, started) = f.post(&path(&appointment, "start"), json!(null)).await;
        seen(&f, &started, Role::Patient, Action::Joined, 0).await;
        assert_eq!(f.post(&missed, json!(null)).await.1["code"], "patient_came");
    })
    .await;
    on_both(async |f| {
        let appointment = booked(&f).await;
        let earlier = "UPDATE appointments SET starts_at = starts_at - 1200000, ends_at = ends_at - 1200000";
        sqlx::query(earlier).execute(&f.raw().await).await.expect("the owner may");
        let (status, told) = f.post(&path(&appointment, "no-show"), json!(null)).await;
        assert_eq!((status, &told["state"]), (StatusCode::OK, &json!("no_show")), "{told}");
        let again = f.post(&path(&appointment, "no-show"), json!(null)).await;
        assert_eq!(again.1["code"], "state_forbids");
    })
    .await;
}

#[tokio::test]
async fn a_summary_tells_how_well_people_were_connected_and_a_connection_counts_once() {
    on_both(async |f| {
        let appointment = booked(&f).await;
        let (_, started) = f.post(&path(&appointment, "start"), json!(null)).await;
        let people = started["people"].as_array().expect("people");
        let of = |role: &str| {
            let person = people.iter().find(|person| person["role"] == role).expect("booked");
            person["id"].as_str().expect("an id").parse().expect("an id")
        };
        let (patient, provider) = (of("patient"), of("provider"));
        let consult = started["consult"].as_str().expect("an id").parse().expect("an id");
        let connection = |person, lost, round_trip_ms: Option<u64>, broke| Connection {
            id: new_entry_id(),
            tenant: tenant("clinic"),
            consult,
            person,
            packets: 10_000,
            lost,
            round_trip: round_trip_ms.map(Duration::from_millis),
            broke,
        };
        let elsewhere =
            Connection { consult: ConsultId::from_bytes([9; 16]), ..connection(patient, 10_000, None, true) };
        let connections = [
            connection(patient, 800, Some(90), true),
            connection(patient, 120, Some(240), false),
            connection(provider, 14, None, false),
            elsewhere,
        ];
        f.api.keep_connections(&connections).await.expect("the database");
        f.api.keep_connections(&connections[1..3]).await.expect("handed in again");
        f.send("POST", &path(&appointment, "end"), &f.key, String::new()).await;
        let (_, told) = f.send("GET", &path(&appointment, "summary"), &f.key, String::new()).await;
        assert_eq!(told["grade"], "fair", "{told}");
        let quality = told["quality"].as_array().expect("a list");
        let of = |person: PersonId| {
            let person = json!(person.to_string());
            quality.iter().find(|quality| quality["person"] == person).expect("connected").clone()
        };
        let expected = |person: PersonId, grade, loss_permille, round_trip_ms: Value, interruptions| {
            json!({"person": person.to_string(), "grade": grade, "loss_permille": loss_permille,
                   "round_trip_ms": round_trip_ms, "interruptions": interruptions})
        };
        assert_eq!(of(patient), expected(patient, "fair", 46, json!(240), 1));
        assert_eq!(of(provider), expected(provider, "good", 1, Value::Null, 0));
    })
    .await;
}
