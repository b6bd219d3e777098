//! `/v1/origins`: where a tenant's own pages are.

use std::collections::BTreeSet;

use axum::{extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, operation::Operation, schema};
use crate::{
    ControlApi, PortalOrigin, answer::Answer, app::portals::PortalOrigins, auth::Caller,
    limits::PORTAL_ORIGINS_MAX, permissions::Act, problem::Problem,
};

const PATH: &str = "/v1/origins";

/// The origins of the tenant's pages, which may frame its visits and call for it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Origins")]
pub(super) struct OriginsBody {
    #[schemars(schema_with = "schema::portal_origins")]
    origins: Vec<String>,
}

impl From<&[PortalOrigin]> for OriginsBody {
    fn from(origins: &[PortalOrigin]) -> Self {
        Self { origins: origins.iter().map(|origin| origin.as_str().to_owned()).collect() }
    }
}

impl Answer for PortalOrigins {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&OriginsBody::from(self.0.as_slice())).ok()
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get(PATH, read)
            .is("readOrigins", Act::ManageTenant, "Lists the origins of the tenant's own pages")
            .gives::<OriginsBody>(StatusCode::OK),
        Operation::put(PATH, set)
            .is("setOrigins", Act::ManageTenant, "Says which pages may frame the tenant's visits and call")
            .takes::<OriginsBody>()
            .gives::<OriginsBody>(StatusCode::OK),
    ]
}

async fn read(State(api): State<ControlApi>, caller: Caller) -> Result<axum::Json<OriginsBody>, Problem> {
    Ok(axum::Json(api.portal_origins(caller).await?.as_slice().into()))
}

async fn set(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<OriginsBody>,
) -> Result<axum::Json<OriginsBody>, Problem> {
    let invalid = Problem::FieldInvalid("origins");
    let origins = body.origins.iter().map(|text| text.parse().map_err(|_| invalid));
    let origins = origins.collect::<Result<BTreeSet<PortalOrigin>, Problem>>()?;
    if origins.len() > PORTAL_ORIGINS_MAX {
        return Err(invalid);
    }
    let PortalOrigins(origins) = api.set_portal_origins(caller, origins).await?;
    Ok(axum::Json(origins.as_slice().into()))
}
