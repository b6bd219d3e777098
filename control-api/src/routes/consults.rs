//! `/v1/consults`

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use media_model::ConsultId;
use serde::{Deserialize, Serialize};

use super::{Json, rfc3339};
use crate::{ControlApi, app::NewConsult, auth::Caller, problem::Problem, store};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateBody {
    #[serde(default)]
    waiting_room: bool,
}

#[derive(Serialize)]
pub(super) struct ConsultBody {
    id: ConsultId,
    waiting_room: bool,
    created_at: String,
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

/// `POST /v1/consults`
pub(super) async fn create(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<CreateBody>,
) -> Result<(StatusCode, axum::Json<ConsultBody>), Problem> {
    let consult = api.create_consult(caller, NewConsult { waiting_room: body.waiting_room }).await?;
    Ok((StatusCode::CREATED, axum::Json(consult.into())))
}

/// `POST /v1/consults/{consult}/end`
pub(super) async fn end(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(consult): Path<String>,
) -> Result<axum::Json<ConsultBody>, Problem> {
    let id = consult.parse().map_err(|_| Problem::NotFound)?;
    Ok(axum::Json(api.end_consult(caller, id).await?.into()))
}
