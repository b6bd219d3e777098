//! What a visit came to: who was there, for how long, and why.

use media_model::Role;

use super::{
    ControlApi,
    appointments::{NO_CONSULT, about},
};
use crate::{
    StoreError,
    appointments::{Facts, PrescriptionIds, Refusal, Summary, VisitReason, stays},
    auth::Caller,
    ids::AppointmentId,
    keys::{Opened, Place, TenantKeys},
    permissions::{Act, Relation},
    problem::Problem,
    store::{self, TenantTx, appointments::Appointment},
};

impl ControlApi {
    /// The summary of a visit that took place.
    pub(crate) async fn read_summary(&self, caller: Caller, id: AppointmentId) -> Result<Summary, Problem> {
        self.permit(&caller, Act::ReadNotes, &Relation::to_visit(NO_CONSULT, None, None)).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let appointment = store::appointments::find(&mut tx, id).await?.ok_or(Problem::NotFound)?;
        let passages = store::audit::passages(&mut tx, appointment.consult).await?;
        let reason = self.opened_reason(&mut tx, &appointment).await?;
        drop(tx);
        let facts = Facts {
            appointment: id,
            consult: appointment.consult,
            course: appointment.course,
            patient: appointment.patient,
            stays: stays(&passages),
            qualities: Vec::new(),
            recordings: Vec::new(),
            reason,
            notes: None,
            prescriptions: PrescriptionIds::default(),
            follow_up: None,
        };
        let summary = Summary::of(facts).map_err(|_| Problem::AppointmentRefused(Refusal::StateForbids))?;
        self.note_read(caller.tenant, &about(&caller, Act::ReadNotes, &appointment)).await?;
        Ok(summary)
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

    /// Why the patient comes; nothing once they were erased.
    async fn opened_reason(
        &self,
        tx: &mut TenantTx,
        appointment: &Appointment,
    ) -> Result<Option<VisitReason>, StoreError> {
        let Some(sealed) = &appointment.reason else { return Ok(None) };
        let patient = appointment.patient;
        let kept = store::people::load(tx, patient).await?.ok_or(StoreError::Malformed("a patient"))?;
        let row = appointment.id.to_string();
        let place = Place { tenant: tx.tenant(), table: "appointments", row: &row, column: "reason" };
        let open = |keys: &TenantKeys| keys.person(patient, &kept.keys)?.open_text(&place, sealed);
        let text = self.vault.with_keys(tx, open).await.map(Opened::value)?;
        Ok(text.and_then(|text| VisitReason::parse(text.reveal())))
    }
}
