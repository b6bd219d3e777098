//! People: found by an id of the EHR's that is kept nowhere in the open, and erased for good.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Fixture, on_both};

/// Long enough not to come about by chance.
const EXTERNAL_ID: &str = "ehr-4711-0815-2342";
const NAME: &str = "Rosalinda Delgado";

async fn registered(f: &Fixture, key: &str, external_id: &str) -> Value {
    let body = json!({"external_id": external_id}).to_string();
    let (status, person) = f.send("POST", "/v1/people", key, body).await;
    assert_eq!(status, StatusCode::OK, "{person}");
    person
}

fn path_of(person: &Value) -> String {
    format!("/v1/people/{}", person["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn one_id_of_the_ehr_is_one_person_of_a_tenant() {
    on_both(async |f| {
        let other = f.key_of("other").await;
        let first = registered(&f, &f.key, EXTERNAL_ID).await;
        let again = registered(&f, &f.key, EXTERNAL_ID).await;
        assert_eq!(first["id"], again["id"]);
        assert_ne!(first["id"], registered(&f, &f.key, "ehr-4712").await["id"]);
        assert_ne!(first["id"], registered(&f, &other, EXTERNAL_ID).await["id"]);
        let (status, read) = f.send("GET", &path_of(&first), &f.key, String::new()).await;
        assert_eq!((status, &read["external_id"]), (StatusCode::OK, &json!(EXTERNAL_ID)));
        for method in ["GET", "DELETE"] {
            let (status, _) = f.send(method, &path_of(&first), &other, String::new()).await;
            assert_eq!(status, StatusCode::NOT_FOUND);
        }
    })
    .await;
}

#[tokio::test]
async fn a_hundred_who_register_the_same_person_at_once_get_the_same_one() {
    on_both(async |f| {
        let all = (0..100).map(|_| registered(&f, &f.key, EXTERNAL_ID));
        let people = futures_util::future::join_all(all).await;
        assert!(people.iter().all(|person| person["id"] == people[0]["id"]), "{people:?}");
    })
    .await;
}

#[tokio::test]
async fn a_ticket_names_the_person_and_the_database_never_the_ehrs_id_nor_the_name() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        let body = json!({"role": "patient", "person_id": EXTERNAL_ID, "display_name": NAME});
        let (_, minted) = f.post(&format!("/v1/consults/{consult}/tickets"), body).await;
        let token = minted["ticket"].as_str().expect("a token");
        let ticket = f.verifier.verify(token, crate::support::now_s()).expect("a good ticket");
        let person = registered(&f, &f.key, EXTERNAL_ID).await;
        assert_eq!(person["id"], json!(ticket.person.reveal()));
        let bytes = f.all_bytes().await;
        let holds = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(holds(ticket.person.reveal()), "the test looks in the right place");
        assert!(!holds(EXTERNAL_ID) && !holds(NAME) && !holds("Rosalinda"));
    })
    .await;
}

#[tokio::test]
async fn who_was_erased_cannot_be_read_nor_found_and_every_look_is_in_the_audit_log() {
    on_both(async |f| {
        let person = registered(&f, &f.key, EXTERNAL_ID).await;
        let path = path_of(&person);
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NOT_FOUND);
        let (status, read) = f.send("GET", &path, &f.key, String::new()).await;
        assert_eq!((status, &read["external_id"]), (StatusCode::OK, &Value::Null));
        assert!(read["erased_at"].is_string());
        assert_ne!(registered(&f, &f.key, EXTERNAL_ID).await["id"], person["id"], "a new person");
        let actions: Vec<_> = f.audit().await.into_iter().skip(2).map(|(_, action, ..)| action).collect();
        assert_eq!(actions, ["person_registered", "person_erased", "person_read", "person_registered"]);
    })
    .await;
}

#[tokio::test]
async fn a_sealed_value_that_was_changed_is_not_answered_with() {
    on_both(async |f| {
        let person = registered(&f, &f.key, EXTERNAL_ID).await;
        let pool = f.raw().await;
        sqlx::query("UPDATE people SET external_id = $1")
            .bind(vec![1_u8; 80])
            .execute(&pool)
            .await
            .expect("a change");
        let (status, answer) = f.send("GET", &path_of(&person), &f.key, String::new()).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::INTERNAL_SERVER_ERROR, &json!("stored_value_damaged"))
        );
    })
    .await;
}
