//! What ending a visit returns: what billing and the chart need, made of facts that were written down as they happened.

use media_model::{ConsultId, Role, random_id};

use super::{Course, FollowUpDate, Grade, Notes, PrescriptionIds, Quality, State, VisitReason};
use crate::ids::{AppointmentId, PersonId};

random_id! {
    /// One recording of a consult.
    RecordingId, "recording"
}

/// Somebody was in the consult from then to then, on one device. Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// Who.
    pub person: PersonId,
    /// As what.
    pub role: Role,
    /// From when.
    pub joined_at_ms: i64,
    /// Until when; nothing for somebody who was there until the end.
    pub left_at_ms: Option<i64>,
}

/// A recording of the visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// Which.
    pub id: RecordingId,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// How long it is.
    pub length_ms: i64,
}

/// What is known about a visit when it is over.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Which appointment.
    pub appointment: AppointmentId,
    /// Its consult.
    pub consult: ConsultId,
    /// How it went.
    pub course: Course,
    /// Whose visit it was.
    pub patient: PersonId,
    /// Who was there, in any order; somebody who came back has several.
    pub stays: Vec<Stay>,
    /// How well people were connected.
    pub qualities: Vec<Quality>,
    /// What was recorded.
    pub recordings: Vec<Recording>,
    /// Why the patient came.
    pub reason: Option<VisitReason>,
    /// What the provider put down.
    pub notes: Option<Notes>,
    /// What was prescribed.
    pub prescriptions: PrescriptionIds,
    /// When the patient should come again.
    pub follow_up: Option<FollowUpDate>,
}

/// How long one person was there in one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attendance {
    /// Who.
    pub person: PersonId,
    /// As what.
    pub role: Role,
    /// When they first came, in milliseconds since 1970.
    pub joined_at_ms: i64,
    /// When they last left, likewise.
    pub left_at_ms: i64,
    /// How long they were there between, without the gaps, and once where they had two devices.
    pub present_ms: i64,
}

/// The visit, for billing and the chart.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Which appointment.
    pub appointment: AppointmentId,
    /// Its consult.
    pub consult: ConsultId,
    /// Whose visit it was.
    pub patient: PersonId,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it was over, likewise.
    pub ended_at_ms: i64,
    /// Who was there for how long, in the order in which they came.
    pub attendance: Vec<Attendance>,
    /// How long the patient and at least one provider were there at once: the time that is billed as face to face.
    pub together_ms: i64,
    /// How well it went; nothing if nobody measured.
    pub grade: Option<Grade>,
    /// How well each was connected.
    pub qualities: Vec<Quality>,
    /// What was recorded.
    pub recordings: Vec<Recording>,
    /// Why the patient came.
    pub reason: Option<VisitReason>,
    /// What the provider put down.
    pub notes: Option<Notes>,
    /// What was prescribed, by the EHR's ids.
    pub prescriptions: PrescriptionIds,
    /// When the patient should come again.
    pub follow_up: Option<FollowUpDate>,
}

/// Only a visit that took place has a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the visit is not completed")]
pub struct NotEnded;

/// From when to when, in milliseconds since 1970.
type Span = (i64, i64);

impl Summary {
    /// Sums up what is known about a completed visit.
    pub fn of(facts: Facts) -> Result<Self, NotEnded> {
        let (State::Completed, Some(started_at_ms), Some(ended_at_ms)) =
            (facts.course.state, facts.course.started_at_ms, facts.course.ended_at_ms)
        else {
            return Err(NotEnded);
        };
        let visit = (started_at_ms, ended_at_ms);
        let of_role = |role: Role| {
            union(facts.stays.iter().filter(|stay| stay.role == role).filter_map(|stay| clip(stay, visit)))
        };
        let patients = facts.stays.iter().filter(|stay| stay.person == facts.patient);
        let patient = union(patients.filter_map(|stay| clip(stay, visit)));
        Ok(Self {
            appointment: facts.appointment,
            consult: facts.consult,
            patient: facts.patient,
            started_at_ms,
            ended_at_ms,
            attendance: attendance(&facts.stays, visit),
            together_ms: length_ms(&intersection(&patient, &of_role(Role::Provider))),
            grade: facts.qualities.iter().map(|quality| quality.grade()).max(),
            qualities: facts.qualities,
            recordings: facts.recordings,
            reason: facts.reason,
            notes: facts.notes,
            prescriptions: facts.prescriptions,
            follow_up: facts.follow_up,
        })
    }

    /// The same without what only those who may read notes may read.
    #[must_use]
    pub fn without_notes(self) -> Self {
        Self { reason: None, notes: None, prescriptions: PrescriptionIds::default(), follow_up: None, ..self }
    }
}

fn attendance(stays: &[Stay], visit: Span) -> Vec<Attendance> {
    let mut sums: Vec<Attendance> = Vec::new();
    for stay in stays {
        if sums.iter().any(|sum| sum.person == stay.person && sum.role == stay.role) {
            continue;
        }
        let theirs = stays.iter().filter(|other| other.person == stay.person && other.role == stay.role);
        let spans = union(theirs.filter_map(|stay| clip(stay, visit)));
        let (Some((joined_at_ms, _)), Some((_, left_at_ms))) = (spans.first(), spans.last()) else {
            continue;
        };
        sums.push(Attendance {
            person: stay.person,
            role: stay.role,
            joined_at_ms: *joined_at_ms,
            left_at_ms: *left_at_ms,
            present_ms: length_ms(&spans),
        });
    }
    sums.sort_by_key(|sum| (sum.joined_at_ms, sum.person));
    sums
}

/// The part of a stay that lies within the visit; nothing if none does.
fn clip(stay: &Stay, (from, to): Span) -> Option<Span> {
    let span = (stay.joined_at_ms.max(from), stay.left_at_ms.unwrap_or(to).min(to));
    (span.0 < span.1).then_some(span)
}

/// The same time as spans in order that do not touch.
fn union(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (from, to) in spans {
        match merged.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// The time in both, each in order.
fn intersection(left: &[Span], right: &[Span]) -> Vec<Span> {
    let both = left.iter().flat_map(|a| right.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    both.filter(|(from, to)| from < to).collect()
}

fn length_ms(spans: &[Span]) -> i64 {
    spans.iter().map(|(from, to)| to - from).sum()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
