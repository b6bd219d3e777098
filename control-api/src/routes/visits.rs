//! `/v1/appointments/{appointment}/reason`, `…/end`, `…/notes` and `…/summary`

use axum::{extract::State, http::StatusCode};
use media_model::{ConsultId, Pii, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Json, JsonOrNothing, Path, operation::Operation, rfc3339, schema};
use crate::{
    ControlApi,
    answer::Answer,
    app::visits::VisitRecord,
    appointments::{
        Attendance, Grade, Notes, PrescriptionIds, Quality, Recording, RecordingId, Refusal, Summary,
    },
    auth::Caller,
    ids::{AppointmentId, PersonId},
    permissions::Act,
    problem::Problem,
};

/// What is put down about a visit, in place of what was there. It takes somebody who may write notes: a back end says by
/// `On-Behalf-Of` for whom it does.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "VisitRecord")]
pub(super) struct RecordBody {
    #[schemars(schema_with = "schema::notes")]
    notes: Option<Pii<String>>,
    #[schemars(schema_with = "schema::prescriptions")]
    prescriptions: Vec<Pii<String>>,
    #[schemars(schema_with = "schema::follow_up")]
    follow_up_on: Option<Pii<String>>,
}

impl RecordBody {
    fn into_record(self) -> Result<VisitRecord, Problem> {
        let notes = match &self.notes {
            None => None,
            Some(text) => Some(Notes::parse(text.reveal()).ok_or(Problem::FieldInvalid("notes"))?),
        };
        let ids: Vec<&str> = self.prescriptions.iter().map(|id| id.reveal().as_str()).collect();
        let prescriptions = PrescriptionIds::parse(&ids).ok_or(Problem::FieldInvalid("prescriptions"))?;
        Ok(VisitRecord { notes, prescriptions, follow_up: self.follow_up_on })
    }
}

/// Why the patient comes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "VisitReason")]
pub(super) struct ReasonBody {
    #[schemars(schema_with = "schema::visit_reason")]
    reason: Option<Pii<String>>,
}

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
    /// How well it went, as the worst connection has it; nothing while none is over that was measured.
    #[schemars(schema_with = "schema::grade_or_none")]
    grade: Option<&'static str>,
    /// How well each was connected, by those of their connections that are over: a moment after the end all of them.
    quality: Vec<QualityBody>,
    /// What was recorded, in the order in which it began. Nothing is recorded yet: the list is empty.
    recordings: Vec<RecordingBody>,
    #[schemars(schema_with = "schema::visit_reason")]
    reason: Option<Pii<String>>,
    /// What the provider put down.
    #[schemars(schema_with = "schema::notes")]
    notes: Option<Pii<String>>,
    /// What was prescribed, by the EHR's ids.
    #[schemars(schema_with = "schema::prescriptions")]
    prescriptions: Vec<Pii<String>>,
    /// When the patient should come again.
    #[schemars(schema_with = "schema::follow_up")]
    follow_up_on: Option<Pii<String>>,
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

/// How well one person was connected, all their connections together.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Quality")]
struct QualityBody {
    #[schemars(schema_with = "schema::id")]
    person: PersonId,
    #[schemars(schema_with = "schema::grade")]
    grade: &'static str,
    /// Media packets that were lost both ways, in thousandths, as reports have it (RFC 3550 §6.4.1).
    loss_permille: u16,
    /// Round trip, smoothed, of the worst of the connections, in milliseconds; nothing where it could not be measured.
    round_trip_ms: Option<u32>,
    /// How often a connection broke or had to be made anew.
    interruptions: u32,
}

/// A recording of the visit.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Recording")]
struct RecordingBody {
    #[schemars(schema_with = "schema::id")]
    id: RecordingId,
    #[schemars(schema_with = "schema::utc")]
    started_at: String,
    length_s: i64,
}

impl From<Recording> for RecordingBody {
    fn from(recording: Recording) -> Self {
        Self {
            id: recording.id,
            started_at: rfc3339(recording.started_at_ms),
            length_s: recording.length_ms / 1_000,
        }
    }
}

impl From<Quality> for QualityBody {
    fn from(quality: Quality) -> Self {
        let Quality { person, loss_permille, round_trip_ms, interruptions } = quality;
        Self { person, grade: quality.grade().as_str(), loss_permille, round_trip_ms, interruptions }
    }
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
            grade: summary.grade.map(Grade::as_str),
            quality: summary.qualities.into_iter().map(QualityBody::from).collect(),
            recordings: summary.recordings.into_iter().map(RecordingBody::from).collect(),
            reason: summary.reason.map(|reason| reason.text().clone()),
            notes: summary.notes.map(|notes| notes.text().clone()),
            prescriptions: summary.prescriptions.as_slice().iter().map(|id| id.text().clone()).collect(),
            follow_up_on: summary.follow_up.map(|day| day.to_text()),
        }
    }
}

impl Answer for Summary {
    fn json(&self) -> Option<String> {
        serde_json::to_string(&SummaryBody::from(self.clone())).ok()
    }

    fn about(&self) -> Option<PersonId> {
        Some(self.patient)
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let forbids = [Problem::AppointmentRefused(Refusal::StateForbids)];
    vec![
        Operation::get("/v1/appointments/{appointment}/reason", reason)
            .is("readReason", Act::ReadReason, "Reads why the patient comes")
            .gives::<ReasonBody>(StatusCode::OK),
        Operation::post("/v1/appointments/{appointment}/end", end)
            .is(
                "endAppointment",
                Act::EndAppointment,
                "Ends it, with what the provider puts down; its consult ends",
            )
            .may_take::<RecordBody>()
            .gives::<SummaryBody>(StatusCode::OK)
            .refuses(forbids)
            .refuses([Problem::ChangedMeanwhile]),
        Operation::put("/v1/appointments/{appointment}/notes", write_notes)
            .is("writeNotes", Act::WriteNotes, "Puts down what came of a visit that has begun")
            .takes::<RecordBody>()
            .refuses(forbids),
        Operation::get("/v1/appointments/{appointment}/summary", summary)
            .is("readSummary", Act::ReadNotes, "Reads what a visit that took place came to")
            .gives::<SummaryBody>(StatusCode::OK)
            .refuses(forbids),
    ]
}

async fn reason(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
) -> Result<axum::Json<ReasonBody>, Problem> {
    Ok(axum::Json(ReasonBody { reason: api.read_reason(caller, appointment).await? }))
}

async fn end(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
    JsonOrNothing(body): JsonOrNothing<RecordBody>,
) -> Result<axum::Json<SummaryBody>, Problem> {
    let summary = api.end_appointment(caller, appointment, body.into_record()?).await?;
    Ok(axum::Json(summary.into()))
}

async fn write_notes(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
    Json(body): Json<RecordBody>,
) -> Result<StatusCode, Problem> {
    api.write_notes(caller, appointment, body.into_record()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn summary(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(appointment): Path<AppointmentId>,
) -> Result<axum::Json<SummaryBody>, Problem> {
    Ok(axum::Json(api.read_summary(caller, appointment).await?.into()))
}
