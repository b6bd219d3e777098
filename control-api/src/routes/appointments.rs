//! `/v1/appointments`, and patients' consents

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use media_model::{ConsultId, Pii, Role};
use serde::{Deserialize, Serialize};

use super::{Json, people::external_id, rfc3339};
use crate::{
    ControlApi,
    app::appointments::{Booked, NewAppointment},
    appointments::{Change, TimeRange, VisitReason},
    auth::Caller,
    ids::{AppointmentId, PersonId},
    limits::APPOINTMENT_PEOPLE_MAX,
    problem::Problem,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BookBody {
    starts_at: String,
    ends_at: String,
    people: Vec<BookedBody>,
    reason: Option<Pii<String>>,
    #[serde(default)]
    waiting_room: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BookedBody {
    person_id: Pii<String>,
    role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveBody {
    starts_at: String,
    ends_at: String,
}

#[derive(Serialize)]
pub(super) struct AppointmentBody {
    id: AppointmentId,
    consult: ConsultId,
    state: &'static str,
    starts_at: String,
    ends_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    people: Vec<PersonBody>,
    created_at: String,
}

#[derive(Serialize)]
struct PersonBody {
    id: PersonId,
    role: Role,
}

impl From<Booked> for AppointmentBody {
    fn from(booked: Booked) -> Self {
        let course = booked.course;
        Self {
            id: booked.id,
            consult: booked.consult,
            state: course.state.as_str(),
            starts_at: rfc3339(course.time.starts_at_ms()),
            ends_at: rfc3339(course.time.ends_at_ms()),
            started_at: course.started_at_ms.map(rfc3339),
            ended_at: course.ended_at_ms.map(rfc3339),
            people: booked.people.into_iter().map(|(id, role)| PersonBody { id, role }).collect(),
            created_at: rfc3339(booked.created_at_ms),
        }
    }
}

impl BookBody {
    fn into_request(self) -> Result<NewAppointment, Problem> {
        let time = time_range(&self.starts_at, &self.ends_at)?;
        let patients = self.people.iter().filter(|person| person.role == Role::Patient).count();
        if patients != 1 || self.people.len() > APPOINTMENT_PEOPLE_MAX {
            return Err(Problem::FieldInvalid("people"));
        }
        let mut people = Vec::with_capacity(self.people.len());
        for person in self.people {
            let id = external_id(person.person_id, "people")?;
            if people.iter().any(|(other, _)| *other == id) {
                return Err(Problem::FieldInvalid("people"));
            }
            people.push((id, person.role));
        }
        let reason = match &self.reason {
            None => None,
            Some(text) => Some(VisitReason::parse(text.reveal()).ok_or(Problem::FieldInvalid("reason"))?),
        };
        Ok(NewAppointment { time, people, reason, waiting_room: self.waiting_room })
    }
}

fn time_range(starts_at: &str, ends_at: &str) -> Result<TimeRange, Problem> {
    TimeRange::parse(starts_at, ends_at).map_err(|error| Problem::FieldInvalid(error.field()))
}

/// `POST /v1/appointments`
pub(super) async fn book(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<BookBody>,
) -> Result<(StatusCode, axum::Json<AppointmentBody>), Problem> {
    let booked = api.book_appointment(caller, body.into_request()?).await?;
    Ok((StatusCode::CREATED, axum::Json(booked.into())))
}

/// `GET /v1/appointments/{appointment}`
pub(super) async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<String>,
) -> Result<axum::Json<AppointmentBody>, Problem> {
    let id = appointment.parse().map_err(|_| Problem::NotFound)?;
    Ok(axum::Json(api.read_appointment(caller, id).await?.into()))
}

/// `POST /v1/appointments/{appointment}/move`
pub(super) async fn r#move(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<String>,
    Json(body): Json<MoveBody>,
) -> Result<axum::Json<AppointmentBody>, Problem> {
    let id = appointment.parse().map_err(|_| Problem::NotFound)?;
    let to = time_range(&body.starts_at, &body.ends_at)?;
    Ok(axum::Json(api.change_appointment(caller, id, Change::Move { to }).await?.into()))
}

/// `POST /v1/appointments/{appointment}/confirm`, `…/cancel`, `…/start` and `…/end`
pub(super) async fn change(
    State(api): State<ControlApi>,
    caller: Caller,
    Path((appointment, change)): Path<(String, String)>,
) -> Result<axum::Json<AppointmentBody>, Problem> {
    let id = appointment.parse().map_err(|_| Problem::NotFound)?;
    let changes = [Change::Confirm, Change::Cancel, Change::Start, Change::End];
    let change = changes.into_iter().find(|known| known.as_str() == change).ok_or(Problem::NotFound)?;
    Ok(axum::Json(api.change_appointment(caller, id, change).await?.into()))
}

/// `PUT /v1/people/{person}/consents/telehealth`
pub(super) async fn give_consent(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<String>,
) -> Result<StatusCode, Problem> {
    let person = person.parse().map_err(|_| Problem::NotFound)?;
    api.record_consent(caller, person, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/people/{person}/consents/telehealth`
pub(super) async fn withdraw_consent(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(person): Path<String>,
) -> Result<StatusCode, Problem> {
    let person = person.parse().map_err(|_| Problem::NotFound)?;
    api.record_consent(caller, person, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
