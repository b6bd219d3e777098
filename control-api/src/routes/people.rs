//! `/v1/people`

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use media_model::Pii;
use serde::{Deserialize, Serialize};
use signaling_protocol::limits::PERSON_ID_BYTES_MAX;

use super::{Json, rfc3339};
use crate::{ControlApi, app::people::Person, auth::Caller, ids::PersonId, problem::Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterBody {
    external_id: Pii<String>,
}

#[derive(Serialize)]
pub(super) struct PersonBody {
    id: PersonId,
    external_id: Option<Pii<String>>,
    created_at: String,
    erased_at: Option<String>,
}

impl From<Person> for PersonBody {
    fn from(person: Person) -> Self {
        Self {
            id: person.id,
            external_id: person.external_id,
            created_at: rfc3339(person.created_at_ms),
            erased_at: person.erased_at_ms.map(rfc3339),
        }
    }
}

/// An EHR's opaque id, or which field it stood in.
pub(super) fn external_id(text: Pii<String>, field: &'static str) -> Result<Pii<String>, Problem> {
    let id = text.reveal();
    let is_sound = (1..=PERSON_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    if is_sound { Ok(text) } else { Err(Problem::FieldInvalid(field)) }
}

/// `POST /v1/people`: an id of the EHR's is personal and stands in no URL.
pub(super) async fn register(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<RegisterBody>,
) -> Result<axum::Json<PersonBody>, Problem> {
    let external_id = external_id(body.external_id, "external_id")?;
    Ok(axum::Json(api.register_person(caller, external_id).await?.into()))
}

/// `GET /v1/people/{person}`
pub(super) async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<String>,
) -> Result<axum::Json<PersonBody>, Problem> {
    let id = person.parse().map_err(|_| Problem::NotFound)?;
    Ok(axum::Json(api.read_person(caller, id).await?.into()))
}

/// `DELETE /v1/people/{person}`
pub(super) async fn erase(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = person.parse().map_err(|_| Problem::NotFound)?;
    api.erase_person(caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
