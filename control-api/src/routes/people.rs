//! `/v1/people`

use axum::{extract::State, http::StatusCode};
use media_model::Pii;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi,
    answer::Answer,
    app::people::{Person, is_external_id},
    auth::Caller,
    ids::PersonId,
    permissions::Act,
    problem::Problem,
};

/// A person to be made known.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPerson")]
pub(super) struct RegisterBody {
    #[schemars(schema_with = "schema::external_id")]
    external_id: Pii<String>,
}

/// What is kept of a person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Person")]
pub(super) struct PersonBody {
    #[schemars(schema_with = "schema::id")]
    id: PersonId,
    #[schemars(schema_with = "schema::external_id_if_any")]
    external_id: Option<Pii<String>>,
    #[schemars(schema_with = "schema::utc")]
    created_at: String,
    #[schemars(schema_with = "schema::utc_if_any")]
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

impl Answer for Person {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&PersonBody::from(self.clone())).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.id)
    }
}

/// An EHR's opaque id, or which field it stood in.
pub(super) fn external_id(text: Pii<String>, field: &'static str) -> Result<Pii<String>, Problem> {
    if is_external_id(text.reveal()) { Ok(text) } else { Err(Problem::FieldInvalid(field)) }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/people", register)
            .is("registerPerson", Act::ManagePeople, "Makes a person known, or finds who is")
            .takes::<RegisterBody>()
            .gives::<PersonBody>(StatusCode::OK),
        Operation::get("/v1/people/{person}", read)
            .is("readPerson", Act::ReadPerson, "Reads what is kept of a person")
            .gives::<PersonBody>(StatusCode::OK),
        Operation::delete("/v1/people/{person}", erase).is(
            "erasePerson",
            Act::ErasePerson,
            "Makes what is kept of a person unreadable for good",
        ),
    ]
}

/// An id of the EHR's is personal and stands in no URL.
async fn register(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<RegisterBody>,
) -> Result<axum::Json<PersonBody>, Problem> {
    let external_id = external_id(body.external_id, "external_id")?;
    Ok(axum::Json(api.register_person(caller, external_id).await?.into()))
}

async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
) -> Result<axum::Json<PersonBody>, Problem> {
    Ok(axum::Json(api.read_person(caller, person).await?.into()))
}

async fn erase(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
) -> Result<StatusCode, Problem> {
    api.erase_person(caller, person).await?;
    Ok(StatusCode::NO_CONTENT)
}
