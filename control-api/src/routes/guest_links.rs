//! `/v1/appointments/{appointment}/guest-links`, and redeeming one

use axum::{Extension, extract::State, http::StatusCode};
use media_model::{Pii, Role};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Json, Path,
    cors::Page,
    operation::Operation,
    people::external_id,
    rfc3339, schema,
    tickets::{TicketBody, display_name},
};
use crate::{
    ControlApi,
    answer::Answer,
    app::{
        Attempt,
        guest_links::{Made, NewGuestLink},
    },
    auth::{Caller, GuestCode, Request},
    ids::{AppointmentId, GuestLinkId, PersonId},
    permissions::Act,
    problem::Problem,
};

pub(super) const REDEEM: &str = "/v1/guest-links/redeem";

/// For whom a link is asked: somebody who is booked, in that role and not as staff, or, without `person_id`, a guest who only watches.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewGuestLink")]
struct LinkBody {
    #[schemars(schema_with = "schema::guest_role")]
    role: Role,
    #[serde(default)]
    #[schemars(schema_with = "schema::external_id_of_guest")]
    person_id: Option<Pii<String>>,
    #[serde(default)]
    #[schemars(schema_with = "schema::shown_name")]
    display_name: Option<Pii<String>>,
}

impl LinkBody {
    fn into_request(self) -> Result<NewGuestLink, Problem> {
        let Self { role, person_id, display_name: name } = self;
        // Staff comes by the portal, which knows them: a mail can be passed on.
        if role.admits_others() {
            return Err(Problem::FieldInvalid("role"));
        }
        if person_id.is_none() && role != Role::Observer {
            return Err(Problem::FieldInvalid("person_id"));
        }
        if person_id.is_none() && name.is_none() {
            return Err(Problem::FieldInvalid("display_name"));
        }
        let person_id = person_id.map(|id| external_id(id, "person_id")).transpose()?;
        Ok(NewGuestLink { role, person_id, display_name: display_name(name)? })
    }
}

/// A link that was made. It opens the door for whoever has its code.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GuestLink")]
struct MadeBody {
    #[schemars(schema_with = "schema::id")]
    id: GuestLinkId,
    /// Whom it is for, by our id.
    #[schemars(schema_with = "schema::id")]
    person: PersonId,
    /// Told this once; belongs behind the `#` of a page's address.
    #[schemars(schema_with = "schema::guest_code")]
    code: Pii<String>,
    /// To this node's own page with the code, where `public_url` says how browsers find the node.
    #[schemars(schema_with = "schema::guest_link")]
    link: Option<Pii<String>>,
    /// As the appointment is now: it moves with that.
    #[schemars(schema_with = "schema::utc")]
    expires_at: String,
}

impl From<Made> for MadeBody {
    fn from(made: Made) -> Self {
        let expires_at = rfc3339(made.expires_at_ms);
        Self { id: made.id, person: made.person, code: made.code, link: made.link, expires_at }
    }
}

impl Answer for Made {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&MadeBody::from(self.clone())).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.person)
    }
}

/// What stood behind the `#`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuestCode")]
pub(super) struct RedeemBody {
    #[schemars(schema_with = "schema::guest_code")]
    code: Pii<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/appointments/{appointment}/guest-links", create)
            .is("createGuestLink", Act::IssueTicket, "Makes a link to be sent by mail or SMS")
            .takes::<LinkBody>()
            .gives::<MadeBody>(StatusCode::CREATED)
            .refuses([Problem::ConsultEnded, Problem::ConsentMissing, Problem::NotBooked, Problem::TooMany]),
        Operation::delete("/v1/appointments/{appointment}/guest-links/{guest_link}", revoke).is(
            "revokeGuestLink",
            Act::RevokeTicket,
            "Takes a link back; whoever came in by it is sent away",
        ),
    ]
}

/// How redeeming one fails.
pub(super) const REFUSALS: [Problem; 10] = [
    Problem::BodyMalformed,
    Problem::BodyTooLarge,
    Problem::FieldInvalid(""),
    Problem::OriginRefused,
    Problem::NotFound,
    Problem::ConsultEnded,
    Problem::ConsentMissing,
    Problem::TooManyRequests(0),
    Problem::StoredValueDamaged,
    Problem::StoreUnavailable,
];

/// What the OpenAPI document says of redeeming: the code alone says who asks.
pub(super) fn path_item(problems: Map<String, Value>, taken: &Schema, given: &Schema) -> Value {
    let mut responses = problems;
    let content = json!({"application/json": {"schema": given}});
    responses.insert("201".into(), json!({"description": "Done", "content": content}));
    json!({"post": {
        "operationId": "redeemGuestLink",
        "summary": "A ticket for whoever has a guest link's code; the one before is taken back",
        "security": [],
        "requestBody": {"required": true, "content": {"application/json": {"schema": taken}}},
        "responses": responses,
    }})
}

async fn create(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
    Json(body): Json<LinkBody>,
) -> Result<(StatusCode, axum::Json<MadeBody>), Problem> {
    let made = api.create_guest_link(caller, appointment, body.into_request()?).await?;
    Ok((StatusCode::CREATED, axum::Json(made.into())))
}

async fn revoke(
    State(api): State<ControlApi>,
    caller: Caller,
    Path((appointment, link)): Path<(AppointmentId, GuestLinkId)>,
) -> Result<StatusCode, Problem> {
    api.revoke_guest_link(caller, appointment, link).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nobody is asked who they are; every address only so often (`door::announce`).
pub(super) async fn redeem(
    State(api): State<ControlApi>,
    Extension(request): Extension<Request>,
    Extension(page): Extension<Page>,
    Json(body): Json<RedeemBody>,
) -> Result<(StatusCode, axum::Json<TicketBody>), Problem> {
    let code = GuestCode::parse(body.code.reveal()).ok_or(Problem::FieldInvalid("code"))?;
    if !page.is_for(&api, code.tenant()) {
        api.turned_away(Some(code.tenant()), Problem::OriginRefused.code(), &request);
        return Err(Problem::OriginRefused);
    }
    let (tenant, credential) = (Some(code.tenant()), Some(code.reveal()));
    let attempt = Attempt { request: &request, tenant, client: None, credential };
    let is_unknown = |problem: &Problem| (*problem == Problem::NotFound).then_some("guest_link_unknown");
    api.identify(attempt, api.know_guest_link(&code), is_unknown).await?;
    let minted = api.redeem_guest_link(&code, &request).await?;
    Ok((StatusCode::CREATED, axum::Json(minted.into())))
}
