//! The permission matrix of `docs/control-api.md`, walked over HTTP: every operation for everybody there is a column for.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use control_api::{RoleChange, permissions::TenantRole};
use media_model::{Pii, Role};
use serde_json::{Value, json};

use crate::support::{
    Fixture,
    browser::{ORIGIN, signed_in},
    in_seconds, on_both, tenant,
};

const DOCUMENT: &str = include_str!("../../../docs/control-api.md");

/// Act, method, path. What is in the visit's place is the first appointment; what is in the person's, its patient.
pub const OPERATIONS: [(&str, &str, &str); 49] = [
    ("read_appointment", "GET", "/v1/appointments/VISIT"),
    ("read_chat", "GET", "/v1/consults/CONSULT/chat"),
    ("write_chat", "POST", "/v1/consults/CONSULT/chat"),
    ("move_appointment", "POST", "/v1/appointments/VISIT/move"),
    ("confirm_appointment", "POST", "/v1/appointments/VISIT/confirm"),
    ("start_appointment", "POST", "/v1/appointments/VISIT/start"),
    ("end_appointment", "POST", "/v1/appointments/VISIT/end"),
    ("mark_no_show", "POST", "/v1/appointments/VISIT/no-show"),
    ("cancel_appointment", "POST", "/v1/appointments/VISIT/cancel"),
    ("read_reason", "GET", "/v1/appointments/VISIT/reason"),
    ("read_notes", "GET", "/v1/appointments/VISIT/summary"),
    ("write_notes", "PUT", "/v1/appointments/VISIT/notes"),
    ("issue_ticket", "POST", "/v1/consults/CONSULT/tickets"),
    ("revoke_ticket", "DELETE", "/v1/consults/CONSULT/tickets/ID"),
    ("issue_ticket", "POST", "/v1/appointments/VISIT/guest-links"),
    ("revoke_ticket", "DELETE", "/v1/appointments/VISIT/guest-links/ID"),
    ("join", "POST", "/v1/consults/CONSULT/join"),
    ("end_consult", "POST", "/v1/consults/CONSULT/end"),
    ("book_appointment", "POST", "/v1/appointments"),
    ("read_person", "GET", "/v1/people/PATIENT"),
    ("list_appointments", "GET", "/v1/people/PATIENT/appointments"),
    ("read_consents", "GET", "/v1/people/PATIENT/consents"),
    ("record_consent", "PUT", "/v1/people/PATIENT/consents/telehealth"),
    ("create_consult", "POST", "/v1/consults"),
    ("manage_people", "POST", "/v1/people"),
    ("manage_people", "PUT", "/v1/people/PATIENT"),
    ("see_webhooks", "GET", "/v1/webhooks"),
    ("manage_webhooks", "POST", "/v1/webhooks"),
    ("manage_webhooks", "DELETE", "/v1/webhooks/ID"),
    ("see_webhooks", "GET", "/v1/webhooks/ID/dead-letters"),
    ("manage_tenant", "GET", "/v1/origins"),
    ("manage_tenant", "PUT", "/v1/origins"),
    ("manage_tenant", "GET", "/v1/direct-consults"),
    ("manage_tenant", "PUT", "/v1/direct-consults"),
    ("see_audit", "GET", "/v1/audit"),
    ("export_audit", "GET", "/v1/audit/export"),
    ("hold_records", "GET", "/v1/audit/hold"),
    ("hold_records", "PUT", "/v1/audit/hold"),
    ("hold_records", "DELETE", "/v1/audit/hold"),
    ("open_break_glass", "POST", "/v1/break-glass"),
    ("see_break_glass", "GET", "/v1/break-glass"),
    ("see_break_glass", "GET", "/v1/break-glass/GLASS"),
    ("close_break_glass", "POST", "/v1/break-glass/GLASS/close"),
    ("manage_people", "GET", "/v1/people/PATIENT/identities"),
    ("manage_people", "DELETE", "/v1/people/PATIENT/identities/ID"),
    ("grant_role", "PUT", "/v1/people/NOBODY/roles"),
    ("manage_clients", "GET", "/v1/clients"),
    ("manage_clients", "DELETE", "/v1/clients/nobody-00000000"),
    // The last: nothing can be tried out on who was erased.
    ("erase_person", "DELETE", "/v1/people/PATIENT"),
];

/// What the document promises, by act and column.
fn promised() -> BTreeMap<(String, String), String> {
    let mut cells = BTreeMap::new();
    let mut columns: Vec<String> = Vec::new();
    for line in DOCUMENT.lines() {
        let row: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        match row.first().map(String::as_str) {
            Some("act") => columns = row,
            Some(act) if line.starts_with("| `") && columns.len() == row.len() => {
                let act = act.trim_matches('`').to_owned();
                cells.extend(
                    columns.iter().cloned().zip(row).map(|(column, cell)| ((act.clone(), column), cell)),
                );
            }
            _ if line.starts_with('|') => {}
            _ => columns.clear(),
        }
    }
    cells
}

/// The acts that the document lets a visit's token do for those who may.
fn for_visitors() -> Vec<String> {
    let part = DOCUMENT.split("\n## In a visit\n").nth(1).expect("there");
    let part = part.split("\n## ").next().expect("there");
    let acts = part.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    acts.map(str::to_owned).collect()
}

/// Everybody whom the document has a column for, and somebody who is nobody, by their ids of ours.
async fn people(f: &Fixture) -> Vec<(&'static str, String)> {
    let mut people = Vec::new();
    for role in ["patient", "provider", "nurse", "interpreter", "guardian", "observer"] {
        people.push((role, known(f, role).await));
    }
    for (column, standing, tenant_role) in [
        ("clinician", Some(Role::Provider), None),
        // Who has broken the glass for the patient.
        ("broken glass", Some(Role::Nurse), None),
        ("admin", None, Some(TenantRole::Admin)),
        ("auditor", None, Some(TenantRole::Auditor)),
        ("nobody", Some(Role::Patient), None),
    ] {
        let change = RoleChange { standing: Some(standing), tenant_role: Some(tenant_role) };
        let id =
            f.api.set_roles_from_shell(tenant("clinic"), Pii::new(column.replace(" ", "-")), change).await;
        people.push((column, id.expect("somebody").to_string()));
    }
    people
}

pub async fn known(f: &Fixture, external_id: &str) -> String {
    let (_, person) = f.post("/v1/people", json!({"external_id": external_id})).await;
    person["id"].as_str().expect("an id").to_owned()
}

/// An appointment with one person in each role, so many seconds from now.
pub async fn appointment(f: &Fixture, in_s: u64) -> Value {
    let people: Vec<_> = ["patient", "provider", "nurse", "interpreter", "guardian", "observer"]
        .map(|role| json!({"person_id": role, "role": role}))
        .into();
    let (starts_at, ends_at) = (in_seconds(in_s), in_seconds(in_s + 600));
    let body = json!({"starts_at": starts_at, "ends_at": ends_at, "people": people});
    let (status, appointment) = f.post("/v1/appointments", body).await;
    assert_eq!(status, StatusCode::CREATED, "{appointment}");
    appointment
}

pub fn body_of(act: &str, path: &str) -> Value {
    let past = ("2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z");
    match act {
        "move_appointment" => json!({"starts_at": past.0, "ends_at": past.1}),
        "book_appointment" => {
            let people = json!([{"person_id": "patient", "role": "patient"}]);
            json!({"starts_at": past.0, "ends_at": past.1, "people": people})
        }
        "issue_ticket" if path.ends_with("guest-links") => {
            json!({"role": "observer", "display_name": "Somebody"})
        }
        "join" => json!({"display_name": "Somebody"}),
        "issue_ticket" => json!({"role": "patient", "person_id": "patient", "display_name": "Somebody"}),
        "manage_people" if path != "/v1/people" => json!({"display_name": "Somebody"}),
        "manage_people" => json!({"external_id": "somebody-new"}),
        "manage_webhooks" if path.ends_with("webhooks") => json!({"url": "https://ehr.example/hooks"}),
        "manage_tenant" if path.ends_with("direct-consults") => json!({"allowed": true}),
        "manage_tenant" => json!({"origins": []}),
        "write_chat" => json!({"text": "good morning"}),
        "open_break_glass" => json!({"patient": "PATIENT", "reason": "unconscious, allergies unknown"}),
        "hold_records" => json!({"reason": "Doe v. Clinic, 26-cv-104"}),
        "grant_role" => json!({"standing": "patient", "tenant_role": null}),
        _ => json!({}),
    }
}

/// How somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// A back end says that it acts for them.
    BackEnd,
    /// They signed in, with one factor.
    Password,
    /// They signed in, with two.
    TwoFactors,
}

/// Breaks the glass for a patient, as somebody who signed in with two factors; its id.
pub async fn break_glass(f: &Fixture, person: &str, patient: &str) -> String {
    let body = body_of("open_break_glass", "").to_string().replace("PATIENT", patient);
    let page = signed_in(f, "clinic", person, true).await.post("/v1/break-glass", &body).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.text);
    page.json()["id"].as_str().expect("an id").to_owned()
}

/// What the document says in the cell of somebody. A broken glass is a clinician's, who may what clinicians may.
fn cell_of<'a>(promised: &'a BTreeMap<(String, String), String>, act: &str, column: &str) -> &'a str {
    let cell = |column: &str| promised.get(&(act.to_owned(), column.to_owned())).map_or("–", String::as_str);
    match (column, cell("clinician")) {
        ("broken glass", "–") => cell(column),
        ("broken glass", as_clinician) => as_clinician,
        _ => cell(column),
    }
}

/// Whether the document grants a cell to somebody who asks so. Nobody can vouch for another's second factor.
fn is_promised(cell: &str, client_cell: &str, by: By) -> bool {
    match cell {
        "yes" => by != By::BackEnd || client_cell != "–",
        "MFA" | "others" => by == By::TwoFactors,
        "–" => false,
        odd => panic!("{odd}"),
    }
}

/// Walks every operation for everybody; how many were refused.
async fn walk(f: &Fixture, by: By, people: &[(&'static str, String)], visit: &Value) -> usize {
    let promised = promised();
    let id_of = |column: &str| &people.iter().find(|(known, _)| *known == column).expect("somebody").1;
    let (mut walked, mut refused) = (0, 0);
    // Of another patient: to close it shuts no door that is still to be tried.
    let glass = break_glass(f, id_of("broken glass"), id_of("nobody")).await;
    for (act, method, path) in OPERATIONS {
        let place = path
            .replace("VISIT", visit["id"].as_str().expect("an id"))
            .replace("CONSULT", visit["consult"].as_str().expect("an id"))
            .replace("PATIENT", id_of("patient"))
            .replace("NOBODY", id_of("nobody"))
            .replace("GLASS", &glass)
            .replace("ID", &"0".repeat(32));
        for (column, person) in people {
            let cell = cell_of(&promised, act, column);
            let client_cell = &promised[&(act.to_owned(), "API client".to_owned())];
            let body = body_of(act, path).to_string().replace("PATIENT", id_of("patient"));
            let (status, told) = if by == By::BackEnd {
                let headers = [("on-behalf-of", person.as_str())];
                let body = serde_json::from_str(&body).expect("JSON");
                let (status, _, told) = f.send_as((method, &place), &f.key, body, None, &headers).await;
                (status, told)
            } else {
                let mut browser = signed_in(f, "clinic", person, by == By::TwoFactors).await;
                let page = browser.send(method, &place, &body, &[("origin", ORIGIN)]).await;
                (page.status, page.json())
            };
            let is_refused = status == StatusCode::FORBIDDEN;
            let is_promised = is_promised(cell, client_cell, by);
            assert_eq!(
                !is_refused, is_promised,
                "{method} {path} for {column} by {by:?} ({cell}): {status} {told}"
            );
            let is_answered = status != StatusCode::UNAUTHORIZED && !status.is_server_error();
            assert!(is_answered, "{method} {path} for {column} by {by:?}: {status} {told}");
            (walked, refused) = (walked + 1, refused + usize::from(is_refused));
        }
    }
    assert_eq!(walked, OPERATIONS.len() * people.len());
    refused
}

/// Walks every operation for somebody in each role who is in the visit, by the token that they were welcomed with; how many were
/// refused.
async fn walk_within(f: &Fixture, visit: &Value, ids: &[(&str, &str)]) -> usize {
    let (promised, for_visitors) = (promised(), for_visitors());
    assert_eq!(for_visitors, ["read_chat", "write_chat"]);
    let (consult, mut visitors) = (visit["consult"].as_str().expect("an id"), Vec::new());
    for role in Role::ALL {
        let ticket = f.ticket(&f.key, consult, role.as_str(), role).await;
        visitors.push((role, f.welcome(&ticket)));
    }
    let mut refused = 0;
    for (act, method, path) in OPERATIONS {
        let place = |text: &str| ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id));
        for (role, token) in &visitors {
            let body = place(&body_of(act, path).to_string());
            let (status, told) = f.send(method, &place(path), token, body).await;
            let what = format!("{method} {path} within the visit as {role:?}: {status} {told}");
            let cell = promised[&(act.to_owned(), role.as_str().to_owned())].as_str();
            let is_promised = cell == "yes" && for_visitors.iter().any(|known| known == act);
            assert_eq!(status != StatusCode::FORBIDDEN, is_promised, "{what}");
            assert!(status != StatusCode::UNAUTHORIZED && !status.is_server_error(), "{what}");
            refused += usize::from(!is_promised);
        }
    }
    refused
}

/// What somebody did who has a part in nothing, and no broken glass is named for it.
async fn unnamed(f: &Fixture, person: &str) -> Vec<String> {
    let acts: Vec<(String,)> = sqlx::query_as(
        "SELECT action FROM audit WHERE actor = $1 AND outcome = 'granted' AND asserted_by IS NULL
            AND action <> 'consult_created' AND (detail IS NULL OR detail NOT LIKE 'break_glass:%')",
    )
    .bind(format!("person:{person}"))
    .fetch_all(&f.raw().await)
    .await
    .expect("rows");
    acts.into_iter().map(|(act,)| act).collect()
}

#[tokio::test]
async fn every_operation_is_as_the_document_has_it_for_everybody_however_they_ask() {
    on_both(async |f| {
        let people = people(&f).await;
        f.consent(&people[0].1).await;
        let of = |column: &str| &people.iter().find(|(known, _)| *known == column).expect("somebody").1;
        break_glass(&f, of("broken glass"), of("patient")).await;
        // Patients are theirs who have an appointment with them; what is tried out on the first must not end that.
        appointment(&f, 70_000).await;
        let (visit, zeros) = (appointment(&f, 10_800).await, "0".repeat(32));
        let ids = [
            ("VISIT", visit["id"].as_str().expect("an id")),
            ("CONSULT", visit["consult"].as_str().expect("an id")),
            ("PATIENT", of("patient")),
            ("NOBODY", of("nobody")),
            ("GLASS", &zeros),
            ("ID", &zeros),
        ];
        let mut refused = walk_within(&f, &visit, &ids).await;
        for (by, in_s) in [(By::BackEnd, 60), (By::Password, 3_600), (By::TwoFactors, 7_200)] {
            let visit = appointment(&f, in_s).await;
            refused += walk(&f, by, &people, &visit).await;
        }
        let noted = f.audit().await.into_iter().filter(|(_, _, outcome, _)| outcome == "refused").count();
        assert_eq!(noted, refused, "every refusal is in the audit log");
        assert_eq!(unnamed(&f, of("broken glass")).await, Vec::<String>::new());
    })
    .await;
}
