//! `/v1/appointments/{appointment}/summary`

use axum::{extract::State, http::StatusCode};
use media_model::{ConsultId, Pii, Role};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi,
    appointments::{Attendance, Refusal, Summary},
    auth::Caller,
    ids::{AppointmentId, PersonId},
    permissions::Act,
    problem::Problem,
};

/// What a visit came to, for billing and the chart.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Summary")]
pub(super) struct SummaryBody {
    #[schemars(schema_with = "schema::id")]
    appointment: AppointmentId,
    #[schemars(schema_with = "schema::id")]
    consult: ConsultId,
    #[schemars(schema_with = "schema::id")]
    patient: PersonId,
    #[schemars(schema_with = "schema::utc")]
    started_at: String,
    #[schemars(schema_with = "schema::utc")]
    ended_at: String,
    /// Who was there, in the order in which they came.
    attendance: Vec<AttendanceBody>,
    /// How long the patient and at least one provider were there at once, in seconds.
    together_s: i64,
    #[schemars(schema_with = "schema::visit_reason")]
    reason: Option<Pii<String>>,
}

/// How long one person was there in one role.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Attendance")]
struct AttendanceBody {
    #[schemars(schema_with = "schema::id")]
    person: PersonId,
    role: Role,
    #[schemars(schema_with = "schema::utc")]
    joined_at: String,
    #[schemars(schema_with = "schema::utc")]
    left_at: String,
    /// How long they were there between, in seconds, without the gaps.
    present_s: i64,
}

impl From<Attendance> for AttendanceBody {
    fn from(attendance: Attendance) -> Self {
        Self {
            person: attendance.person,
            role: attendance.role,
            joined_at: rfc3339(attendance.joined_at_ms),
            left_at: rfc3339(attendance.left_at_ms),
            present_s: attendance.present_ms / 1_000,
        }
    }
}

impl From<Summary> for SummaryBody {
    fn from(summary: Summary) -> Self {
        Self {
            appointment: summary.appointment,
            consult: summary.consult,
            patient: summary.patient,
            started_at: rfc3339(summary.started_at_ms),
            ended_at: rfc3339(summary.ended_at_ms),
            attendance: summary.attendance.into_iter().map(AttendanceBody::from).collect(),
            together_s: summary.together_ms / 1_000,
            reason: summary.reason.map(|reason| reason.text().clone()),
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/v1/appointments/{appointment}/summary", summary)
            .is("readSummary", Act::ReadNotes, "Reads what a visit that took place came to")
            .gives::<SummaryBody>(StatusCode::OK)
            .refuses([Problem::AppointmentRefused(Refusal::StateForbids)]),
    ]
}

async fn summary(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
) -> Result<axum::Json<SummaryBody>, Problem> {
    Ok(axum::Json(api.read_summary(caller, appointment).await?.into()))
}
