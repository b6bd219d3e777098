//! `/v1/consults/{consult}/tickets`

use std::time::Duration;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use media_model::{ConsultId, Pii, Role};
use serde::{Deserialize, Serialize};
use signaling_protocol::{limits::DISPLAY_NAME_CHARS_MAX, ticket::TicketId};

use super::{Json, people::external_id, rfc3339};
use crate::{ControlApi, NewTicket, auth::Caller, limits, problem::Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MintBody {
    role: Role,
    person_id: Pii<String>,
    display_name: Pii<String>,
    expires_in_s: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct TicketBody {
    id: TicketId,
    ticket: Pii<String>,
    expires_at: String,
}

impl MintBody {
    fn into_request(self, consult: ConsultId) -> Result<NewTicket, Problem> {
        let person_id = external_id(self.person_id, "person_id")?;
        let name = self.display_name.reveal();
        let name_is_sound = !name.trim().is_empty()
            && name.chars().count() <= DISPLAY_NAME_CHARS_MAX
            && !name.chars().any(char::is_control);
        if !name_is_sound {
            return Err(Problem::FieldInvalid("display_name"));
        }
        let lifetime = self.expires_in_s.map_or(limits::TICKET_LIFETIME_DEFAULT, Duration::from_secs);
        if lifetime.is_zero() || lifetime > limits::TICKET_LIFETIME_MAX {
            return Err(Problem::FieldInvalid("expires_in_s"));
        }
        Ok(NewTicket { consult, role: self.role, person_id, display_name: self.display_name, lifetime })
    }
}

/// `POST /v1/consults/{consult}/tickets`
pub(super) async fn mint(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(consult): Path<String>,
    Json(body): Json<MintBody>,
) -> Result<(StatusCode, axum::Json<TicketBody>), Problem> {
    let consult = consult.parse().map_err(|_| Problem::NotFound)?;
    let minted = api.mint_ticket(caller, body.into_request(consult)?).await?;
    let body = TicketBody { id: minted.id, ticket: minted.token, expires_at: rfc3339(minted.expires_at_ms) };
    Ok((StatusCode::CREATED, axum::Json(body)))
}

/// `DELETE /v1/consults/{consult}/tickets/{ticket}`
pub(super) async fn revoke(
    State(api): State<ControlApi>,
    caller: Caller,
    Path((consult, ticket)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (Ok(consult), Ok(ticket)) = (consult.parse(), ticket.parse()) else { return Err(Problem::NotFound) };
    api.revoke_ticket(caller, consult, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}
