//! `/v1/appointments`

use axum::{extract::State, http::StatusCode};
use media_model::{ConsultId, Pii, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, Path, operation::Operation, people::external_id, rfc3339, schema};
use crate::{
    ControlApi,
    answer::Answer,
    app::appointments::{Booked, NewAppointment},
    appointments::{Change, Refusal, TimeRange, VisitReason},
    auth::Caller,
    ids::{AppointmentId, PersonId},
    limits::APPOINTMENT_PEOPLE_MAX,
    permissions::Act,
    problem::Problem,
};

/// An appointment to be booked: 5 minutes to 12 hours long, at most two years ahead.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewAppointment")]
pub(super) struct BookBody {
    #[schemars(schema_with = "schema::instant")]
    starts_at: String,
    #[schemars(schema_with = "schema::instant")]
    ends_at: String,
    #[schemars(schema_with = "schema::booked_people")]
    people: Vec<BookedBody>,
    #[serde(default)]
    #[schemars(schema_with = "schema::visit_reason")]
    reason: Option<Pii<String>>,
    /// Whether patients and guests wait until staff lets them in.
    #[serde(default)]
    waiting_room: bool,
}

/// Somebody who is to be booked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PersonToBook")]
pub(super) struct BookedBody {
    #[schemars(schema_with = "schema::external_id")]
    person_id: Pii<String>,
    role: Role,
}

/// Another time for an appointment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTime")]
pub(super) struct MoveBody {
    #[schemars(schema_with = "schema::instant")]
    starts_at: String,
    #[schemars(schema_with = "schema::instant")]
    ends_at: String,
}

/// An appointment, and the consult that it takes place in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Appointment")]
pub(super) struct AppointmentBody {
    #[schemars(schema_with = "schema::id")]
    id: AppointmentId,
    #[schemars(schema_with = "schema::id")]
    consult: ConsultId,
    #[schemars(schema_with = "schema::state")]
    state: &'static str,
    #[schemars(schema_with = "schema::utc")]
    starts_at: String,
    #[schemars(schema_with = "schema::utc")]
    ends_at: String,
    #[schemars(schema_with = "schema::utc_if_any")]
    started_at: Option<String>,
    #[schemars(schema_with = "schema::utc_if_any")]
    ended_at: Option<String>,
    people: Vec<PersonBody>,
    #[schemars(schema_with = "schema::utc")]
    created_at: String,
}

/// Somebody who is booked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BookedPerson")]
struct PersonBody {
    #[schemars(schema_with = "schema::id")]
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

impl Answer for Booked {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&AppointmentBody::from(self.clone())).ok()
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

pub(super) fn operations() -> Vec<Operation> {
    let changed = |operation: Operation| {
        operation
            .gives::<AppointmentBody>(StatusCode::OK)
            .refuses([Problem::ChangedMeanwhile, Problem::AppointmentRefused(Refusal::StateForbids)])
    };
    vec![
        Operation::post("/v1/appointments", book)
            .is(
                "bookAppointment",
                Act::BookAppointment,
                "Books an appointment for a patient who consents to telehealth",
            )
            .takes::<BookBody>()
            .gives::<AppointmentBody>(StatusCode::CREATED)
            .refuses([Refusal::InThePast, Refusal::TooFarAhead].map(Problem::AppointmentRefused))
            .refuses([Problem::BookedTwice, Problem::ConsentMissing]),
        Operation::get("/v1/appointments/{appointment}", read)
            .is("readAppointment", Act::ReadAppointment, "Reads an appointment")
            .gives::<AppointmentBody>(StatusCode::OK),
        changed(Operation::post("/v1/appointments/{appointment}/move", r#move))
            .is("moveAppointment", Act::MoveAppointment, "Moves an appointment to another time")
            .takes::<MoveBody>()
            .refuses(
                [Refusal::InThePast, Refusal::TooFarAhead, Refusal::TimeUnchanged]
                    .map(Problem::AppointmentRefused),
            )
            .refuses([Problem::BookedTwice]),
        changed(Operation::post("/v1/appointments/{appointment}/confirm", confirm)).is(
            "confirmAppointment",
            Act::ConfirmAppointment,
            "Puts down that it will take place",
        ),
        changed(Operation::post("/v1/appointments/{appointment}/cancel", cancel)).is(
            "cancelAppointment",
            Act::CancelAppointment,
            "Calls it off; its consult ends",
        ),
        changed(Operation::post("/v1/appointments/{appointment}/start", start))
            .is("startAppointment", Act::StartAppointment, "Begins it, from 30 minutes before its time")
            .refuses([Refusal::TooEarly, Refusal::TooLate].map(Problem::AppointmentRefused))
            .refuses([Problem::ConsentMissing]),
        changed(Operation::post("/v1/appointments/{appointment}/no-show", no_show))
            .is("markNoShow", Act::MarkNoShow, "Puts down that the patient did not come")
            .refuses([Refusal::PatientCame, Refusal::TooEarly].map(Problem::AppointmentRefused)),
    ]
}

async fn book(
    State(api): State<ControlApi>,
    caller: Caller,
    Json(body): Json<BookBody>,
) -> Result<(StatusCode, axum::Json<AppointmentBody>), Problem> {
    let booked = api.book_appointment(caller, body.into_request()?).await?;
    Ok((StatusCode::CREATED, axum::Json(booked.into())))
}

async fn read(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
) -> Result<axum::Json<AppointmentBody>, Problem> {
    Ok(axum::Json(api.read_appointment(caller, appointment).await?.into()))
}

async fn r#move(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
    Json(body): Json<MoveBody>,
) -> Result<axum::Json<AppointmentBody>, Problem> {
    let to = time_range(&body.starts_at, &body.ends_at)?;
    Ok(axum::Json(api.change_appointment(caller, appointment, Change::Move { to }).await?.into()))
}

/// Changes that take no fields, a route each.
macro_rules! changes {
    ($($name:ident: $change:expr,)+) => {
        $(async fn $name(
            State(api): State<ControlApi>,
            caller: Caller,
            Path(appointment): Path<AppointmentId>,
        ) -> Result<axum::Json<AppointmentBody>, Problem> {
            Ok(axum::Json(api.change_appointment(caller, appointment, $change).await?.into()))
        })+
    };
}

changes! {
    confirm: Change::Confirm,
    cancel: Change::Cancel,
    start: Change::Start,
    // The server looks whether they came.
    no_show: Change::MarkNoShow { patient_came: false },
}
