//! `/v1/consults`

use axum::{extract::State, http::StatusCode};
use media_model::ConsultId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi, answer::Answer, app::NewConsult, auth::Caller, permissions::Act, problem::Problem, store,
};

/// A consult to be created.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewConsult")]
pub(super) struct CreateBody {
    /// Whether patients and guests wait until staff lets them in.
    #[serde(default)]
    waiting_room: bool,
}

/// A consult.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Consult")]
pub(super) struct ConsultBody {
    #[schemars(schema_with = "schema::id")]
    id: ConsultId,
    waiting_room: bool,
    #[schemars(schema_with = "schema::utc")]
    created_at: String,
    #[schemars(schema_with = "schema::utc_if_any")]
    ended_at: Option<String>,
}

impl From<store::Consult> for ConsultBody {
    fn from(consult: store::Consult) -> Self {
        Self {
            id: consult.id,
            waiting_room: consult.waiting_room,
            created_at: rfc3339(consult.created_at_ms),
            ended_at: consult.ended_at_ms.map(rfc3339),
        }
    }
}

impl Answer for store::Consult {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&ConsultBody::from(self.clone())).ok()
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/consults", create)
            .is("createConsult", Act::CreateConsult, "Creates a consult without an appointment")
            .takes::<CreateBody>()
            .gives::<ConsultBody>(StatusCode::CREATED),
        Operation::post("/v1/consults/{consult}/end", end)
            .is("endConsult", Act::EndConsult, "Ends a consult for good; ending it again changes nothing")
            .gives::<ConsultBody>(StatusCode::OK),
    ]
}

async fn create(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<CreateBody>,
) -> Result<(StatusCode, axum::Json<ConsultBody>), Problem> {
    let consult = api.create_consult(caller, NewConsult { waiting_room: body.waiting_room }).await?;
    Ok((StatusCode::CREATED, axum::Json(consult.into())))
}

async fn end(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(consult): Path<ConsultId>,
) -> Result<axum::Json<ConsultBody>, Problem> {
    Ok(axum::Json(api.end_consult(caller, consult).await?.into()))
}
