//! The chat of a consult: kept sealed and in order, read by who may, and gone with the patient.

use axum::http::StatusCode;
use control_api::{
    Seen,
    audit::{Action, Actor, Entry, Surface},
    permissions::Act,
};
use media_model::{Pii, Role};
use serde_json::{Value, json};

use crate::support::{Fixture, a_patient, in_seconds, on_both, tenant};

/// What signaling saw somebody write, whom the EHR calls so.
async fn seen(f: &Fixture, consult: &str, external_id: &str, role: Role, text: &str) -> Seen {
    let (_, person) = f.post("/v1/people", json!({"external_id": external_id})).await;
    let entry = Entry {
        actor: Actor::Participant,
        surface: Surface::Signaling,
        consult: Some(consult.parse().expect("an id")),
        person_id: Some(Pii::new(person["id"].as_str().expect("an id").to_owned())),
        role: Some(role),
        ..Entry::of(Action::Asked(Act::WriteChat))
    };
    let line = Some(Pii::new(text.to_owned()));
    Seen { line, ..Seen::new(tenant("clinic"), control_api::new_entry_id(), entry) }
}

pub async fn by_signaling(f: &Fixture, consult: &str, external_id: &str, role: Role, text: &str) {
    let seen = seen(f, consult, external_id, role, text).await;
    f.api.record(&[seen]).await.expect("the database");
}

/// A visit with one person in each of these roles, and their ids of ours.
struct Visit {
    id: String,
    consult: String,
    chat: String,
    people: Value,
}

impl Visit {
    async fn book(f: &Fixture) -> Self {
        let (_, patient) = f.post("/v1/people", json!({"external_id": "patient"})).await;
        f.consent(patient["id"].as_str().expect("an id")).await;
        let people: Vec<_> =
            ["patient", "provider", "observer"].map(|role| json!({"person_id": role, "role": role})).into();
        let (starts_at, ends_at) = (in_seconds(0), in_seconds(1_800));
        let body = json!({"starts_at": starts_at, "ends_at": ends_at, "people": people});
        let (status, visit) = f.post("/v1/appointments", body).await;
        assert_eq!(status, StatusCode::CREATED, "{visit}");
        let text = |member: &str| visit[member].as_str().expect("an id").to_owned();
        let chat = format!("/v1/consults/{}/chat", text("consult"));
        Self { id: text("id"), consult: text("consult"), chat, people: visit["people"].clone() }
    }

    fn person(&self, role: Role) -> &str {
        let people = self.people.as_array().expect("people");
        let person = people.iter().find(|person| person["role"] == role.as_str()).expect("booked");
        person["id"].as_str().expect("an id")
    }

    /// Has the back end write for somebody.
    async fn write_for(
        &self,
        f: &Fixture,
        role: Role,
        text: &str,
        once: Option<&str>,
    ) -> (StatusCode, Value) {
        let headers = [("on-behalf-of", self.person(role))];
        let (status, _, told) =
            f.send_as(("POST", &self.chat), &f.key, json!({"text": text}), once, &headers).await;
        (status, told)
    }
}

async fn read(f: &Fixture, path: &str) -> (Vec<Value>, Value) {
    let (status, told) = f.send("GET", path, &f.key, String::new()).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let lines = told["lines"].as_array().expect("lines").iter().map(|line| line["text"].clone()).collect();
    (lines, told["last"].clone())
}

/// What the audit log has of the chat: act, patient, whose doing, and whether it says whom it is about.
async fn acts(f: &Fixture) -> Vec<(String, Option<String>, String)> {
    sqlx::query_as(
        "SELECT action, patient, surface FROM audit WHERE action IN ('write_chat', 'read_chat') AND outcome = 'granted'
         ORDER BY nr",
    )
    .fetch_all(&f.raw().await)
    .await
    .expect("rows")
}

#[tokio::test]
async fn lines_are_kept_sealed_and_in_order_and_read_page_by_page() {
    on_both(async |f| {
        let visit = Visit::book(&f).await;
        by_signaling(&f, &visit.consult, "patient", Role::Patient, "my knee hurts").await;
        let twice = seen(&f, &visit.consult, "provider", Role::Provider, "since when?").await;
        f.api.record(std::slice::from_ref(&twice)).await.expect("the database");
        f.api.record_unless_there(&[twice]).await.expect("it was handed in before");
        by_signaling(&f, &visit.consult, "patient", Role::Patient, "since Monday").await;

        let (lines, last) = read(&f, &visit.chat).await;
        assert_eq!(
            (lines, last),
            (vec![json!("my knee hurts"), json!("since when?"), json!("since Monday")], json!(3))
        );
        let (_, told) = f.send("GET", &visit.chat, &f.key, String::new()).await;
        let (first, second) = (&told["lines"][0], &told["lines"][1]);
        assert_eq!((&first["number"], &first["role"]), (&json!(1), &json!("patient")));
        assert_eq!(first["person"], visit.person(Role::Patient));
        assert_eq!(second["person"], visit.person(Role::Provider));
        assert_eq!(read(&f, &format!("{}?limit=2", visit.chat)).await.1, 2);
        assert_eq!(
            read(&f, &format!("{}?after=2&limit=2", visit.chat)).await,
            (vec![json!("since Monday")], json!(3))
        );
        assert_eq!(read(&f, &format!("{}?after=3", visit.chat)).await, (vec![], Value::Null));
        for query in ["limit=0", "limit=201", "after=-1", "after=x", "limit=1&limit=2"] {
            let (status, told) =
                f.send("GET", &format!("{}?{query}", visit.chat), &f.key, String::new()).await;
            assert_eq!((status, &told["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("field_invalid")));
        }

        let bytes = f.all_bytes().await;
        for text in ["knee", "since when", "Monday"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
        }
        let patient = Some(visit.person(Role::Patient).to_owned());
        let entry = |act: &str, surface: &str| (act.to_owned(), patient.clone(), surface.to_owned());
        let mut expected = vec![entry("write_chat", "signaling"); 3];
        expected.extend(vec![entry("read_chat", "api"); 5]);
        assert_eq!(acts(&f).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_back_end_writes_for_who_has_a_part_and_those_present_get_it_once() {
    on_both(async |f| {
        let visit = Visit::book(&f).await;
        by_signaling(&f, &visit.consult, "patient", Role::Patient, "hello").await;
        let (status, first) = visit.write_for(&f, Role::Provider, "take a seat", Some("once")).await;
        assert_eq!(
            (status, &first["number"], &first["role"]),
            (StatusCode::CREATED, &json!(2), &json!("provider"))
        );
        assert_eq!(visit.write_for(&f, Role::Provider, "take a seat", Some("once")).await.1, first);
        let said = f.orders.said.lock().expect("not poisoned").clone();
        assert_eq!(said, [(visit.person(Role::Provider).to_owned(), "take a seat".to_owned())]);
        assert_eq!(read(&f, &visit.chat).await.0, [json!("hello"), json!("take a seat")]);

        let refused = visit.write_for(&f, Role::Observer, "may I?", None).await;
        assert_eq!((refused.0, &refused.1["code"]), (StatusCode::FORBIDDEN, &json!("role_forbids")));
        let alone = f.post(&visit.chat, json!({"text": "it is me"})).await;
        assert_eq!((alone.0, &alone.1["code"]), (StatusCode::FORBIDDEN, &json!("person_needed")));
        for text in ["", " \n", "a\u{7}b", &"x".repeat(2_001)] {
            let (status, told) = visit.write_for(&f, Role::Provider, text, None).await;
            assert_eq!(
                (status, &told["field"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &json!("text")),
                "{told}"
            );
        }
        let nobodys = f.consult(json!({})).await;
        let nobodys = Visit { chat: format!("/v1/consults/{nobodys}/chat"), ..visit };
        let refused = nobodys.write_for(&f, Role::Provider, "hello?", None).await;
        assert_eq!((refused.0, &refused.1["code"]), (StatusCode::FORBIDDEN, &json!("not_concerned")));
        assert_eq!(read(&f, &nobodys.chat).await.0, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn what_was_written_outlasts_the_visit_and_not_its_patient() {
    on_both(async |f| {
        let visit = Visit::book(&f).await;
        by_signaling(&f, &visit.consult, "patient", Role::Patient, "my knee hurts").await;
        assert_eq!(
            visit.write_for(&f, Role::Provider, "since when?", Some("once")).await.0,
            StatusCode::CREATED
        );
        f.post(&format!("/v1/appointments/{}/start", visit.id), json!({})).await;
        assert_eq!(
            f.post(&format!("/v1/appointments/{}/cancel", visit.id), json!({})).await.0,
            StatusCode::CONFLICT
        );
        let end = format!("/v1/appointments/{}/end", visit.id);
        assert_eq!(f.send("POST", &end, &f.key, String::new()).await.0, StatusCode::OK);
        let late = visit.write_for(&f, Role::Provider, "one more thing", None).await;
        // An appointment that is over has no consult to write in.
        assert_eq!((late.0, &late.1["code"]), (StatusCode::CONFLICT, &json!("consult_ended")));
        assert_eq!(read(&f, &visit.chat).await.0, [json!("my knee hurts"), json!("since when?")]);

        let erase = format!("/v1/people/{}", visit.person(Role::Patient));
        assert_eq!(f.send("DELETE", &erase, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        assert_eq!(read(&f, &visit.chat).await, (vec![Value::Null, Value::Null], json!(2)));
        // What a node has kept meanwhile is handed in without what was said.
        let line = seen(&f, &visit.consult, "provider", Role::Provider, "spooled").await;
        f.api.record_unless_there(&[line]).await.expect("the database");
        assert_eq!(read(&f, &visit.chat).await, (vec![Value::Null; 3], json!(3)));
    })
    .await;
}

#[tokio::test]
async fn without_an_appointment_it_goes_with_the_only_patient_or_with_who_wrote_it() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        let chat = format!("/v1/consults/{consult}/chat");
        by_signaling(&f, &consult, "d-1", Role::Provider, "before anybody came").await;
        f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        by_signaling(&f, &consult, "d-1", Role::Provider, "to the patient").await;
        let erase = async |external_id: &str| {
            let (_, person) = f.post("/v1/people", json!({"external_id": external_id})).await;
            let path = format!("/v1/people/{}", person["id"].as_str().expect("an id"));
            assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        };
        erase("p-1").await;
        assert_eq!(read(&f, &chat).await.0, [json!("before anybody came"), Value::Null]);
        erase("d-1").await;
        assert_eq!(read(&f, &chat).await.0, [Value::Null, Value::Null]);
    })
    .await;
}

#[tokio::test]
async fn what_a_database_does_not_know_holds_nobody_up() {
    on_both(async |f| {
        let known = f.consult(json!({})).await;
        let unknown = "0".repeat(32);
        let lines = [
            seen(&f, &unknown, "d-1", Role::Provider, "of a consult that a restore took").await,
            seen(&f, &known, "d-1", Role::Provider, "hello").await,
        ];
        f.api.record_unless_there(&lines).await.expect("the database");
        assert_eq!(read(&f, &format!("/v1/consults/{known}/chat")).await.0, [json!("hello")]);
        assert_eq!(acts(&f).await.iter().filter(|(act, ..)| act == "write_chat").count(), 2);
    })
    .await;
}

#[tokio::test]
async fn who_writes_at_once_is_numbered_one_after_the_other() {
    on_both(async |f| {
        let visit = Visit::book(&f).await;
        let texts: Vec<_> = (0..10).map(|number| format!("line {number}")).collect();
        let writes = texts.iter().map(|text| visit.write_for(&f, Role::Provider, text, None));
        let told = futures_util::future::join_all(writes).await;
        assert!(told.iter().all(|(status, _)| *status == StatusCode::CREATED), "{told:?}");
        let mut numbers: Vec<_> = told.iter().map(|(_, line)| line["number"].as_i64()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).map(Some).collect::<Vec<_>>());
        assert_eq!(read(&f, &visit.chat).await.0.len(), 10);
    })
    .await;
}
