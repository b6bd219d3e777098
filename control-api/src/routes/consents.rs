//! `/v1/people/{person}/consents`

use axum::{extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi, app::consents::Consent, auth::Caller, ids::PersonId, permissions::Act, problem::Problem,
};

/// What a person agreed to, one of each kind. How often it was given and withdrawn before is in the audit log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Consents")]
struct ConsentsBody {
    consents: Vec<ConsentBody>,
}

/// One consent, as it is now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Consent")]
struct ConsentBody {
    /// `telehealth`: to be treated from afar.
    kind: String,
    /// The last time.
    #[schemars(schema_with = "schema::utc")]
    given_at: String,
    /// Null while they consent.
    #[schemars(schema_with = "schema::utc_if_any")]
    withdrawn_at: Option<String>,
}

impl From<Consent> for ConsentBody {
    fn from(consent: Consent) -> Self {
        Self {
            kind: consent.kind,
            given_at: rfc3339(consent.given_at_ms),
            withdrawn_at: consent.withdrawn_at_ms.map(rfc3339),
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/v1/people/{person}/consents", list)
            .is("listConsents", Act::ReadConsents, "Lists what the person agreed to, and since when")
            .gives::<ConsentsBody>(StatusCode::OK),
        Operation::put("/v1/people/{person}/consents/telehealth", give_consent).is(
            "giveConsent",
            Act::RecordConsent,
            "Puts down that the person consents to be treated from afar",
        ),
        Operation::delete("/v1/people/{person}/consents/telehealth", withdraw_consent).is(
            "withdrawConsent",
            Act::RecordConsent,
            "Puts down that the person no longer consents",
        ),
    ]
}

async fn list(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
) -> Result<axum::Json<ConsentsBody>, Problem> {
    let consents = api.read_consents(caller, person).await?;
    Ok(axum::Json(ConsentsBody { consents: consents.into_iter().map(ConsentBody::from).collect() }))
}

async fn give_consent(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
) -> Result<StatusCode, Problem> {
    api.record_consent(caller, person, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn withdraw_consent(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
) -> Result<StatusCode, Problem> {
    api.record_consent(caller, person, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
