//! What a visit came to: who was there, for how long, why, and what the provider put down.

use media_model::{Pii, Role};

use super::{ControlApi, appointments::about, facts, record};
use crate::{
    StoreError,
    appointments::{
        Change, Facts, FollowUpDate, Notes, PrescriptionIds, Refusal, State, Summary, VisitReason, stays,
    },
    auth::Caller,
    ids::{AppointmentId, PersonId},
    keys::Place,
    permissions::{Act, Verdict, may},
    problem::Problem,
    store::{
        self, TenantTx,
        appointments::{Appointment, SealedRecord},
    },
};

/// What is put down about a visit. All of it replaces what was there.
#[derive(Debug, Default)]
pub(crate) struct VisitRecord {
    pub notes: Option<Notes>,
    pub prescriptions: PrescriptionIds,
    /// A day, still to be held against the visit's.
    pub follow_up: Option<Pii<String>>,
}

impl VisitRecord {
    fn is_empty(&self) -> bool {
        self.notes.is_none() && self.prescriptions.as_slice().is_empty() && self.follow_up.is_none()
    }
}

impl ControlApi {
    /// The summary of a visit that took place.
    pub(crate) async fn read_summary(&self, caller: Caller, id: AppointmentId) -> Result<Summary, Problem> {
        let (mut tx, appointment, entry) = self.looked_at(&caller, Act::ReadNotes, id).await?;
        let summary = self.summed_up(&mut tx, &appointment).await?;
        drop(tx);
        self.note_read(caller.tenant, &entry).await?;
        Ok(summary)
    }

    /// Why the patient comes, if somebody said.
    pub(crate) async fn read_reason(
        &self,
        caller: Caller,
        id: AppointmentId,
    ) -> Result<Option<Pii<String>>, Problem> {
        let (mut tx, appointment, entry) = self.looked_at(&caller, Act::ReadReason, id).await?;
        let reason = self.opened(&mut tx, &appointment, "reason", appointment.reason.as_deref()).await?;
        drop(tx);
        self.note_read(caller.tenant, &entry).await?;
        Ok(reason)
    }

    /// Ends a visit, with what the provider puts down. Who may not read notes gets the summary without them.
    pub(crate) async fn end_appointment(
        &self,
        caller: Caller,
        id: AppointmentId,
        new: VisitRecord,
    ) -> Result<Summary, Problem> {
        let (mut act, mut appointment) = self.changed(&caller, id, Change::End).await?;
        if !new.is_empty() {
            act = self.put_down(act, &caller, &mut appointment, new).await?;
        }
        let summary = self.summed_up(&mut act, &appointment).await?;
        let relation = facts::to_appointment(&mut act, &caller, Act::ReadNotes, Some(&appointment)).await?;
        let may_read = matches!(may(&caller.subject, Act::ReadNotes, &relation), Verdict::Granted(_));
        let summary = if may_read { summary } else { summary.without_notes() };
        let summary = self.keep(act, &caller, summary).await?;
        self.running.end(appointment.consult);
        Ok(summary)
    }

    /// Puts down what came of a visit that has begun, in place of what was there.
    pub(crate) async fn write_notes(
        &self,
        caller: Caller,
        id: AppointmentId,
        new: VisitRecord,
    ) -> Result<(), Problem> {
        let act = self.begin(&caller).await?;
        let (act, mut appointment) = self.found_for(act, &caller, Act::WriteNotes, id).await?;
        if !matches!(appointment.course.state, State::InProgress | State::Completed) {
            return Err(Problem::AppointmentRefused(Refusal::StateForbids));
        }
        let act = self.put_down(act, &caller, &mut appointment, new).await?;
        self.keep(act, &caller, ()).await
    }

    async fn put_down(
        &self,
        act: TenantTx,
        caller: &Caller,
        appointment: &mut Appointment,
        new: VisitRecord,
    ) -> Result<TenantTx, Problem> {
        let (mut act, _) = self.found_for(act, caller, Act::WriteNotes, appointment.id).await?;
        let visit_at_ms = appointment.course.started_at_ms.unwrap_or(appointment.course.time.starts_at_ms());
        let follow_up = new.follow_up.map(|day| {
            FollowUpDate::parse(day.reveal(), visit_at_ms).ok_or(Problem::FieldInvalid("follow_up_on"))
        });
        let follow_up = follow_up.transpose()?.map(|day| day.to_text());
        let prescriptions = (!new.prescriptions.as_slice().is_empty()).then(|| new.prescriptions.to_text());
        let notes = new.notes.as_ref().map(Notes::text);
        appointment.record = SealedRecord {
            notes: self.sealed_if_any(&mut act, appointment, "notes", notes).await?,
            prescriptions: self
                .sealed_if_any(&mut act, appointment, "prescriptions", prescriptions.as_ref())
                .await?,
            follow_up: self.sealed_if_any(&mut act, appointment, "follow_up", follow_up.as_ref()).await?,
        };
        store::appointments::set_record(&mut act, appointment.id, &appointment.record).await?;
        record(&mut act, &about(caller, Act::WriteNotes, appointment)).await?;
        Ok(act)
    }

    async fn summed_up(&self, tx: &mut TenantTx, appointment: &Appointment) -> Result<Summary, Problem> {
        let passages = store::audit::passages(tx, appointment.consult).await?;
        let reason = self.opened(tx, appointment, "reason", appointment.reason.as_deref()).await?;
        let SealedRecord { notes, prescriptions, follow_up } = &appointment.record;
        let notes = self.opened(tx, appointment, "notes", notes.as_deref()).await?;
        let prescriptions = self.opened(tx, appointment, "prescriptions", prescriptions.as_deref()).await?;
        let follow_up = self.opened(tx, appointment, "follow_up", follow_up.as_deref()).await?;
        let facts = Facts {
            appointment: appointment.id,
            consult: appointment.consult,
            course: appointment.course,
            patient: appointment.patient,
            stays: stays(&passages),
            qualities: store::connections::qualities(tx, appointment.consult).await?,
            recordings: Vec::new(),
            reason: reason.and_then(|text| VisitReason::parse(text.reveal())),
            notes: notes.and_then(|text| Notes::parse(text.reveal())),
            prescriptions: prescriptions
                .and_then(|text| PrescriptionIds::read(text.reveal()))
                .unwrap_or_default(),
            follow_up: follow_up.and_then(|text| FollowUpDate::read(text.reveal())),
        };
        Summary::of(facts).map_err(|_| Problem::AppointmentRefused(Refusal::StateForbids))
    }

    /// Whether the patient came in, by what was written down before they were let in.
    pub(super) async fn patient_came(
        &self,
        act: &mut TenantTx,
        appointment: &Appointment,
    ) -> Result<bool, StoreError> {
        let passages = store::audit::passages(act, appointment.consult).await?;
        let is_patient = |person| person == appointment.patient;
        Ok(passages.iter().any(|passage| passage.role == Role::Patient && is_patient(passage.person)))
    }

    async fn sealed_if_any(
        &self,
        act: &mut TenantTx,
        appointment: &Appointment,
        column: &'static str,
        text: Option<&Pii<String>>,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let Some(text) = text else { return Ok(None) };
        Ok(Some(self.sealed_for(act, appointment.id, appointment.patient, column, text).await?))
    }

    /// Seals a column of an appointment under its patient's key.
    pub(super) async fn sealed_for(
        &self,
        act: &mut TenantTx,
        id: AppointmentId,
        patient: PersonId,
        column: &'static str,
        text: &Pii<String>,
    ) -> Result<Vec<u8>, Problem> {
        let row = id.to_string();
        let place = Place { tenant: act.tenant(), table: "appointments", row: &row, column };
        self.seal_about(act, patient, &place, text).await
    }

    /// Opens a column of an appointment; nothing once the patient was erased.
    async fn opened(
        &self,
        tx: &mut TenantTx,
        appointment: &Appointment,
        column: &'static str,
        sealed: Option<&[u8]>,
    ) -> Result<Option<Pii<String>>, StoreError> {
        let Some(sealed) = sealed else { return Ok(None) };
        let row = appointment.id.to_string();
        let place = Place { tenant: tx.tenant(), table: "appointments", row: &row, column };
        self.open_about(tx, appointment.patient, &place, sealed).await
    }
}
