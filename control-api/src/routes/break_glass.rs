//! `/v1/break-glass`

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use media_model::Pii;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Json, Path,
    operation::{Operation, Parameter},
    query::limit,
    rfc3339, schema,
};
use crate::{
    ControlApi,
    answer::Answer,
    app::break_glass::{Told, Which},
    auth::Caller,
    ids::{BreakGlassId, PersonId},
    limits::BREAK_GLASSES_LISTED_MAX,
    permissions::{Act, BreakGlassReason, GlassState},
    problem::Problem,
};

/// At whom a clinician looks without an appointment, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewBreakGlass")]
struct OpenBody {
    #[schemars(schema_with = "schema::id")]
    patient: String,
    #[schemars(schema_with = "schema::break_glass_reason")]
    reason: Pii<String>,
}

/// Who looks at a patient without an appointment, why, and who has looked into that.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BreakGlass")]
struct GlassBody {
    #[schemars(schema_with = "schema::id")]
    id: BreakGlassId,
    #[schemars(schema_with = "schema::break_glass_state")]
    state: &'static str,
    /// Who broke it.
    #[schemars(schema_with = "schema::id")]
    person: PersonId,
    #[schemars(schema_with = "schema::id")]
    patient: PersonId,
    /// In their own words; null once the patient was erased. Personal.
    reason: Option<Pii<String>>,
    #[schemars(schema_with = "schema::utc")]
    opened_at: String,
    #[schemars(schema_with = "schema::utc")]
    expires_at: String,
    #[schemars(schema_with = "schema::utc_if_any")]
    closed_at: Option<String>,
    #[schemars(schema_with = "schema::id_if_any")]
    closed_by: Option<PersonId>,
}

/// Some of them, the newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BreakGlasses")]
struct GlassesBody {
    break_glasses: Vec<GlassBody>,
    /// The last of them, to go on after; null where there was none.
    #[schemars(schema_with = "schema::id_if_any")]
    last: Option<BreakGlassId>,
}

impl From<Told> for GlassBody {
    fn from(told: Told) -> Self {
        let glass = told.glass;
        Self {
            id: glass.id,
            state: told.state.as_str(),
            person: glass.by,
            patient: glass.patient,
            reason: told.reason,
            opened_at: rfc3339(glass.opened_at_ms),
            expires_at: rfc3339(glass.expires_at_ms),
            closed_at: glass.closed.map(|(at_ms, _)| rfc3339(at_ms)),
            closed_by: glass.closed.map(|(_, by)| by),
        }
    }
}

impl Answer for Told {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&GlassBody::from(self.clone())).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.glass.patient)
    }
}

/// As it comes in the query.
#[derive(Deserialize)]
struct WhichQuery {
    after: Option<String>,
    limit: Option<String>,
    state: Option<String>,
}

/// How many there are in an answer by default.
const LISTED: i64 = 50;

impl WhichQuery {
    fn which(&self) -> Result<Which, Problem> {
        let after = self.after.as_deref().map(str::parse).transpose();
        let state = self.state.as_deref().map(str::parse).transpose();
        Ok(Which {
            after: after.map_err(|_| Problem::FieldInvalid("after"))?,
            state: state.map_err(|_| Problem::FieldInvalid("state"))?,
            rows_max: limit(self.limit.as_deref(), LISTED, BREAK_GLASSES_LISTED_MAX)?,
        })
    }
}

fn parameters() -> [Parameter; 3] {
    let states: Vec<_> = GlassState::ALL.iter().map(|state| state.as_str()).collect();
    [
        Parameter {
            name: "after",
            description: "The break-glass to go on after",
            schema: json!({"type": "string", "pattern": schema::ID_PATTERN}),
        },
        Parameter {
            name: "limit",
            description: "How many at most",
            schema: json!({"type": "integer", "minimum": 1, "maximum": BREAK_GLASSES_LISTED_MAX}),
        },
        Parameter {
            name: "state",
            description: "Only those that are in this state now",
            schema: json!({"type": "string", "enum": states}),
        },
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/break-glass", open)
            .is(
                "openBreakGlass",
                Act::OpenBreakGlass,
                "Looks at a patient without an appointment, for an hour",
            )
            .takes::<OpenBody>()
            .gives::<GlassBody>(StatusCode::CREATED)
            .refuses([Problem::NotFound]),
        Operation::get("/v1/break-glass", list)
            .is("listBreakGlass", Act::SeeBreakGlass, "Lists who broke which glass, and why")
            .with(parameters())
            .gives::<GlassesBody>(StatusCode::OK)
            .refuses([Problem::NotFound]),
        Operation::get("/v1/break-glass/{break_glass}", read)
            .is("readBreakGlass", Act::SeeBreakGlass, "Reads who broke a glass, and why")
            .gives::<GlassBody>(StatusCode::OK),
        Operation::post("/v1/break-glass/{break_glass}/close", close)
            .is(
                "closeBreakGlass",
                Act::CloseBreakGlass,
                "Puts down that an auditor has looked into it; what it opened is shut at once",
            )
            .gives::<GlassBody>(StatusCode::OK)
            .refuses([Problem::ClosedAlready]),
    ]
}

async fn open(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<OpenBody>,
) -> Result<(StatusCode, axum::Json<GlassBody>), Problem> {
    let patient = body.patient.parse().map_err(|_| Problem::FieldInvalid("patient"))?;
    let reason = BreakGlassReason::parse(body.reason.reveal()).ok_or(Problem::FieldInvalid("reason"))?;
    let told = api.open_break_glass(caller, patient, reason).await?;
    Ok((StatusCode::CREATED, axum::Json(told.into())))
}

async fn list(
    State(api): State<ControlApi>,
    caller: Caller,
    query: Result<Query<WhichQuery>, QueryRejection>,
) -> Result<axum::Json<GlassesBody>, Problem> {
    let Query(query) = query.map_err(|_| Problem::FieldInvalid("query"))?;
    let told = api.break_glasses(caller, query.which()?).await?;
    let last = told.last().map(|told| told.glass.id);
    Ok(axum::Json(GlassesBody { break_glasses: told.into_iter().map(GlassBody::from).collect(), last }))
}

async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(id): Path<BreakGlassId>,
) -> Result<axum::Json<GlassBody>, Problem> {
    Ok(axum::Json(api.break_glass(caller, id).await?.into()))
}

async fn close(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(id): Path<BreakGlassId>,
) -> Result<axum::Json<GlassBody>, Problem> {
    Ok(axum::Json(api.close_break_glass(caller, id).await?.into()))
}
