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

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// The name that a ticket shows.
fn shown(f: &Fixture, minted: &Value) -> String {
    let token = minted["ticket"].as_str().unwrap_or_else(|| panic!("a token: {minted}"));
    let ticket = f.verifier.verify(token, crate::support::now_s()).expect("a good ticket");
    ticket.display_name.reveal().clone()
}

#[tokio::test]
async fn a_person_s_name_is_told_shown_in_tickets_changed_and_erased_with_them() {
    on_both(async |f| {
        let (_, person) =
            f.post("/v1/people", json!({"external_id": EXTERNAL_ID, "display_name": NAME})).await;
        assert_eq!(person["display_name"], json!(NAME));
        let path = path_of(&person);
        let read = async || f.send("GET", &path, &f.key, String::new()).await.1["display_name"].clone();
        assert_eq!(read().await, json!(NAME));
        assert_eq!(
            registered(&f, &f.key, EXTERNAL_ID).await["display_name"],
            json!(null),
            "nothing was said"
        );
        assert_eq!(read().await, json!(NAME), "and nothing changed");

        let consult = f.consult(json!({})).await;
        let tickets = format!("/v1/consults/{consult}/tickets");
        let ticket = |person: &str| json!({"role": "patient", "person_id": person});
        assert_eq!(shown(&f, &f.post(&tickets, ticket(EXTERNAL_ID)).await.1), NAME);
        let said = json!({"role": "patient", "person_id": EXTERNAL_ID, "display_name": "Rosa"});
        assert_eq!(shown(&f, &f.post(&tickets, said).await.1), "Rosa");
        let (status, nameless) = f.post(&tickets, ticket("ehr-nameless")).await;
        assert_eq!((status.as_u16(), &nameless["field"]), (422, &json!("display_name")));

        let put = async |key: &str, name: Value| {
            f.send("PUT", &path, key, json!({"display_name": name}).to_string()).await.0.as_u16()
        };
        assert_eq!(put(&f.key, json!("  Rosa Green ")).await, 204);
        assert_eq!(read().await, json!("Rosa Green"));
        for bad in [json!(""), json!("  "), json!("two\nlines"), json!("x".repeat(101))] {
            assert_eq!(put(&f.key, bad).await, 422);
        }
        let other = f.key_of("other").await;
        assert_eq!(put(&other, json!("Somebody Else")).await, 404);
        assert!(!contains(&f.all_bytes().await, NAME) && !contains(&f.all_bytes().await, "Rosa Green"));
        assert_eq!(put(&f.key, json!(null)).await, 204);
        assert_eq!(
            (read().await, f.post(&tickets, ticket(EXTERNAL_ID)).await.0.as_u16()),
            (json!(null), 422)
        );
        assert_eq!(put(&f.key, json!(NAME)).await, 204);
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        assert_eq!((read().await, put(&f.key, json!(NAME)).await), (json!(null), 404));
        let (left,): (i64,) = sqlx::query_as("SELECT count(*) FROM people WHERE display_name IS NOT NULL")
            .fetch_one(&f.raw().await)
            .await
            .expect("a row");
        assert_eq!(left, 0);
    })
    .await;
}

#[tokio::test]
async fn who_is_booked_comes_under_the_name_they_are_known_by_also_by_a_link() {
    on_both(async |f| {
        let (_, patient) =
            f.post("/v1/people", json!({"external_id": EXTERNAL_ID, "display_name": NAME})).await;
        f.consent(patient["id"].as_str().expect("an id")).await;
        let (starts_at, ends_at) = (crate::support::in_seconds(0), crate::support::in_seconds(1_800));
        let people = json!([{"person_id": EXTERNAL_ID, "role": "patient"}]);
        let visit = json!({"starts_at": starts_at, "ends_at": ends_at, "people": people});
        let (_, visit) = f.post("/v1/appointments", visit).await;
        let links = format!("/v1/appointments/{}/guest-links", visit["id"].as_str().expect("an id"));
        let (_, link) = f.post(&links, json!({"role": "patient", "person_id": EXTERNAL_ID})).await;
        let (_, minted) = f.post("/v1/guest-links/redeem", json!({"code": link["code"]})).await;
        assert_eq!(shown(&f, &minted), NAME);
        let (status, told) = f.post(&links, json!({"role": "observer"})).await;
        assert_eq!((status.as_u16(), &told["field"]), (422, &json!("display_name")));
        let join = format!("/v1/consults/{}/join", visit["consult"].as_str().expect("an id"));
        let headers = [("on-behalf-of", patient["id"].as_str().expect("an id"))];
        let (_, _, minted) = f.send_as(("POST", &join), &f.key, json!({}), None, &headers).await;
        assert_eq!(shown(&f, &minted), NAME);
    })
    .await;
}
