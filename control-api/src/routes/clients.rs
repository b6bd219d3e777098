//! `/v1/clients`: the tenant's back ends, for its admin. They are made from the shell, where a key is shown to nobody's browser.

use axum::{extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Path, operation::Operation, schema};
use crate::{
    ControlApi, app::ClientSummary, auth::Caller, permissions::Act, problem::Problem, rfc3339::rfc3339,
};

/// A back end that may call, or could.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Client")]
struct ClientBody {
    #[schemars(schema_with = "schema::client")]
    id: String,
    /// What it was made for, by spaces (RFC 6749 §3.3).
    scope: String,
    #[schemars(schema_with = "schema::utc")]
    created_at: String,
    #[schemars(schema_with = "schema::utc_if_any")]
    revoked_at: Option<String>,
}

/// All of the tenant's, in the order in which they were made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Clients")]
struct ClientsBody {
    clients: Vec<ClientBody>,
}

impl From<ClientSummary> for ClientBody {
    fn from(client: ClientSummary) -> Self {
        Self {
            scope: client.scopes.to_string(),
            id: client.id,
            created_at: rfc3339(client.created_at_ms),
            revoked_at: client.revoked_at_ms.map(rfc3339),
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/v1/clients", list)
            .is("listClients", Act::ManageClients, "Lists the tenant's back ends")
            .gives::<ClientsBody>(StatusCode::OK),
        Operation::delete("/v1/clients/{client}", revoke).is(
            "revokeClient",
            Act::ManageClients,
            "Revokes a back end: neither its key nor its tokens open anything any more",
        ),
    ]
}

async fn list(State(api): State<ControlApi>, caller: Caller) -> Result<axum::Json<ClientsBody>, Problem> {
    let clients = api.clients(caller).await?.into_iter().map(ClientBody::from).collect();
    Ok(axum::Json(ClientsBody { clients }))
}

async fn revoke(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(client): Path<String>,
) -> Result<StatusCode, Problem> {
    api.revoke_client(caller, &client).await?;
    Ok(StatusCode::NO_CONTENT)
}
