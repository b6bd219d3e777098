//! Booking appointments, and how they go on.

use media_model::{ConsultId, Pii, Role};

use super::{ControlApi, by, now_ms, random_bytes, record};
use crate::{
    StoreError,
    appointments::{Change, Course, TimeRange, VisitReason},
    audit::{Action, Entry},
    auth::Caller,
    ids::{AppointmentId, PersonId},
    keys::{Place, TenantKeys},
    permissions::{Act, Relation},
    problem::Problem,
    store::{self, Consult, TenantTx, appointments::Appointment},
    webhooks::{Event, EventKind},
};

/// A program is asked what it was made for before anything is looked up: what is there must not show in the answer.
pub(super) const NO_CONSULT: ConsultId = ConsultId::from_bytes([0; 16]);
const NO_PERSON: PersonId = PersonId::from_bytes([0; 16]);

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
        self.permit(&caller, Act::BookAppointment, &Relation::to_patient(NO_PERSON, None)).await?;
        let now_ms = now_ms();
        let course = Course::book(new.time, now_ms).map_err(Problem::AppointmentRefused)?;
        let mut act = self.begin(&caller).await?;
        let mut people = Vec::with_capacity(new.people.len());
        for (external_id, role) in &new.people {
            people.push((self.person_of(&mut act, external_id).await?, *role));
        }
        // In one order, so that two bookings of the same people wait for each other and not in a circle.
        people.sort_by_key(|(person, _)| *person);
        let patient = people.iter().find(|(_, role)| *role == Role::Patient).map(|(person, _)| *person);
        let patient = patient.ok_or(Problem::FieldInvalid("people"))?;
        if !store::consents::is_given(&mut act, patient).await? {
            return Err(Problem::ConsentMissing);
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
        let appointment =
            Appointment { id, consult: consult.id, patient, course, reason, created_at_ms: now_ms };
        store::appointments::insert(&mut act, &appointment).await?;
        for (person, role) in &people {
            store::appointments::book(&mut act, &appointment, *person, *role).await?;
        }
        self.note_appointment(&mut act, &caller, Act::BookAppointment, &appointment).await?;
        self.tell_appointment(&mut act, EventKind::AppointmentBooked, &appointment, now_ms).await?;
        let booked = Booked { id, consult: consult.id, course, people, created_at_ms: now_ms };
        self.keep(act, &caller, booked).await
    }

    /// Reads an appointment; that it was read is on disk before it is told.
    pub(crate) async fn read_appointment(
        &self,
        caller: Caller,
        id: AppointmentId,
    ) -> Result<Booked, Problem> {
        let nobody = Relation::to_visit(NO_CONSULT, None, None);
        self.permit(&caller, Act::ReadAppointment, &nobody).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let appointment = store::appointments::find(&mut tx, id).await?.ok_or(Problem::NotFound)?;
        let people = store::appointments::people(&mut tx, id).await?;
        drop(tx);
        self.note_read(caller.tenant, &about(&caller, Act::ReadAppointment, &appointment)).await?;
        Ok(booked(appointment, people))
    }

    /// Moves, confirms, cancels, starts or ends an appointment, or puts it down as missed. With it ends its consult.
    pub(crate) async fn change_appointment(
        &self,
        caller: Caller,
        id: AppointmentId,
        change: Change,
    ) -> Result<Booked, Problem> {
        self.permit(&caller, act_of(change), &Relation::to_visit(NO_CONSULT, None, None)).await?;
        let now_ms = now_ms();
        let mut act = self.begin(&caller).await?;
        let mut appointment = store::appointments::find(&mut act, id).await?.ok_or(Problem::NotFound)?;
        let before = appointment.course;
        let change = match change {
            Change::MarkNoShow { .. } => {
                Change::MarkNoShow { patient_came: self.patient_came(&mut act, &appointment).await? }
            }
            change => change,
        };
        let after = before.after(change, now_ms).map_err(Problem::AppointmentRefused)?;
        if change == Change::Start && !store::consents::is_given(&mut act, appointment.patient).await? {
            return Err(Problem::ConsentMissing);
        }
        if !store::appointments::go_on(&mut act, id, before, after).await? {
            return Err(Problem::ChangedMeanwhile);
        }
        appointment.course = after;
        let is_over = after.state.is_final();
        if is_over {
            store::consults::set_ended(&mut act, appointment.consult, now_ms).await?;
            store::tickets::revoke_all(&mut act, appointment.consult, now_ms).await?;
        }
        let people = store::appointments::people(&mut act, id).await?;
        self.note_appointment(&mut act, &caller, act_of(change), &appointment).await?;
        self.tell_appointment(&mut act, event_of(change), &appointment, now_ms).await?;
        let consult = appointment.consult;
        let booked = self.keep(act, &caller, booked(appointment, people)).await?;
        if is_over {
            self.running.end(consult);
        }
        Ok(booked)
    }

    /// Notes that a patient consents to be treated from afar, or no longer does.
    pub(crate) async fn record_consent(
        &self,
        caller: Caller,
        person: PersonId,
        is_given: bool,
    ) -> Result<(), Problem> {
        self.permit(&caller, Act::RecordConsent, &Relation::to_patient(person, None)).await?;
        let mut act = self.begin(&caller).await?;
        let kept = store::people::load(&mut act, person).await?.ok_or(Problem::NotFound)?;
        if kept.erased_at_ms.is_some() {
            return Err(Problem::NotFound);
        }
        let is_there = if is_given {
            store::consents::give(&mut act, person, now_ms()).await?;
            true
        } else {
            store::consents::withdraw(&mut act, person, now_ms()).await?
        };
        if !is_there {
            return Err(Problem::NotFound);
        }
        let detail = Some(if is_given { "given" } else { "withdrawn" });
        let asked = by(&caller, Action::Asked(Act::RecordConsent));
        record(&mut act, &Entry { patient: Some(person), detail, ..asked }).await?;
        self.keep(act, &caller, ()).await
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
        if !store::consents::is_given(act, appointment.patient).await? {
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
        let kept = store::people::load(act, patient).await?.ok_or(Problem::NotFound)?;
        let row = id.to_string();
        let place = Place { tenant: act.tenant(), table: "appointments", row: &row, column: "reason" };
        let text = reason.text().reveal().as_bytes();
        let seal = |keys: &TenantKeys| keys.person(patient, &kept.keys)?.seal(&place, text);
        Ok(Some(self.vault.with_keys(act, seal).await?))
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

fn booked(appointment: Appointment, people: Vec<(PersonId, Role)>) -> Booked {
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
