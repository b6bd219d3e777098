//! `/v1/people/{person}/identities`: who somebody is where they sign in.

use axum::{extract::State, http::StatusCode};
use media_model::Pii;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi,
    answer::Answer,
    app::identities::{Identity, is_account},
    auth::Caller,
    ids::{IdentityId, PersonId},
    permissions::Act,
    problem::Problem,
};

const ALL: &str = "/v1/people/{person}/identities";
const ONE: &str = "/v1/people/{person}/identities/{identity}";

/// An account that is to be linked to somebody.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewIdentity")]
pub(super) struct LinkBody {
    #[schemars(schema_with = "schema::issuer")]
    issuer: String,
    #[schemars(schema_with = "schema::subject")]
    subject: Pii<String>,
}

/// A way in which somebody signs in. Neither issuer nor subject is kept, only a keyed hash of both.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Identity")]
pub(super) struct IdentityBody {
    #[schemars(schema_with = "schema::id")]
    id: IdentityId,
    #[schemars(schema_with = "schema::utc")]
    created_at: String,
}

/// All of a person's.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Identities")]
pub(super) struct IdentitiesBody {
    identities: Vec<IdentityBody>,
}

impl From<Identity> for IdentityBody {
    fn from(identity: Identity) -> Self {
        Self { id: identity.id, created_at: rfc3339(identity.created_at_ms) }
    }
}

impl Answer for Identity {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&IdentityBody::from(*self)).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.person)
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post(ALL, link)
            .is("linkIdentity", Act::ManagePeople, "Links an account to a person, who signs in with it")
            .takes::<LinkBody>()
            .gives::<IdentityBody>(StatusCode::CREATED)
            .refuses([Problem::TooMany, Problem::LinkedAlready]),
        Operation::get(ALL, list)
            .is("listIdentities", Act::ManagePeople, "Lists how a person signs in")
            .gives::<IdentitiesBody>(StatusCode::OK),
        Operation::delete(ONE, unlink).is(
            "unlinkIdentity",
            Act::ManagePeople,
            "Unlinks an account, and signs the person out",
        ),
    ]
}

async fn link(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
    Json(body): Json<LinkBody>,
) -> Result<(StatusCode, axum::Json<IdentityBody>), Problem> {
    if !is_account(&body.issuer, body.subject.reveal()) {
        return Err(Problem::FieldInvalid("subject"));
    }
    let identity = api.link_identity(caller, person, &body.issuer, body.subject).await?;
    Ok((StatusCode::CREATED, axum::Json(identity.into())))
}

async fn list(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
) -> Result<axum::Json<IdentitiesBody>, Problem> {
    let identities = api.identities(caller, person).await?.into_iter().map(IdentityBody::from).collect();
    Ok(axum::Json(IdentitiesBody { identities }))
}

async fn unlink(
    State(api): State<ControlApi>,
    caller: Caller,
    Path((person, identity)): Path<(PersonId, IdentityId)>,
) -> Result<StatusCode, Problem> {
    api.unlink_identity(caller, person, identity).await?;
    Ok(StatusCode::NO_CONTENT)
}
