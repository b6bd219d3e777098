//! What signaling saw, handed in: one entry that the database never takes holds up no other.

use control_api::{
    Database, Seen,
    audit::{Action, Actor, Entry, Outcome, Surface},
    new_entry_id,
};
use media_model::{Pii, Role};
use serde_json::json;

use crate::support::{Fixture, on_both, tenant};

/// Whom the database is made to refuse.
const REFUSED: &str = "00000000000000000000000000000bad";

fn joined(of: &str, person: &str) -> Seen {
    let entry = Entry {
        actor: Actor::Participant,
        surface: Surface::Signaling,
        person_id: Some(Pii::new(person.to_owned())),
        role: Some(Role::Patient),
        ..Entry::of(Action::Joined)
    };
    Seen::new(tenant(of), new_entry_id(), entry)
}

async fn refuse(f: &Fixture, is_on: bool) {
    let postgres = [
        format!(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.person_id = '{REFUSED}' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END IF;
                 RETURN NEW; END $$"
        ),
        "CREATE TRIGGER no BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no()".to_owned(),
    ];
    let sqlite = [format!(
        "CREATE TRIGGER no BEFORE INSERT ON audit WHEN NEW.person_id = '{REFUSED}'
         BEGIN SELECT RAISE(ABORT, 'no'); END"
    )];
    let is_postgres = matches!(f.database(), Database::Postgres(_));
    let statements = match (is_on, is_postgres) {
        (true, true) => postgres.to_vec(),
        (true, false) => sqlite.to_vec(),
        (false, true) => vec!["DROP TRIGGER no ON audit".to_owned()],
        (false, false) => vec!["DROP TRIGGER no".to_owned()],
    };
    let raw = f.raw().await;
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&raw).await.expect("the owner may");
    }
}

async fn people(f: &Fixture) -> Vec<(String, String)> {
    sqlx::query_as("SELECT tenant, person_id FROM audit WHERE action = 'joined' ORDER BY tenant, nr")
        .fetch_all(&f.raw().await)
        .await
        .expect("rows")
}

#[tokio::test]
async fn an_entry_that_the_database_never_takes_holds_up_no_other() {
    on_both(async |f| {
        f.key_of("other").await;
        refuse(&f, true).await;
        let batch = [
            joined("clinic", "a"),
            joined("other", "b"),
            joined("clinic", REFUSED),
            joined("other", "c"),
            joined("clinic", "d"),
        ];
        f.api.record(&batch).await.expect_err("all of them, or none");
        let hopeless = f.api.record_what_can_be(&batch).await.expect("the database is there");
        assert_eq!(hopeless.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [2]);
        let pair = |of: &str, person: &str| (of.to_owned(), person.to_owned());
        let others = [pair("clinic", "a"), pair("clinic", "d"), pair("other", "b"), pair("other", "c")];
        assert_eq!(people(&f).await, others, "in their order");

        refuse(&f, false).await;
        assert!(f.api.record_what_can_be(&batch).await.expect("the database is there").is_empty());
        assert_eq!(people(&f).await.len(), 5, "each once, when it is tried again");
    })
    .await;
}

#[tokio::test]
async fn what_staff_do_in_a_visit_is_found_under_its_patient() {
    on_both(async |f| {
        let consult = f.consult(json!({})).await;
        f.ticket(&f.key, &consult, "ehr-1", Role::Patient).await;
        let (_, patient) = f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
        let seen = joined("clinic", "a");
        let entry = Entry {
            consult: Some(consult.parse().expect("an id")),
            request: Some("0123456789abcdef0123456789abcdef".parse().expect("an id")),
            outcome: Outcome::Granted,
            role: Some(Role::Provider),
            ..seen.entry
        };
        let address = Some(Pii::new([192, 0, 2, 7].into()));
        f.api
            .record(&[Seen { entry, address, ..Seen::new(seen.tenant, seen.id, Entry::of(Action::Joined)) }])
            .await
            .expect("the database");
        let row: (String, Vec<u8>) =
            sqlx::query_as("SELECT patient, address FROM audit WHERE action = 'joined'")
                .fetch_one(&f.raw().await)
                .await
                .expect("a row with both");
        assert_eq!(row.0, patient["id"].as_str().expect("an id"));
        let request = "0123456789abcdef0123456789abcdef".parse().expect("an id");
        let opened = f.api.open_address(tenant("clinic"), request, &row.1).await.expect("sealed for it");
        assert_eq!(opened.map(|address| address.reveal().to_string()).as_deref(), Some("192.0.2.7"));
    })
    .await;
}
