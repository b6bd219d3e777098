//! `/v1/people/{person}/consents`

use axum::{extract::State, http::StatusCode};

use super::{Path, operation::Operation};
use crate::{ControlApi, auth::Caller, ids::PersonId, permissions::Act, problem::Problem};

pub(super) fn operations() -> Vec<Operation> {
    vec![
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
