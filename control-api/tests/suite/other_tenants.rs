//! Every operation of the OpenAPI document, asked by another tenant for what is this one's: nothing is told, nothing is done, and
//! what is there is answered for like what is not.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use control_api::{RoleChange, permissions::TenantRole};
use media_model::{Pii, Role};
use serde_json::{Value, json};

use crate::{
    matrix::{OPERATIONS, appointment, body_of, break_glass, known},
    support::{
        Fixture,
        browser::{ORIGIN, signed_in},
        on_both, tenant,
    },
};

/// An operation: its method, its path with `{names}` in it, and a body that it takes.
struct Operation {
    method: String,
    path: String,
    act: &'static str,
}

impl Operation {
    /// With ids in the place of the names.
    fn placed(&self, ids: &BTreeMap<&str, String>) -> (String, String) {
        let place = |text: &str| {
            ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
        };
        let body = body_of(self.act, &self.path).to_string().replace("PATIENT", "{person}");
        (place(&self.path), place(&body))
    }
}

/// Names and ids as one sign each.
fn shape(path: &str) -> String {
    let is_name = |part: &str| {
        part.starts_with('{')
            || part.starts_with("nobody-")
            || (!part.is_empty() && part == part.to_uppercase())
    };
    path.split('/').map(|part| if is_name(part) { "*" } else { part }).collect::<Vec<_>>().join("/")
}

/// All that the document has but for those that begin with a tenant's name, and so are no secret of any.
async fn operations(f: &Fixture) -> Vec<Operation> {
    let (_, document) = f.send("GET", "/v1/openapi.json", &f.key, String::new()).await;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys().map(|method| method.to_uppercase()) {
            if path.contains("{tenant}")
                || !["GET", "POST", "PUT", "DELETE", "PATCH"].contains(&method.as_str())
            {
                continue;
            }
            let known = OPERATIONS.iter().find(|(_, how, at)| *how == method && shape(at) == shape(path));
            let act = known.map_or("", |(act, ..)| act);
            operations.push(Operation { method, path: path.clone(), act });
        }
    }
    assert!(operations.len() > OPERATIONS.len(), "{} operations", operations.len());
    operations
}

/// One of each thing that has an id, of the first tenant.
async fn things(f: &Fixture) -> BTreeMap<&'static str, String> {
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let person = known(f, "patient").await;
    f.consent(&person).await;
    let visit = appointment(f, 60).await;
    let (visit, consult) = (text(&visit["id"]), text(&visit["consult"]));
    let ticket = json!({"role": "patient", "person_id": "patient", "display_name": "Somebody"});
    let (_, ticket) = f.post(&format!("/v1/consults/{consult}/tickets"), ticket).await;
    let link = json!({"role": "observer", "display_name": "Somebody"});
    let (_, link) = f.post(&format!("/v1/appointments/{visit}/guest-links"), link).await;
    let (_, webhook) = f.post("/v1/webhooks", json!({"url": "https://ehr.example/hooks"})).await;
    let nurse = RoleChange { standing: Some(Some(Role::Nurse)), tenant_role: None };
    let nurse = f.api.set_roles_from_shell(tenant("clinic"), Pii::new("nurse-1".into()), nurse).await;
    let glass = break_glass(f, &nurse.expect("somebody").to_string(), &person).await;
    let clients = f.api.clients_from_shell(tenant("clinic")).await.expect("a list");
    let client = clients.first().expect("the fixture's").id.clone();
    BTreeMap::from([
        ("person", person),
        ("appointment", visit),
        ("consult", consult),
        ("ticket", text(&ticket["id"])),
        ("guest_link", text(&link["id"])),
        ("webhook", text(&webhook["id"])),
        ("break_glass", glass),
        ("client", client),
        ("identity", "1".repeat(32)),
        ("message", "1".repeat(32)),
    ])
}

/// Who asks, of the other tenant.
enum Asker<'a> {
    /// A back end by its key, or somebody by the token of their visit.
    Key(&'a str),
    Person(&'a str),
}

async fn ask(
    f: &Fixture,
    asker: &Asker<'_>,
    method: &str,
    (path, body): &(String, String),
) -> (StatusCode, String) {
    match asker {
        Asker::Key(key) => {
            let (status, told) = f.send(method, path, key, body.clone()).await;
            (status, told.to_string())
        }
        Asker::Person(person) => {
            let mut browser = signed_in(f, "other", person, true).await;
            let page = browser.send(method, path, body, &[("origin", ORIGIN)]).await;
            (page.status, page.text)
        }
    }
}

async fn entries_of_the_clinic(f: &Fixture) -> i64 {
    let (entries,): (i64,) = sqlx::query_as("SELECT count(*) FROM audit WHERE tenant = 'clinic'")
        .fetch_one(&f.raw().await)
        .await
        .expect("a number");
    entries
}

#[tokio::test]
async fn nobody_of_another_tenant_learns_or_changes_anything_on_any_route() {
    on_both(async |f| {
        let ours = things(&f).await;
        let made_up: BTreeMap<&str, String> = ours
            .iter()
            .map(|(name, id)| {
                (*name, if *name == "client" { "nobody-00000000".into() } else { "0".repeat(id.len()) })
            })
            .collect();
        let key = f.key_of("other").await;
        let mut people = Vec::new();
        for (name, standing, tenant_role) in [
            ("admin-1", None, Some(TenantRole::Admin)),
            ("audit-1", None, Some(TenantRole::Auditor)),
            ("dr-1", Some(Role::Provider), None),
        ] {
            let change = RoleChange { standing: Some(standing), tenant_role: Some(tenant_role) };
            let id = f.api.set_roles_from_shell(tenant("other"), Pii::new(name.to_owned()), change).await;
            people.push(id.expect("somebody").to_string());
        }
        let (_, consult) = f.send("POST", "/v1/consults", &key, "{}".into()).await;
        let consult = consult["id"].as_str().expect("an id");
        let (entries, mut with_ids) = (entries_of_the_clinic(&f).await, 0);
        for (number, operation) in operations(&f).await.into_iter().enumerate() {
            // Somebody else each time: one person asks no faster than a page in a visit does.
            let visitor = format!("dr-{number}");
            let token = f.welcome(&f.ticket(&key, consult, &visitor, Role::Provider).await);
            let askers = [Asker::Key(&key), Asker::Key(&token)];
            for asker in askers.iter().chain(&people.iter().map(|id| Asker::Person(id)).collect::<Vec<_>>()) {
                let (status, told) = ask(&f, asker, &operation.method, &operation.placed(&ours)).await;
                let what = format!("{} {}: {status} {told}", operation.method, operation.path);
                assert!(!status.is_server_error(), "{what}");
                let told_of = ours.iter().find(|(name, id)| {
                    !operation.path.contains(&format!("{{{name}}}")) && told.contains(id.as_str())
                });
                assert!(told_of.is_none(), "{told_of:?} is the clinic's: {what}");
                if operation.placed(&ours) != operation.placed(&made_up) {
                    with_ids += 1;
                    assert!(!status.is_success(), "{what}");
                    let (as_unknown, _) =
                        ask(&f, asker, &operation.method, &operation.placed(&made_up)).await;
                    assert_eq!(status, as_unknown, "nobody is told by it what is there: {what}");
                }
            }
        }
        assert!(with_ids > 100, "{with_ids}");
        assert_eq!(entries_of_the_clinic(&f).await, entries, "nothing was done there");
        assert!(f.orders.ended.lock().expect("not poisoned").is_empty());
        assert!(f.orders.revoked.lock().expect("not poisoned").is_empty());
    })
    .await;
}
