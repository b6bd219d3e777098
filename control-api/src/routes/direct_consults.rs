//! `/v1/direct-consults`: whether the tenant has consults without an appointment.

use axum::{extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, operation::Operation};
use crate::{
    ControlApi, answer::Answer, app::direct_consults::DirectConsults, auth::Caller, permissions::Act,
    problem::Problem,
};

const PATH: &str = "/v1/direct-consults";

/// Whether the tenant has consults without an appointment.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DirectConsults")]
pub(super) struct DirectConsultsBody {
    allowed: bool,
}

impl From<DirectConsults> for DirectConsultsBody {
    fn from(DirectConsults { allowed }: DirectConsults) -> Self {
        Self { allowed }
    }
}

impl Answer for DirectConsults {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&DirectConsultsBody::from(*self)).ok()
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let (reads, says) = ("Tells whether there are consults without an appointment", "Says whether there are");
    vec![
        Operation::get(PATH, read)
            .is("readDirectConsults", Act::ManageTenant, reads)
            .gives::<DirectConsultsBody>(StatusCode::OK),
        Operation::put(PATH, set)
            .is("setDirectConsults", Act::ManageTenant, says)
            .takes::<DirectConsultsBody>()
            .gives::<DirectConsultsBody>(StatusCode::OK),
    ]
}

async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
) -> Result<axum::Json<DirectConsultsBody>, Problem> {
    Ok(axum::Json(api.direct_consults(caller).await?.into()))
}

async fn set(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<DirectConsultsBody>,
) -> Result<axum::Json<DirectConsultsBody>, Problem> {
    Ok(axum::Json(api.set_direct_consults(caller, body.allowed).await?.into()))
}
