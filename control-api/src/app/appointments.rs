//! Booking appointments, and how they go on.

use media_model::{ConsultId, Pii, Role};

use super::{ControlApi, by, facts, now_ms, random_bytes, record};
use crate::{
    StoreError,
    appointments::{Change, Course, TimeRange, VisitReason},
    audit::{Action, Entry},
    auth::Caller,
    ids::{AppointmentId, PersonId},
    permissions::Act,
    problem::Problem,
    store::{
        self, Consult, TenantTx,
        appointments::{Appointment, SealedRecord},
    },
    webhooks::{Event, EventKind},
};

/// What a back end books.
#[derive(Debug)]
pub(crate) struct NewAppointment {
    pub time: TimeRange,
    /// By their ids of the EHR's; exactly one is the patient, and nobody is there twice.
    pub people: Vec<(Pii<String>, Role)>,
    pub reason: Option<VisitReason>,
    /// Whether patients and guests wait until staff lets them in.
    pub waiting_room: bool,
}

/// An appointment and who is booked for it.
#[derive(Debug, Clone)]
pub(crate) struct Booked {
    pub id: AppointmentId,
    pub consult: ConsultId,
    pub course: Course,
    pub people: Vec<(PersonId, Role)>,
    pub created_at_ms: i64,
}

impl ControlApi {
    /// Books an appointment, and makes the consult that it will take place in.
    pub(crate) async fn book_appointment(
        &self,
        caller: Caller,
        new: NewAppointment,
    ) -> Result<Booked, Problem> {
        let now_ms = now_ms();
        let mut act = self.begin(&caller).await?;
        let mut people = Vec::with_capacity(new.people.len());
        for (external_id, role) in &new.people {
            people.push((self.person_of(&mut act, external_id).await?, *role));
        }
        // In one order, so that two bookings of the same people wait for each other and not in a circle.
        people.sort_by_key(|(person, _)| *person);
        let patient = people.iter().find(|(_, role)| *role == Role::Patient).map(|(person, _)| *person);
        let patient = patient.ok_or(Problem::FieldInvalid("people"))?;
        let relation = facts::to_patient(&mut act, &caller, patient).await?;
        let mut act = self.permit_in(act, &caller, Act::BookAppointment, &relation).await?;
        let course = Course::book(new.time, now_ms).map_err(Problem::AppointmentRefused)?;
        if !store::consents::holds(&mut act, patient).await? {
            let asked = by(&caller, Action::Asked(Act::BookAppointment));
            let entry = Entry { patient: Some(patient), ..asked };
            return Err(self.refuse_by_rule(act, entry, Problem::ConsentMissing).await?);
        }
        let consult = Consult {
            id: ConsultId::from_bytes(random_bytes()),
            waiting_room: new.waiting_room,
            created_at_ms: now_ms,
            ended_at_ms: None,
        };
        store::consults::insert(&mut act, &consult).await?;
        let id = AppointmentId::from_bytes(random_bytes());
        let reason = self.sealed_reason(&mut act, id, patient, new.reason.as_ref()).await?;
        let (consult, created_at_ms, record) = (consult.id, now_ms, SealedRecord::default());
        let appointment = Appointment { id, consult, patient, course, reason, record, created_at_ms };
        store::appointments::insert(&mut act, &appointment).await?;
        for (person, role) in &people {
            store::appointments::book(&mut act, &appointment, *person, *role).await?;
        }
        self.note_appointment(&mut act, &caller, Act::BookAppointment, &appointment).await?;
        self.tell_appointment(&mut act, EventKind::AppointmentBooked, &appointment, now_ms).await?;
        let booked = Booked { id, consult, course, people, created_at_ms };
        self.keep(act, &caller, booked).await
    }

    /// Reads an appointment; that it was read is on disk before it is told.
    pub(crate) async fn read_appointment(
        &self,
        caller: Caller,
        id: AppointmentId,
    ) -> Result<Booked, Problem> {
        let (mut tx, appointment, entry) = self.looked_at(&caller, Act::ReadAppointment, id).await?;
        let people = store::appointments::people(&mut tx, id).await?;
        drop(tx);
        self.note_read(caller.tenant, &entry).await?;
        Ok(booked(appointment, people))
    }

    /// The appointment, for a caller who may look at it so, and the entry that says so. It is to be noted before anything is told.
    pub(super) async fn looked_at(
        &self,
        caller: &Caller,
        act: Act,
        id: AppointmentId,
    ) -> Result<(TenantTx, Appointment, Entry), Problem> {
        let mut tx = self.store.read(caller.tenant).await?;
        let appointment = store::appointments::find(&mut tx, id).await?;
        let relation = facts::to_appointment(&mut tx, caller, act, appointment.as_ref()).await?;
        let (tx, ground) = self.permit_on(tx, caller, act, &relation).await?;
        let appointment = appointment.ok_or(Problem::NotFound)?;
        let entry = Entry { break_glass: ground.break_glass(), ..about(caller, act, &appointment) };
        Ok((tx, appointment, entry))
    }

    /// The appointment, for a caller who may do this with it.
    pub(super) async fn found_for(
        &self,
        mut tx: TenantTx,
        caller: &Caller,
        act: Act,
        id: AppointmentId,
    ) -> Result<(TenantTx, Appointment), Problem> {
        let appointment = store::appointments::find(&mut tx, id).await?;
        let relation = facts::to_appointment(&mut tx, caller, act, appointment.as_ref()).await?;
        let tx = self.permit_in(tx, caller, act, &relation).await?;
        Ok((tx, appointment.ok_or(Problem::NotFound)?))
    }

    /// Moves, confirms, cancels or starts an appointment, or puts it down as missed. With it ends its consult.
    pub(crate) async fn change_appointment(
        &self,
        caller: Caller,
        id: AppointmentId,
        change: Change,
    ) -> Result<Booked, Problem> {
        let (mut act, appointment) = self.changed(&caller, id, change).await?;
        let people = store::appointments::people(&mut act, id).await?;
        let (consult, is_over) = (appointment.consult, appointment.course.state.is_final());
        let booked = self.keep(act, &caller, booked(appointment, people)).await?;
        if is_over {
            self.running.end(consult);
        }
        Ok(booked)
    }

    /// Changes an appointment, and puts that down, in a transaction that is still to be kept.
    pub(super) async fn changed(
        &self,
        caller: &Caller,
        id: AppointmentId,
        change: Change,
    ) -> Result<(TenantTx, Appointment), Problem> {
        let now_ms = now_ms();
        let act = self.begin(caller).await?;
        let (mut act, mut appointment) = self.found_for(act, caller, act_of(change), id).await?;
        let before = appointment.course;
        let change = match change {
            Change::MarkNoShow { .. } => {
                Change::MarkNoShow { patient_came: self.patient_came(&mut act, &appointment).await? }
            }
            change => change,
        };
        let after = before.after(change, now_ms).map_err(Problem::AppointmentRefused)?;
        if change == Change::Start && !store::consents::holds(&mut act, appointment.patient).await? {
            let entry = about(caller, act_of(change), &appointment);
            return Err(self.refuse_by_rule(act, entry, Problem::ConsentMissing).await?);
        }
        if !store::appointments::go_on(&mut act, id, before, after).await? {
            return Err(Problem::ChangedMeanwhile);
        }
        appointment.course = after;
        if after.state.is_final() {
            store::consults::set_ended(&mut act, appointment.consult, now_ms).await?;
            store::tickets::revoke_all(&mut act, appointment.consult, now_ms).await?;
        }
        self.note_appointment(&mut act, caller, act_of(change), &appointment).await?;
        self.tell_appointment(&mut act, event_of(change), &appointment, now_ms).await?;
        Ok((act, appointment))
    }

    /// Whether somebody may come to a consult that is an appointment's: they are booked for it in that role, it is not over,
    /// and its patient still consents. A consult without an appointment is everybody's who has a ticket.
    pub(crate) async fn check_admission(
        &self,
        act: &mut TenantTx,
        consult: ConsultId,
        person: PersonId,
        role: Role,
    ) -> Result<(), Problem> {
        let Some(appointment) = store::appointments::of_consult(act, consult).await? else { return Ok(()) };
        let people = store::appointments::people(act, appointment.id).await?;
        if !people.contains(&(person, role)) {
            return Err(Problem::NotBooked);
        }
        if !store::consents::holds(act, appointment.patient).await? {
            return Err(Problem::ConsentMissing);
        }
        Ok(())
    }

    async fn sealed_reason(
        &self,
        act: &mut TenantTx,
        id: AppointmentId,
        patient: PersonId,
        reason: Option<&VisitReason>,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let Some(reason) = reason else { return Ok(None) };
        Ok(Some(self.sealed_for(act, id, patient, "reason", reason.text()).await?))
    }

    async fn tell_appointment(
        &self,
        act: &mut TenantTx,
        kind: EventKind,
        appointment: &Appointment,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let (id, consult) = (Some(appointment.id), Some(appointment.consult));
        self.tell(act, &Event { appointment: id, consult, ..Event::of(kind) }, now_ms).await
    }

    async fn note_appointment(
        &self,
        act: &mut TenantTx,
        caller: &Caller,
        what: Act,
        appointment: &Appointment,
    ) -> Result<(), StoreError> {
        record(act, &about(caller, what, appointment)).await
    }
}

pub(super) fn about(caller: &Caller, what: Act, appointment: &Appointment) -> Entry {
    let (patient, consult) = (Some(appointment.patient), Some(appointment.consult));
    Entry { patient, consult, ..by(caller, Action::Asked(what)) }
}

pub(super) fn booked(appointment: Appointment, people: Vec<(PersonId, Role)>) -> Booked {
    let Appointment { id, consult, course, created_at_ms, .. } = appointment;
    Booked { id, consult, course, people, created_at_ms }
}

const fn event_of(change: Change) -> EventKind {
    match change {
        Change::Move { .. } => EventKind::AppointmentMoved,
        Change::Confirm => EventKind::AppointmentConfirmed,
        Change::Cancel => EventKind::AppointmentCancelled,
        Change::Start => EventKind::AppointmentStarted,
        Change::End => EventKind::AppointmentEnded,
        Change::MarkNoShow { .. } => EventKind::AppointmentNoShow,
    }
}

const fn act_of(change: Change) -> Act {
    match change {
        Change::Move { .. } => Act::MoveAppointment,
        Change::Confirm => Act::ConfirmAppointment,
        Change::Cancel => Act::CancelAppointment,
        Change::Start => Act::StartAppointment,
        Change::End => Act::EndAppointment,
        Change::MarkNoShow { .. } => Act::MarkNoShow,
    }
}
