//! `/v1/people/{person}/roles`: what somebody is known as, and whether they are the tenant's admin or auditor.

use axum::{extract::State, http::StatusCode};
use media_model::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, Path, operation::Operation, schema};
use crate::{
    ControlApi,
    answer::Answer,
    app::roles::Roles,
    auth::Caller,
    ids::PersonId,
    permissions::{Act, TenantRole},
    problem::Problem,
};

/// What somebody is from now on. Both have to be said.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Roles")]
pub(super) struct RolesBody {
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(schema_with = "schema::standing", required)]
    standing: Option<Role>,
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(schema_with = "schema::tenant_role", required)]
    tenant_role: Option<String>,
}

impl From<Roles> for RolesBody {
    fn from(roles: Roles) -> Self {
        let tenant_role = roles.tenant_role.map(|role| role.as_str().to_owned());
        Self { standing: roles.standing, tenant_role }
    }
}

impl Answer for Roles {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&RolesBody::from(*self)).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.person)
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::put("/v1/people/{person}/roles", set)
            .is("setRoles", Act::GrantRole, "Says what somebody is known as, and who is admin or auditor")
            .takes::<RolesBody>()
            .gives::<RolesBody>(StatusCode::OK),
    ]
}

async fn set(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<PersonId>,
    Json(body): Json<RolesBody>,
) -> Result<axum::Json<RolesBody>, Problem> {
    let tenant_role = body.tenant_role.as_deref().map(str::parse::<TenantRole>).transpose();
    let tenant_role = tenant_role.map_err(|_| Problem::FieldInvalid("tenant_role"))?;
    let roles = Roles { person, standing: body.standing, tenant_role };
    Ok(axum::Json(api.set_roles(caller, roles).await?.into()))
}
