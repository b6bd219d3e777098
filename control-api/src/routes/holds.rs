//! `/v1/audit/hold`: legal hold, while which retention drops nothing of the tenant's audit log.

use axum::{extract::State, http::StatusCode};
use media_model::Pii;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi, answer::Answer, app::holds::Hold, auth::Caller, permissions::Act, problem::Problem,
    retention::HoldReason,
};

const PATH: &str = "/v1/audit/hold";

/// Why nothing of the audit log may go.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewHold")]
struct NewBody {
    #[schemars(schema_with = "schema::hold_reason")]
    reason: Pii<String>,
}

/// Whether retention may drop anything of the audit log, and why not.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
struct HoldBody {
    held: bool,
    /// In the words of whoever holds it. May be personal.
    reason: Option<Pii<String>>,
    /// As the audit log calls them.
    held_by: Option<String>,
    #[schemars(schema_with = "schema::utc_if_any")]
    since: Option<String>,
}

impl From<Option<Hold>> for HoldBody {
    fn from(hold: Option<Hold>) -> Self {
        match hold {
            None => Self { held: false, reason: None, held_by: None, since: None },
            Some(hold) => Self {
                held: true,
                reason: Some(hold.reason),
                held_by: Some(hold.held_by),
                since: Some(rfc3339(hold.since_ms)),
            },
        }
    }
}

impl Answer for Hold {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&HoldBody::from(Some(self.clone()))).ok()
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get(PATH, read)
            .is("readHold", Act::HoldRecords, "Tells whether the audit log is held, and why")
            .gives::<HoldBody>(StatusCode::OK),
        Operation::put(PATH, set)
            .is("setHold", Act::HoldRecords, "Has nothing of the audit log go until it is let go again")
            .takes::<NewBody>()
            .gives::<HoldBody>(StatusCode::OK),
        Operation::delete(PATH, lift).is("liftHold", Act::HoldRecords, "Lets the audit log go again"),
    ]
}

async fn read(State(api): State<ControlApi>, caller: Caller) -> Result<axum::Json<HoldBody>, Problem> {
    Ok(axum::Json(api.hold(caller).await?.into()))
}

async fn set(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<NewBody>,
) -> Result<axum::Json<HoldBody>, Problem> {
    let reason = HoldReason::parse(body.reason.reveal()).ok_or(Problem::FieldInvalid("reason"))?;
    Ok(axum::Json(Some(api.set_hold(caller, &reason).await?).into()))
}

async fn lift(State(api): State<ControlApi>, caller: Caller) -> Result<StatusCode, Problem> {
    api.lift_hold(caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
