//! `/v1/consults/{consult}/chat`

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use media_model::{ConsultId, ParticipantNumber, Pii, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use signaling_protocol::limits::is_chat;

use super::{
    Json, Path,
    operation::{Operation, Parameter},
    query::{limit, whole_number},
    rfc3339, schema,
};
use crate::{
    ControlApi,
    answer::Answer,
    app::chat::{Part, Told},
    audit::EntryId,
    auth::Caller,
    ids::PersonId,
    limits::CHAT_LINES_LISTED_MAX,
    permissions::Act,
    problem::Problem,
};

/// What somebody writes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewChatLine")]
struct WriteBody {
    #[schemars(schema_with = "schema::chat_text")]
    text: Pii<String>,
}

/// What somebody wrote.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChatLine")]
struct LineBody {
    /// What `chat` of the signaling protocol calls it.
    #[schemars(schema_with = "schema::id")]
    id: EntryId,
    /// Its number in the consult, from 1.
    number: i64,
    #[schemars(schema_with = "schema::utc")]
    at: String,
    /// Who wrote it.
    #[schemars(schema_with = "schema::id")]
    person: PersonId,
    /// Their number in the consult, as the signaling protocol has it; null where they have not come to it, or it no longer runs.
    participant: Option<ParticipantNumber>,
    role: Role,
    #[schemars(schema_with = "schema::chat_text_if_any")]
    text: Option<Pii<String>>,
}

/// Some of them, the oldest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChatLines")]
struct LinesBody {
    lines: Vec<LineBody>,
    /// The number of the last of them, to go on after; null where there was none.
    last: Option<i64>,
}

impl From<Told> for LineBody {
    fn from(told: Told) -> Self {
        let Told { id, number, at_ms, person, participant, role, text, .. } = told;
        Self { id, number, at: rfc3339(at_ms), person, participant, role, text }
    }
}

impl Answer for Told {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&LineBody::from(self.clone())).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.about)
    }
}

/// As it comes in the query.
#[derive(Deserialize)]
struct PartQuery {
    after: Option<String>,
    limit: Option<String>,
}

impl PartQuery {
    fn part(&self) -> Result<Part, Problem> {
        let after = whole_number(self.after.as_deref(), 0).ok_or(Problem::FieldInvalid("after"))?;
        let lines_max = limit(self.limit.as_deref(), CHAT_LINES_LISTED_MAX, CHAT_LINES_LISTED_MAX)?;
        Ok(Part { after, lines_max })
    }
}

fn parameters() -> [Parameter; 2] {
    [
        Parameter {
            name: "after",
            description: "The number of the line to go on after; 0 by default",
            schema: json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX}),
        },
        Parameter {
            name: "limit",
            description: "How many lines at most",
            schema: json!({"type": "integer", "minimum": 1, "maximum": CHAT_LINES_LISTED_MAX}),
        },
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/v1/consults/{consult}/chat", read)
            .is("readChat", Act::ReadChat, "Reads what was written in a consult's chat")
            .with(parameters())
            .gives::<LinesBody>(StatusCode::OK),
        Operation::post("/v1/consults/{consult}/chat", write)
            .is("writeChat", Act::WriteChat, "Writes a line, which those who are present get at once")
            .takes::<WriteBody>()
            .gives::<LineBody>(StatusCode::CREATED)
            .refuses([Problem::ConsultEnded]),
    ]
}

async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(consult): Path<ConsultId>,
    query: Result<Query<PartQuery>, QueryRejection>,
) -> Result<axum::Json<LinesBody>, Problem> {
    let Query(query) = query.map_err(|_| Problem::FieldInvalid("query"))?;
    let told = api.read_chat(caller, consult, query.part()?).await?;
    let last = told.last().map(|told| told.number);
    Ok(axum::Json(LinesBody { lines: told.into_iter().map(LineBody::from).collect(), last }))
}

async fn write(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(consult): Path<ConsultId>,
    Json(body): Json<WriteBody>,
) -> Result<(StatusCode, axum::Json<LineBody>), Problem> {
    if !is_chat(body.text.reveal()) {
        return Err(Problem::FieldInvalid("text"));
    }
    let told = api.write_chat(caller, consult, body.text).await?;
    Ok((StatusCode::CREATED, axum::Json(told.into())))
}
