//! Dev mode: an API key on disk, one demo consult, and tickets for whoever opens a demo link on this machine.

use std::{net::SocketAddr, path::Path, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use control_api::{BootstrapError, ControlApi, NewTicket, permissions::Scopes};
use media_model::{ConsultId, Pii, Role, TenantId};
use serde::{Deserialize, Serialize};

use crate::{failure::Failure, keys};

/// Who comes when a role's demo link is opened: role, person id, name.
const CAST: [(Role, &str, &str); 6] = [
    (Role::Patient, "demo-patient", "Rosa Delgado"),
    (Role::Provider, "demo-provider", "Dr. Amina Yusuf"),
    (Role::Interpreter, "demo-interpreter", "Tomás Rivera"),
    (Role::Nurse, "demo-nurse", "Kim Larsen"),
    (Role::Guardian, "demo-guardian", "Luis Delgado"),
    (Role::Observer, "demo-observer", "Exam camera"),
];

/// The links that are printed.
const LINKS: [(&str, Role); 3] =
    [("patient", Role::Patient), ("doctor", Role::Provider), ("interpreter", Role::Interpreter)];

/// How long a ticket of dev mode is good.
const TICKET_LIFETIME: Duration = Duration::from_secs(3600);

#[derive(Serialize, Deserialize)]
struct Credentials {
    api_key: String,
    /// For OAuth 2, whose client secret is the key.
    client_id: Option<String>,
}

/// Whose everything is in dev mode.
pub fn tenant() -> Result<TenantId, Failure> {
    Ok("demo".parse()?)
}

/// The API key of dev mode, from `dev-credentials.json`; a new one where there is none that works.
pub async fn api_key(api: &ControlApi, tenant: TenantId, data: &Path) -> Result<String, Failure> {
    match api.create_tenant(tenant).await {
        Ok(()) | Err(BootstrapError::TenantExists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let path = data.join("dev-credentials.json");
    if let Ok(text) = std::fs::read_to_string(&path)
        && let Ok(Credentials { api_key, client_id: Some(_) }) = serde_json::from_str(&text)
        && api.knows_key(&api_key).await?
    {
        return Ok(api_key);
    }
    let key = api.create_client(tenant, "dev", Scopes::all()).await?;
    let (api_key, client_id) = (key.reveal().to_owned(), api.client_id(&key).await?);
    keys::write_secret(
        &path,
        &serde_json::to_vec_pretty(&Credentials { api_key: api_key.clone(), client_id })?,
    )?;
    Ok(api_key)
}

/// What the demo's ticket endpoint needs.
#[derive(Clone)]
pub struct Demo {
    pub api: ControlApi,
    pub tenant: TenantId,
    pub consult: ConsultId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketBody {
    role: Role,
}

#[derive(Serialize)]
struct TicketAnswer {
    ticket: Pii<String>,
    display_name: &'static str,
}

impl Demo {
    /// `POST /dev/tickets {"role": …}`: a ticket for the demo person of that role. JSON only, so that another
    /// site's form cannot ask for one.
    pub fn router(self) -> Router {
        Router::new().route("/dev/tickets", post(mint)).with_state(self)
    }
}

async fn mint(
    State(demo): State<Demo>,
    Json(body): Json<TicketBody>,
) -> Result<Json<TicketAnswer>, StatusCode> {
    let (role, person_id, display_name) =
        CAST.into_iter().find(|(role, ..)| *role == body.role).ok_or(StatusCode::NOT_FOUND)?;
    let new = NewTicket {
        consult: demo.consult,
        role,
        person_id: Pii::new(person_id.to_owned()),
        display_name: Some(Pii::new(display_name.to_owned())),
        lifetime: TICKET_LIFETIME,
    };
    let ticket =
        demo.api.mint_demo_ticket(demo.tenant, new).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(TicketAnswer { ticket, display_name }))
}

/// What `serve --dev` says on standard output once it is ready.
pub fn print_links(address: SocketAddr, data: &Path) {
    println!("\n  Demo portal   http://{address}/portal/");
    for (name, role) in LINKS {
        println!("  {name:<13} http://{address}/portal/#{}", role.as_str());
    }
    println!("\n  Open the three links in three tabs: that is a consult.");
    println!("  API key       in {}", data.join("dev-credentials.json").display());
    println!("  Ctrl-C ends it.\n");
}
