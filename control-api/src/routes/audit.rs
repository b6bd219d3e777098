//! `/v1/audit`

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use media_model::Pii;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    operation::{Operation, Parameter},
    query::{limit, whole_number},
    rfc3339, schema,
};
use crate::{
    ControlApi,
    app::audit_log::{Part, Told},
    audit::SealedRow,
    auth::Caller,
    limits::{AUDIT_ENTRIES_LISTED_MAX, AUDIT_LINES_EXPORTED_MAX},
    permissions::Act,
    problem::Problem,
};

/// A line of JSON for each entry (<https://github.com/ndjson/ndjson-spec>).
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Part of the audit log, in the order in which it was sealed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntries")]
struct EntriesBody {
    entries: Vec<EntryBody>,
    /// The number of the last of them, to go on after; null where there was none.
    last: Option<i64>,
}

/// Who did or tried what, when, from where, about whom.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
struct EntryBody {
    /// Its place in the chain.
    seq: i64,
    #[schemars(schema_with = "schema::id")]
    entry: String,
    #[schemars(schema_with = "schema::utc")]
    at: String,
    action: String,
    /// `granted` or `refused`
    outcome: String,
    actor: String,
    /// The API client that acted for the actor.
    asserted_by: Option<String>,
    surface: String,
    /// The patient whom it is about, by our id.
    patient: Option<String>,
    consult: Option<String>,
    /// A participant's number in the consult.
    participant: Option<i64>,
    /// The person whom it is about, by our id.
    person: Option<String>,
    role: Option<String>,
    /// A code that says more.
    detail: Option<String>,
    /// The address that the request came from. Personal.
    address: Option<Pii<String>>,
    request: Option<String>,
    duration_ms: Option<f64>,
}

impl From<Told> for EntryBody {
    fn from(told: Told) -> Self {
        let stored = told.stored;
        Self {
            seq: told.seq,
            entry: stored.id,
            at: rfc3339(stored.at_ms),
            action: stored.action,
            outcome: stored.outcome,
            actor: stored.actor,
            asserted_by: stored.asserted_by,
            surface: stored.surface,
            patient: stored.patient,
            consult: stored.consult,
            participant: stored.participant,
            person: stored.person,
            role: stored.role,
            detail: stored.detail,
            address: told.address,
            request: stored.request,
            duration_ms: stored.duration_us.map(|us| us as f64 / 1_000.0),
        }
    }
}

/// An entry and its link as they are stored: `docs/audit-chain.md` says what is hashed.
fn line(row: &SealedRow) -> Value {
    let link = json!({
        "seq": row.seq,
        "entry": row.entry,
        "previous": row.previous.map(|hash| hash.to_string()),
        "hash": row.hash.map(|hash| hash.to_string()),
        "is_there": row.stored.is_some(),
    });
    let (Value::Object(mut line), Some(stored)) = (link.clone(), &row.stored) else { return link };
    let fields = json!({
        "version": stored.version,
        "at_ms": stored.at_ms,
        "action": stored.action,
        "outcome": stored.outcome,
        "actor": stored.actor,
        "asserted_by": stored.asserted_by,
        "surface": stored.surface,
        "patient": stored.patient,
        "consult": stored.consult,
        "participant": stored.participant,
        "person": stored.person,
        "role": stored.role,
        "detail": stored.detail,
        "address": stored.address.as_deref().map(|sealed| BASE64.encode(sealed)),
        "request": stored.request,
        "duration_us": stored.duration_us,
    });
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    line.into()
}

/// As it comes in the query.
#[derive(Deserialize)]
struct PartQuery {
    after: Option<String>,
    limit: Option<String>,
    person: Option<String>,
}

impl PartQuery {
    fn part(&self, default: i64, entries_max: i64) -> Result<Part, Problem> {
        let after = whole_number(self.after.as_deref(), 0).ok_or(Problem::FieldInvalid("after"))?;
        Ok(Part { after, entries_max: limit(self.limit.as_deref(), default, entries_max)? })
    }
}

/// A query in which a name comes twice says nothing.
fn sound(query: Result<Query<PartQuery>, QueryRejection>) -> Result<PartQuery, Problem> {
    query.map(|Query(query)| query).map_err(|_| Problem::FieldInvalid("query"))
}

fn parameters(entries_max: i64) -> [Parameter; 2] {
    [
        Parameter {
            name: "after",
            description: "The number of the entry to go on after; 0 by default",
            schema: json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX}),
        },
        Parameter {
            name: "limit",
            description: "How many entries at most",
            schema: json!({"type": "integer", "minimum": 1, "maximum": entries_max}),
        },
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let person = Parameter {
        name: "person",
        description: "Only what is about this person, as the patient or otherwise",
        schema: json!({"type": "string", "pattern": schema::ID_PATTERN}),
    };
    vec![
        Operation::get("/v1/audit", read)
            .is("readAudit", Act::SeeAudit, "Reads the audit log, in the order in which it was sealed")
            .with(parameters(AUDIT_ENTRIES_LISTED_MAX).into_iter().chain([person]))
            .gives::<EntriesBody>(StatusCode::OK),
        Operation::get("/v1/audit/export", export)
            .is(
                "exportAudit",
                Act::ExportAudit,
                "Gives the audit log as it is stored, to be verified elsewhere",
            )
            .with(parameters(AUDIT_LINES_EXPORTED_MAX))
            .gives_text(NDJSON),
    ]
}

/// How many entries there are in an answer by default.
const ENTRIES_LISTED: i64 = 100;

async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
    query: Result<Query<PartQuery>, QueryRejection>,
) -> Result<axum::Json<EntriesBody>, Problem> {
    let query = sound(query)?;
    let part = query.part(ENTRIES_LISTED, AUDIT_ENTRIES_LISTED_MAX)?;
    let person = query.person.as_deref().map(str::parse).transpose();
    let person = person.map_err(|_| Problem::FieldInvalid("person"))?;
    let told = api.read_audit(caller, part, person).await?;
    let last = told.last().map(|told| told.seq);
    Ok(axum::Json(EntriesBody { entries: told.into_iter().map(EntryBody::from).collect(), last }))
}

async fn export(
    State(api): State<ControlApi>,
    caller: Caller,
    query: Result<Query<PartQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = sound(query)?;
    let part = query.part(AUDIT_LINES_EXPORTED_MAX, AUDIT_LINES_EXPORTED_MAX)?;
    let rows = api.export_audit(caller, part).await?;
    let mut text = String::new();
    for row in &rows {
        text.push_str(&line(row).to_string());
        text.push('\n');
    }
    Ok(([(header::CONTENT_TYPE, NDJSON)], text).into_response())
}
