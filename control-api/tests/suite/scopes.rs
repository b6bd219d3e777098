//! A back end may do what it was made for, over HTTP: every operation with every scope, and with none.

use axum::http::StatusCode;
use control_api::permissions::{Scope, Scopes};
use serde_json::json;

use crate::support::{on_both, tenant};

/// Method, path and the scope that it takes. Ids are of nothing: who may ask is told not found, who may not is refused.
const OPERATIONS: [(&str, &str, Scope); 33] = [
    ("POST", "/v1/people", Scope::PeopleWrite),
    ("GET", "/v1/people/ID", Scope::PeopleRead),
    ("PUT", "/v1/people/ID", Scope::PeopleWrite),
    ("DELETE", "/v1/people/ID", Scope::PeopleErase),
    ("GET", "/v1/people/ID/consents", Scope::ConsentsRead),
    ("PUT", "/v1/people/ID/consents/telehealth", Scope::ConsentsWrite),
    ("DELETE", "/v1/people/ID/consents/telehealth", Scope::ConsentsWrite),
    ("POST", "/v1/appointments", Scope::AppointmentsWrite),
    ("GET", "/v1/appointments/ID", Scope::AppointmentsRead),
    ("POST", "/v1/appointments/ID/confirm", Scope::AppointmentsWrite),
    ("POST", "/v1/appointments/ID/cancel", Scope::AppointmentsWrite),
    ("POST", "/v1/appointments/ID/start", Scope::AppointmentsWrite),
    ("POST", "/v1/appointments/ID/end", Scope::AppointmentsWrite),
    ("POST", "/v1/appointments/ID/no-show", Scope::AppointmentsWrite),
    ("PUT", "/v1/appointments/ID/notes", Scope::NotesWrite),
    ("GET", "/v1/appointments/ID/reason", Scope::NotesRead),
    ("GET", "/v1/appointments/ID/summary", Scope::NotesRead),
    ("POST", "/v1/consults", Scope::ConsultsCreate),
    ("POST", "/v1/consults/ID/end", Scope::ConsultsWrite),
    ("POST", "/v1/consults/ID/tickets", Scope::TicketsWrite),
    ("DELETE", "/v1/consults/ID/tickets/ID", Scope::TicketsWrite),
    ("POST", "/v1/appointments/ID/guest-links", Scope::TicketsWrite),
    ("DELETE", "/v1/appointments/ID/guest-links/ID", Scope::TicketsWrite),
    ("GET", "/v1/audit", Scope::AuditRead),
    ("GET", "/v1/audit/export", Scope::AuditExport),
    ("GET", "/v1/break-glass", Scope::AuditRead),
    ("GET", "/v1/break-glass/ID", Scope::AuditRead),
    ("GET", "/v1/webhooks", Scope::WebhooksRead),
    ("POST", "/v1/webhooks", Scope::WebhooksWrite),
    ("DELETE", "/v1/webhooks/ID", Scope::WebhooksWrite),
    ("POST", "/v1/webhooks/ID/test", Scope::WebhooksWrite),
    ("GET", "/v1/webhooks/ID/dead-letters", Scope::WebhooksRead),
    ("POST", "/v1/webhooks/ID/dead-letters/ID/retry", Scope::WebhooksWrite),
];

fn body_of(path: &str) -> String {
    let person = json!([{"person_id": "p", "role": "patient"}]);
    match path {
        "/v1/people" => json!({"external_id": "p"}),
        "/v1/people/ID" => json!({"display_name": null}),
        "/v1/appointments" => {
            json!({"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-01-01T01:00:00Z", "people": person})
        }
        "/v1/webhooks" => json!({"url": "https://ehr.example/hooks"}),
        _ if path.ends_with("guest-links") => json!({"role": "observer", "display_name": "Somebody"}),
        _ if path.ends_with("tickets") => crate::support::a_patient(),
        _ => json!({}),
    }
    .to_string()
}

#[tokio::test]
async fn every_operation_takes_its_own_scope_and_no_other_opens_it() {
    on_both(async |f| {
        let mut refused = 0;
        for scopes in Scope::ALL.iter().map(|scope| Scopes::from_iter([*scope])).chain([Scopes::NONE]) {
            let key = f.api.create_client(tenant("clinic"), "one", scopes).await.expect("a client");
            for (method, path, needed) in OPERATIONS {
                let id = path.replace("ID", &"0".repeat(32));
                let (status, body) = f.send(method, &id, key.reveal(), body_of(path)).await;
                if scopes.contains(needed) {
                    // Some are done for a person only; `matrix.rs` has those.
                    assert_ne!(body["code"], "scope_missing", "{method} {path} with {scopes}: {body}");
                    refused += usize::from(status == StatusCode::FORBIDDEN);
                    assert!(!status.is_server_error(), "{method} {path}: {body}");
                } else {
                    let refusal = (StatusCode::FORBIDDEN, &json!("scope_missing"));
                    assert_eq!((status, &body["code"]), refusal, "{method} {path} with {scopes}");
                    refused += 1;
                }
            }
        }
        let noted = f.audit().await.into_iter().filter(|(_, _, outcome, _)| outcome == "refused").count();
        assert_eq!(noted, refused, "every refusal is in the audit log");
    })
    .await;
}
