//! `/v1/people`

use axum::{extract::State, http::StatusCode};
use media_model::Pii;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use signaling_protocol::limits::DISPLAY_NAME_CHARS_MAX;

use super::{Json, Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi,
    answer::Answer,
    app::people::{Person, is_external_id},
    auth::Caller,
    ids::PersonId,
    one_line::one_line,
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
    #[serde(default)]
    #[schemars(schema_with = "schema::display_name")]
    display_name: Option<Pii<String>>,
}

/// By which name others know somebody. It has to be said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PersonName")]
pub(super) struct NameBody {
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(schema_with = "schema::display_name", required)]
    display_name: Option<Pii<String>>,
}

/// What is kept of a person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Person")]
pub(super) struct PersonBody {
    #[schemars(schema_with = "schema::id")]
    id: PersonId,
    #[schemars(schema_with = "schema::external_id_if_any")]
    external_id: Option<Pii<String>>,
    /// Where somebody is made known or found, what the request said.
    #[schemars(schema_with = "schema::display_name")]
    display_name: Option<Pii<String>>,
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
            display_name: person.display_name,
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
        Operation::put("/v1/people/{person}", set_name)
            .is("setPersonName", Act::ManagePeople, "Says by which name others know a person")
            .takes::<NameBody>(),
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
    let name = name(body.display_name)?;
    Ok(axum::Json(api.register_person(caller, external_id, name).await?.into()))
}

/// By which name others are to know somebody, if by any.
fn name(text: Option<Pii<String>>) -> Result<Option<Pii<String>>, Problem> {
    let sound = text.map(|text| {
        one_line(text.reveal(), 1..=DISPLAY_NAME_CHARS_MAX).ok_or(Problem::FieldInvalid("display_name"))
    });
    sound.transpose()
}

async fn set_name(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
    Json(body): Json<NameBody>,
) -> Result<StatusCode, Problem> {
    api.set_display_name(caller, person, name(body.display_name)?).await?;
    Ok(StatusCode::NO_CONTENT)
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
