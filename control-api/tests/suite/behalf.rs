//! A back end acts for a person: it may do what both may, and the audit log has both.

use axum::http::StatusCode;
use control_api::permissions::{Scope, Scopes};
use serde_json::{Value, json};

use crate::support::{Fixture, in_seconds, on_both, tenant};

/// An appointment that has begun, and the ids of its patient and provider.
async fn begun(f: &Fixture) -> (String, String, String) {
    let (_, patient) = f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
    let patient = patient["id"].as_str().expect("an id").to_owned();
    f.consent(&patient).await;
    let people =
        json!([{"person_id": "ehr-1", "role": "patient"}, {"person_id": "dr-1", "role": "provider"}]);
    let body = json!({
        "starts_at": in_seconds(60), "ends_at": in_seconds(1_860), "people": people, "reason": "cough since Monday",
    });
    let (status, told) = f.post("/v1/appointments", body).await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    let provider = told["people"].as_array().expect("people").iter().find(|one| one["role"] == "provider");
    let provider = provider.expect("booked")["id"].as_str().expect("an id").to_owned();
    let id = told["id"].as_str().expect("an id").to_owned();
    f.post(&format!("/v1/appointments/{id}/start"), json!({})).await;
    (id, patient, provider)
}

async fn for_person(
    f: &Fixture,
    (method, path): (&str, &str),
    key: &str,
    person: &str,
    body: Value,
) -> (StatusCode, Value) {
    let answer = f.send_as((method, path), key, body, None, &[("on-behalf-of", person)]).await;
    (answer.0, answer.2)
}

#[tokio::test]
async fn a_provider_ends_a_visit_with_notes_which_go_with_the_patient() {
    on_both(async |f| {
        let (id, patient, provider) = begun(&f).await;
        let (end, summary) = (format!("/v1/appointments/{id}/end"), format!("/v1/appointments/{id}/summary"));
        let day = in_seconds(14 * 86_400)[..10].to_owned();
        let notes = "Lungs clear.\nDrink, rest.";
        let record = json!({"notes": notes, "prescriptions": ["rx-1", "rx-2"], "follow_up_on": day});
        let alone = f.post(&end, record.clone()).await;
        assert_eq!((alone.0, &alone.1["code"]), (StatusCode::FORBIDDEN, &json!("person_needed")));
        for wrong in [
            json!({"notes": ""}),
            json!({"prescriptions": ["rx-1", "rx-1"]}),
            json!({"follow_up_on": "2001-01-01"}),
            json!({"follow_up_on": "soon"}),
        ] {
            let told = for_person(&f, ("POST", &end), &f.key, &provider, wrong.clone()).await;
            assert_eq!(told.0, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", told.1);
        }
        let (_, still) = f.send("GET", &format!("/v1/appointments/{id}"), &f.key, String::new()).await;
        assert_eq!(still["state"], "in_progress", "what was refused was not done");
        let (status, told) = for_person(&f, ("POST", &end), &f.key, &provider, record.clone()).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        for told in [told, f.send("GET", &summary, &f.key, String::new()).await.1] {
            assert_eq!((&told["notes"], &told["follow_up_on"]), (&json!(notes), &json!(day)), "{told}");
            assert_eq!(
                (&told["prescriptions"], &told["reason"]),
                (&record["prescriptions"], &json!("cough since Monday"))
            );
        }
        let late = format!("/v1/appointments/{id}/notes");
        let (status, told) =
            for_person(&f, ("PUT", &late), &f.key, &provider, json!({"notes": "Fever."})).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{told}");
        let (_, told) = f.send("GET", &summary, &f.key, String::new()).await;
        assert_eq!(
            (&told["notes"], &told["prescriptions"]),
            (&json!("Fever."), &json!([])),
            "all of it is replaced"
        );
        let bytes = f.all_bytes().await;
        let is_there = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!is_there("Lungs clear") && !is_there("Fever.") && !is_there("rx-1"), "sealed");
        let erased = f.send("DELETE", &format!("/v1/people/{patient}"), &f.key, String::new()).await;
        assert_eq!(erased.0, StatusCode::NO_CONTENT);
        let (_, told) = f.send("GET", &summary, &f.key, String::new()).await;
        assert_eq!(
            (&told["notes"], &told["reason"]),
            (&json!(null), &json!(null)),
            "gone with the patient's key"
        );
        let (status, _) = for_person(&f, ("PUT", &late), &f.key, &provider, json!({"notes": "Again."})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "and nothing is put down any more");
    })
    .await;
}

#[tokio::test]
async fn who_may_not_read_notes_ends_a_visit_and_is_not_told_them() {
    on_both(async |f| {
        let (id, _, provider) = begun(&f).await;
        let scopes = Scopes::from_iter([Scope::AppointmentsWrite, Scope::NotesWrite]);
        let key = f.api.create_client(tenant("clinic"), "desk", scopes).await.expect("a client");
        let record = json!({"notes": "Lungs clear."});
        let end = format!("/v1/appointments/{id}/end");
        let (status, told) = for_person(&f, ("POST", &end), key.reveal(), &provider, record).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        assert_eq!((&told["notes"], &told["reason"]), (&json!(null), &json!(null)), "{told}");
        let (_, told) = f.send("GET", &format!("/v1/appointments/{id}/summary"), &f.key, String::new()).await;
        assert_eq!(told["notes"], "Lungs clear.");
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_has_the_person_and_who_vouches_for_them() {
    on_both(async |f| {
        let (id, patient, provider) = begun(&f).await;
        let read = format!("/v1/appointments/{id}");
        assert_eq!(for_person(&f, ("GET", &read), &f.key, &provider, json!(null)).await.0, StatusCode::OK);
        let (_, stranger) = f.post("/v1/people", json!({"external_id": "dr-2"})).await;
        let stranger = stranger["id"].as_str().expect("an id");
        let nothing = format!("/v1/appointments/{}", "0".repeat(32));
        for path in [&read, &nothing] {
            let (status, told) = for_person(&f, ("GET", path), &f.key, stranger, json!(null)).await;
            assert_eq!((status, &told["code"]), (StatusCode::FORBIDDEN, &json!("not_concerned")), "{path}");
        }
        let nobody = "0".repeat(32);
        for person in [nobody.as_str(), "dr-1", ""] {
            let (status, told) = for_person(&f, ("GET", &read), &f.key, person, json!(null)).await;
            assert_eq!(
                (status, &told["code"]),
                (StatusCode::FORBIDDEN, &json!("person_unknown")),
                "{person}"
            );
        }
        let rows: Vec<(String, Option<String>, Option<String>)> = sqlx::query_as(
            "SELECT actor, asserted_by, patient FROM audit WHERE action = 'read_appointment' ORDER BY nr",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        let (actor, client, about) = &rows[0];
        assert_eq!((actor, about), (&format!("person:{provider}"), &Some(patient)));
        assert!(client.is_some());
        assert_eq!(rows[1].0, format!("person:{stranger}"));
        assert!(rows[3..].iter().all(|(actor, ..)| actor.starts_with("api_client:")), "{rows:?}");
        assert_eq!(rows.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_for_another_person_is_another_request() {
    on_both(async |f| {
        let (_, _, provider) = begun(&f).await;
        let change = control_api::RoleChange {
            standing: None,
            tenant_role: Some(Some(control_api::permissions::TenantRole::Admin)),
        };
        let admin = media_model::Pii::new("admin-1".to_owned());
        let admin =
            f.api.set_roles_from_shell(tenant("clinic"), admin, change).await.expect("an admin").to_string();
        let body = json!({"external_id": "ehr-9"});
        let place = ("POST", "/v1/people");
        let headers = [("on-behalf-of", admin.as_str())];
        let first = f.send_as(place, &f.key, body.clone(), Some("key-1"), &headers).await;
        assert_eq!(first.0, StatusCode::OK, "{}", first.2);
        let again = f.send_as(place, &f.key, body.clone(), Some("key-1"), &headers).await;
        assert_eq!(again.2, first.2);
        let other =
            f.send_as(place, &f.key, body, Some("key-1"), &[("on-behalf-of", provider.as_str())]).await;
        assert_eq!((other.0, &other.2["code"]), (StatusCode::FORBIDDEN, &json!("role_forbids")));
    })
    .await;
}
