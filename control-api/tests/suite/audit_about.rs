//! What entries say of whom and what they are about, and which refusals have one.

use axum::http::StatusCode;
use control_api::{
    MasterKeyChange,
    keys::{LocalMasterKeys, MasterKeys},
};
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{Fixture, a_patient, in_seconds, on_both, shell_user};

/// What an entry is about: patient, person, detail.
type About = (Option<String>, Option<String>, Option<String>);

/// The entries of an action, oldest first, with their outcome.
async fn entries(f: &Fixture, action: &str) -> Vec<(String, About)> {
    let rows =
        sqlx::query("SELECT outcome, patient, person_id, detail FROM audit WHERE action = $1 ORDER BY nr")
            .bind(action)
            .fetch_all(&f.raw().await)
            .await
            .expect("rows");
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect()
}

async fn person(f: &Fixture, external_id: &str) -> String {
    let (_, person) = f.post("/v1/people", json!({"external_id": external_id})).await;
    person["id"].as_str().expect("an id").to_owned()
}

fn visit() -> Value {
    let people = json!([{"person_id": "p-1", "role": "patient"}, {"person_id": "dr-1", "role": "provider"}]);
    json!({"starts_at": in_seconds(0), "ends_at": in_seconds(1_800), "people": people})
}

fn ticket_for(person: &str, role: &str) -> Value {
    json!({"person_id": person, "role": role, "display_name": "Somebody"})
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_ticket_s_entries_name_its_patient_its_holder_and_itself() {
    on_both(async |f| {
        let (patient, provider) = (person(&f, "p-1").await, person(&f, "dr-1").await);
        f.consent(&patient).await;
        let (status, booked) = f.post("/v1/appointments", visit()).await;
        assert_eq!(status, StatusCode::CREATED, "{booked}");
        for consult in [text(&booked["consult"]), f.consult(json!({})).await] {
            let tickets = format!("/v1/consults/{consult}/tickets");
            f.post(&tickets, ticket_for("p-1", "patient")).await;
            let (_, minted) = f.post(&tickets, ticket_for("dr-1", "provider")).await;
            let ticket = text(&minted["id"]);
            let path = format!("{tickets}/{ticket}");
            let (status, told) = f.send("DELETE", &path, &f.key, String::new()).await;
            assert_eq!(status, StatusCode::NO_CONTENT, "{told}");
            f.post(&format!("/v1/consults/{consult}/end"), json!({})).await;
            let of_ticket = (Some(patient.clone()), Some(provider.clone()), Some(format!("ticket:{ticket}")));
            for action in ["ticket_minted", "ticket_revoked"] {
                assert_eq!(entries(&f, action).await.last().map(|(_, about)| about), Some(&of_ticket));
            }
            let ended = entries(&f, "consult_ended").await;
            assert_eq!(ended.last().map(|(_, about)| &about.0), Some(&Some(patient.clone())));
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeated_answer_says_about_whom_it_tells_again() {
    on_both(async |f| {
        let patient = person(&f, "p-1").await;
        f.consent(&patient).await;
        let (_, booked) = f.post("/v1/appointments", visit()).await;
        let path = format!("/v1/appointments/{}/start", text(&booked["id"]));
        for _ in 0..2 {
            assert_eq!(f.post_once(&path, "again", json!({})).await.0, StatusCode::OK);
        }
        let [(_, done), (_, told)] = &entries(&f, "start_appointment").await[..] else {
            panic!("an entry for each")
        };
        assert_eq!((&done.0, &told.0), (&Some(patient.clone()), &Some(patient)));
        assert_eq!(told.2.as_deref(), Some("repeated"));
        let consults = "SELECT count(DISTINCT consult_id) FROM audit WHERE action = 'start_appointment'
                        AND consult_id IS NOT NULL GROUP BY action HAVING count(*) = 2";
        let (one,): (i64,) = sqlx::query_as(consults).fetch_one(&f.raw().await).await.expect("both name it");
        assert_eq!(one, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_done_with_a_webhook_names_it() {
    on_both(async |f| {
        let (status, made) = f.post("/v1/webhooks", json!({"url": "https://hooks.clinic.example/x"})).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let id = text(&made["id"]);
        f.post(&format!("/v1/webhooks/{id}/test"), json!({})).await;
        sqlx::query("UPDATE webhook_outbox SET dead_at = 1").execute(&f.raw().await).await.expect("given up");
        let letters = format!("/v1/webhooks/{id}/dead-letters");
        let (_, dead) = f.send("GET", &letters, &f.key, String::new()).await;
        let message = text(&dead["dead_letters"][0]["id"]);
        let (status, told) = f.post(&format!("{letters}/{message}/retry"), json!({})).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{told}");
        f.send("DELETE", &format!("/v1/webhooks/{id}"), &f.key, String::new()).await;
        let details: Vec<_> =
            entries(&f, "manage_webhooks").await.into_iter().filter_map(|(_, about)| about.2).collect();
        let done = ["webhook_created", "webhook_tested", "dead_letter_retried", "webhook_deleted"];
        assert_eq!(details, done.map(|done| format!("{done} webhook:{id}")));
        let seen = entries(&f, "see_webhooks").await;
        assert_eq!(seen.last().and_then(|(_, about)| about.2.clone()), Some(format!("webhook:{id}")));
    })
    .await;
}

#[tokio::test]
async fn what_the_rules_refuse_is_put_down_and_names_nobody_who_is_not_there() {
    on_both(async |f| {
        let (patient, provider) = (person(&f, "p-1").await, person(&f, "dr-1").await);
        let (_, told) = f.post("/v1/appointments", visit()).await;
        assert_eq!(told["code"], json!("consent_missing"));
        f.consent(&patient).await;
        let (_, booked) = f.post("/v1/appointments", visit()).await;
        let tickets = format!("/v1/consults/{}/tickets", text(&booked["consult"]));
        let links = format!("/v1/appointments/{}/guest-links", text(&booked["id"]));
        for (body, code) in
            [(ticket_for("dr-1", "nurse"), "not_booked"), (ticket_for("nobody", "patient"), "not_booked")]
        {
            assert_eq!(f.post(&tickets, body).await.1["code"], json!(code));
        }
        let consent = format!("/v1/people/{patient}/consents/telehealth");
        f.send("DELETE", &consent, &f.key, String::new()).await;
        assert_eq!(
            f.post(&tickets, ticket_for("dr-1", "provider")).await.1["code"],
            json!("consent_missing")
        );
        assert_eq!(f.post(&links, ticket_for("p-1", "patient")).await.1["code"], json!("consent_missing"));

        let refused = |person: Option<&String>, code: &str| {
            ("refused".to_owned(), (Some(patient.clone()), person.cloned(), Some(code.to_owned())))
        };
        assert_eq!(
            entries(&f, "ticket_minted").await,
            [
                refused(Some(&provider), "not_booked"),
                refused(None, "not_booked"),
                refused(Some(&provider), "consent_missing")
            ]
        );
        assert_eq!(entries(&f, "issue_ticket").await, [refused(Some(&patient), "consent_missing")]);
        assert_eq!(entries(&f, "book_appointment").await[0], refused(None, "consent_missing"));
        assert_eq!(f.post("/v1/people", json!({"external_id": "p-1"})).await.1["id"], json!(patient));
    })
    .await;
}

#[tokio::test]
async fn whoever_alone_has_tickets_as_a_patient_is_the_patient_and_of_two_nobody_is() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        let tickets = format!("/v1/consults/{consult}/tickets");
        f.post(&tickets, ticket_for("dr-1", "provider")).await;
        f.post(&tickets, a_patient()).await;
        f.post(&tickets, ticket_for("dr-1", "provider")).await;
        f.post(&tickets, ticket_for("p-2", "patient")).await;
        f.post(&tickets, ticket_for("dr-1", "provider")).await;
        let (first, second) = (person(&f, "p-1").await, person(&f, "p-2").await);
        let patients: Vec<_> =
            entries(&f, "ticket_minted").await.into_iter().map(|(_, about)| about.0).collect();
        assert_eq!(patients, [None, Some(first.clone()), Some(first), Some(second), None]);
    })
    .await;
}

#[tokio::test]
async fn what_is_done_with_master_keys_is_the_operator_s_and_says_with_which_and_by_whom() {
    on_both(async |f| {
        let name = LocalMasterKeys::ephemeral().names().remove(0);
        f.api.note_master_key(MasterKeyChange::Rotated, name.clone()).await.expect("put down");
        let rotated: (String, String, String) =
            sqlx::query_as("SELECT tenant, actor, detail FROM audit WHERE action = 'rotate_keys'")
                .fetch_one(&f.raw().await)
                .await
                .expect("the entry");
        assert_eq!(rotated, ("system".into(), shell_user(), format!("master_key_rotated master_key:{name}")));
    })
    .await;
}
