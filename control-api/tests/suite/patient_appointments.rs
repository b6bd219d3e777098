//! One list of a patient's appointments: for whom, in which order, and that it is put down.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    break_glass::Clinic,
    support::{Fixture, in_seconds, on_both},
};

async fn listed(f: &Fixture, path: &str, query: &str) -> (Vec<String>, Value) {
    let (status, told) = f.send("GET", &format!("{path}{query}"), &f.key, String::new()).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let ids = told["appointments"].as_array().expect("a list").iter();
    (ids.map(|one| one["id"].as_str().expect("an id").to_owned()).collect(), told["last"].clone())
}

/// Books the patient for an hour that begins then.
async fn booked(f: &Fixture, in_s: u64) -> String {
    let people =
        json!([{"person_id": "ehr-1", "role": "patient"}, {"person_id": "dr-2", "role": "provider"}]);
    let body = json!({"starts_at": in_seconds(in_s), "ends_at": in_seconds(in_s + 3_600), "people": people});
    let (status, visit) = f.post("/v1/appointments", body).await;
    assert_eq!(status, StatusCode::CREATED, "{visit}");
    visit["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_patients_appointments_are_listed_the_latest_first_and_in_parts() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let (f, path) = (&clinic.f, format!("/v1/people/{}/appointments", clinic.patient));
        let first = clinic.visit.rsplit('/').next().expect("an id").to_owned();
        let (far, near) = (booked(f, 90_000).await, booked(f, 7_200).await);
        let (_, other) = f.post("/v1/people", json!({"external_id": "ehr-2"})).await;
        let latest_first = [far.clone(), near.clone(), first.clone()];
        assert_eq!(listed(f, &path, "").await, (latest_first.to_vec(), json!(first)));
        assert_eq!(listed(f, &path, "?limit=2").await, (latest_first[..2].to_vec(), json!(near)));
        assert_eq!(listed(f, &path, &format!("?limit=2&after={near}")).await.0, [first.as_str()]);
        let empty = format!("/v1/people/{}/appointments", other["id"].as_str().expect("an id"));
        assert_eq!(listed(f, &empty, "").await, (Vec::new(), Value::Null));
        let (_, told) = f.send("GET", &path, &f.key, String::new()).await;
        let (_, read) = f.send("GET", &clinic.visit, &f.key, String::new()).await;
        assert_eq!(told["appointments"][2], read, "each as it is read by itself");
        for (place, status) in [
            (format!("{path}?limit=0"), 422),
            (format!("{path}?limit=101"), 422),
            (format!("{path}?after=x"), 422),
            (format!("{empty}?after={first}"), 404),
            (format!("{path}?after={}", "0".repeat(32)), 404),
            (format!("/v1/people/{}/appointments", "0".repeat(32)), 404),
        ] {
            let answer = f.send("GET", &place, &f.key, String::new()).await;
            assert_eq!(answer.0.as_u16(), status, "{place}");
        }
        let reads: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT outcome, patient FROM audit WHERE action = 'list_appointments'")
                .fetch_all(&f.raw().await)
                .await
                .expect("rows");
        assert_eq!(reads.len(), 5, "every list that was told is in the log");
        let of_patient = ("granted".to_owned(), Some(clinic.patient.clone()));
        assert_eq!(reads.iter().filter(|read| **read == of_patient).count(), 4);

        let key = f.key_of("other").await;
        assert_eq!(f.send("GET", &path, &key, String::new()).await.0, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn a_broken_glass_opens_the_list_and_is_named_for_it() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let path = format!("/v1/people/{}/appointments", clinic.patient);
        let mut nurse = clinic.browser(&clinic.nurse).await;
        let before = nurse.get(&path).await;
        assert_eq!((before.status, before.code()), (StatusCode::FORBIDDEN, "not_concerned".to_owned()));
        let glass = clinic.broken(&mut nurse).await;
        let page = nurse.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert_eq!(page.json()["appointments"].as_array().map(Vec::len), Some(1));
        let details: Vec<(String, String)> = sqlx::query_as(
            "SELECT outcome, detail FROM audit WHERE action = 'list_appointments' ORDER BY nr",
        )
        .fetch_all(&clinic.f.raw().await)
        .await
        .expect("rows");
        let of = |outcome: &str, detail: &str| (outcome.to_owned(), detail.to_owned());
        assert_eq!(details, [of("refused", "not_concerned"), of("granted", &format!("break_glass:{glass}"))]);
    })
    .await;
}
