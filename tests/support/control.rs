//! The control API, as the back end of an EHR uses it.

use std::net::SocketAddr;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    http::{self, Answer},
    node::Node,
};

/// A back end with its API key.
#[derive(Clone)]
pub struct BackEnd {
    address: SocketAddr,
    authorization: String,
}

/// A ticket and what takes it back.
#[derive(Clone)]
pub struct Ticket {
    pub id: String,
    pub token: String,
}

/// Whom a ticket is for. The names are such that a log can be searched for them.
#[derive(Clone, Copy)]
pub struct Person {
    pub role: &'static str,
    pub id: &'static str,
    pub name: &'static str,
}

pub const PATIENT: Person = Person { role: "patient", id: "ehr-person-4711", name: "Rosa Testname" };
pub const PROVIDER: Person = Person { role: "provider", id: "ehr-person-0815", name: "Amina Testname" };
pub const INTERPRETER: Person = Person { role: "interpreter", id: "ehr-person-1234", name: "Tomas Testname" };
pub const NURSE: Person = Person { role: "nurse", id: "ehr-person-5678", name: "Kim Testname" };

impl BackEnd {
    pub fn of(node: &Node) -> Self {
        Self::with_key(node.address(), &node.api_key())
    }

    pub fn with_key(address: SocketAddr, key: &str) -> Self {
        Self { address, authorization: format!("Bearer {key}") }
    }

    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Authorization", self.authorization.as_str()), ("Content-Type", "application/json")];
        http::request(self.address, method, path, &headers, &body.to_string()).await
    }

    /// A new consult's id.
    pub async fn consult(&self) -> String {
        self.consult_with(&json!({})).await
    }

    pub async fn consult_with(&self, body: &Value) -> String {
        let answer = self.call("POST", "/v1/consults", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub async fn ticket(&self, consult: &str, person: Person) -> Ticket {
        self.ticket_for(consult, person, 300).await
    }

    pub async fn ticket_for(&self, consult: &str, person: Person, expires_in_s: u32) -> Ticket {
        let body = json!({
            "role": person.role,
            "person_id": person.id,
            "display_name": person.name,
            "expires_in_s": expires_in_s,
        });
        let answer = self.call("POST", &format!("/v1/consults/{consult}/tickets"), &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let minted = answer.json();
        let text = |member: &str| minted[member].as_str().expect("text").to_owned();
        Ticket { id: text("id"), token: text("ticket") }
    }

    pub async fn revoke(&self, consult: &str, ticket: &Ticket) {
        let path = format!("/v1/consults/{consult}/tickets/{}", ticket.id);
        let answer = self.call("DELETE", &path, &json!({})).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// What the control API calls a person.
    pub async fn id_of(&self, person: Person) -> String {
        let answer = self.call("POST", "/v1/people", &json!({"external_id": person.id})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// An appointment of patient and provider without a waiting room, in a minute.
    pub async fn appointment(&self) -> Value {
        let patient = self.id_of(PATIENT).await;
        let consent = format!("/v1/people/{patient}/consents/telehealth");
        assert_eq!(self.call("PUT", &consent, &json!({})).await.status, 204);
        let people = [PATIENT, PROVIDER].map(|person| json!({"person_id": person.id, "role": person.role}));
        let (starts_at, ends_at) = (in_minutes(1), in_minutes(31));
        let body = json!({"starts_at": starts_at, "ends_at": ends_at, "people": people});
        let answer = self.call("POST", "/v1/appointments", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    pub async fn end(&self, consult: &str) {
        let answer = self.call("POST", &format!("/v1/consults/{consult}/end"), &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

fn in_minutes(minutes: i64) -> String {
    let at = OffsetDateTime::now_utc() + time::Duration::minutes(minutes);
    at.format(&Rfc3339).expect("text")
}
