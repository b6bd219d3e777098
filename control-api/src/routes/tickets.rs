//! `/v1/consults/{consult}/tickets`, `/v1/consults/{consult}/join`

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use media_model::{ConsultId, Pii, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use signaling_protocol::{limits::DISPLAY_NAME_CHARS_MAX, ticket::TicketId};

use super::{Json, Path, operation::Operation, people::external_id, rfc3339, schema};
use crate::{
    ControlApi, NewTicket, answer::Answer, app::Minted, auth::Caller, ids::PersonId, limits,
    permissions::Act, problem::Problem,
};

/// For whom a ticket is asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTicket")]
pub(super) struct MintBody {
    role: Role,
    #[schemars(schema_with = "schema::external_id")]
    person_id: Pii<String>,
    #[serde(default)]
    #[schemars(schema_with = "schema::shown_name")]
    display_name: Option<Pii<String>>,
    #[serde(default, deserialize_with = "whole_number")]
    #[schemars(schema_with = "schema::expires_in_s")]
    expires_in_s: Option<u64>,
}

/// As whom the caller comes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Join")]
pub(super) struct JoinBody {
    #[serde(default)]
    #[schemars(schema_with = "schema::shown_name")]
    display_name: Option<Pii<String>>,
    #[serde(default, deserialize_with = "whole_number")]
    #[schemars(schema_with = "schema::expires_in_s")]
    expires_in_s: Option<u64>,
}

/// A ticket. It opens once; whoever holds it is that person until then.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ticket")]
pub(super) struct TicketBody {
    #[schemars(schema_with = "schema::id")]
    id: TicketId,
    ticket: Pii<String>,
    #[schemars(schema_with = "schema::utc")]
    expires_at: String,
}

impl From<Minted> for TicketBody {
    fn from(minted: Minted) -> Self {
        Self { id: minted.id, ticket: minted.token, expires_at: rfc3339(minted.expires_at_ms) }
    }
}

impl Answer for Minted {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&TicketBody::from(self.clone())).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.person)
    }
}

/// JSON has one kind of number: 300.0 is 300. One below zero is as much out of bounds as zero.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    if number.fract() != 0.0 {
        return Err(D::Error::custom("not a whole number"));
    }
    Ok(Some(number as u64))
}

/// What the others are to see of somebody, if anybody said.
pub(super) fn display_name(name: Option<Pii<String>>) -> Result<Option<Pii<String>>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let text = name.reveal();
    let is_sound = !text.trim().is_empty()
        && text.chars().count() <= DISPLAY_NAME_CHARS_MAX
        && !text.chars().any(char::is_control);
    if is_sound { Ok(Some(name)) } else { Err(Problem::FieldInvalid("display_name")) }
}

/// How long the ticket opens the door.
fn lifetime(expires_in_s: Option<u64>) -> Result<Duration, Problem> {
    let lifetime = expires_in_s.map_or(limits::TICKET_LIFETIME_DEFAULT, Duration::from_secs);
    if lifetime.is_zero() || lifetime > limits::TICKET_LIFETIME_MAX {
        return Err(Problem::FieldInvalid("expires_in_s"));
    }
    Ok(lifetime)
}

impl MintBody {
    fn into_request(self, consult: ConsultId) -> Result<NewTicket, Problem> {
        let person_id = external_id(self.person_id, "person_id")?;
        let display_name = display_name(self.display_name)?;
        let lifetime = lifetime(self.expires_in_s)?;
        Ok(NewTicket { consult, role: self.role, person_id, display_name, lifetime })
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/consults/{consult}/tickets", mint)
            .is("mintTicket", Act::IssueTicket, "Gives out a ticket for one person")
            .takes::<MintBody>()
            .gives::<TicketBody>(StatusCode::CREATED)
            .refuses([Problem::ConsultEnded, Problem::ConsentMissing, Problem::NotBooked]),
        Operation::post("/v1/consults/{consult}/join", join)
            .is(
                "joinConsult",
                Act::Join,
                "Gives out a ticket for the caller, who has a part in the visit or broke the glass",
            )
            .takes::<JoinBody>()
            .gives::<TicketBody>(StatusCode::CREATED)
            .refuses([Problem::ConsultEnded, Problem::ConsentMissing, Problem::NotBooked]),
        Operation::delete("/v1/consults/{consult}/tickets/{ticket}", revoke).is(
            "revokeTicket",
            Act::RevokeTicket,
            "Takes a ticket back; whoever came in with it is sent away",
        ),
    ]
}

async fn mint(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(consult): Path<ConsultId>,
    Json(body): Json<MintBody>,
) -> Result<(StatusCode, axum::Json<TicketBody>), Problem> {
    let minted = api.mint_ticket(caller, body.into_request(consult)?).await?;
    Ok((StatusCode::CREATED, axum::Json(minted.into())))
}

async fn join(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(consult): Path<ConsultId>,
    Json(body): Json<JoinBody>,
) -> Result<(StatusCode, axum::Json<TicketBody>), Problem> {
    let (name, lifetime) = (display_name(body.display_name)?, lifetime(body.expires_in_s)?);
    let minted = api.join_consult(caller, consult, name, lifetime).await?;
    Ok((StatusCode::CREATED, axum::Json(minted.into())))
}

async fn revoke(
    State(api): State<ControlApi>,
    caller: Caller,
    Path((consult, ticket)): Path<(ConsultId, TicketId)>,
) -> Result<StatusCode, Problem> {
    api.revoke_ticket(caller, consult, ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}
