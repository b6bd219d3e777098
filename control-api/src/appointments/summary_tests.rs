//! Who was there for how long, and what the summary holds back.

use super::*;
use crate::appointments::TimeRange;

const MINUTE_MS: i64 = 60_000;
const PATIENT: PersonId = PersonId::from_bytes([1; 16]);
const PROVIDER: PersonId = PersonId::from_bytes([2; 16]);
const COLLEAGUE: PersonId = PersonId::from_bytes([3; 16]);

fn stay(person: PersonId, role: Role, from_min: i64, to_min: Option<i64>) -> Stay {
    Stay {
        person,
        role,
        joined_at_ms: from_min * MINUTE_MS,
        left_at_ms: to_min.map(|minute| minute * MINUTE_MS),
    }
}

/// A visit from minute 10 to minute 40.
fn facts(stays: Vec<Stay>) -> Facts {
    Facts {
        appointment: AppointmentId::from_bytes([4; 16]),
        consult: ConsultId::from_bytes([5; 16]),
        course: Course {
            state: State::Completed,
            time: TimeRange::new(0, 30 * MINUTE_MS).expect("a range"),
            started_at_ms: Some(10 * MINUTE_MS),
            ended_at_ms: Some(40 * MINUTE_MS),
        },
        patient: PATIENT,
        stays,
        qualities: Vec::new(),
        recordings: Vec::new(),
        reason: VisitReason::parse("cough"),
        notes: Notes::parse("nothing to worry about"),
        prescriptions: PrescriptionIds::parse(&["rx-1"]).expect("an id"),
        follow_up: FollowUpDate::read("2026-03-02"),
    }
}

fn minutes(summary: &Summary) -> Vec<(PersonId, i64, i64, i64)> {
    let minute = |ms: i64| ms / MINUTE_MS;
    let line =
        |a: &Attendance| (a.person, minute(a.joined_at_ms), minute(a.left_at_ms), minute(a.present_ms));
    summary.attendance.iter().map(line).collect()
}

#[test]
fn time_is_counted_once_and_without_the_gaps() {
    let stays = vec![
        stay(PATIENT, Role::Patient, 30, None),
        stay(PATIENT, Role::Patient, 15, Some(20)),
        stay(PROVIDER, Role::Provider, 10, Some(35)),
        stay(PROVIDER, Role::Provider, 12, Some(38)),
    ];
    let summary = Summary::of(facts(stays)).expect("a completed visit");
    assert_eq!(minutes(&summary), [(PROVIDER, 10, 38, 28), (PATIENT, 15, 40, 15)]);
    assert_eq!(summary.together_ms, 13 * MINUTE_MS);
}

#[test]
fn only_time_within_the_visit_counts() {
    let stays = vec![
        stay(PATIENT, Role::Patient, 0, Some(100)),
        stay(PROVIDER, Role::Provider, 0, Some(10)),
        stay(COLLEAGUE, Role::Nurse, 50, Some(30)),
    ];
    let summary = Summary::of(facts(stays)).expect("a completed visit");
    assert_eq!(minutes(&summary), [(PATIENT, 10, 40, 30)]);
    assert_eq!(summary.together_ms, 0);
}

#[test]
fn two_providers_at_once_do_not_count_twice_and_a_nurse_is_none() {
    let stays = vec![
        stay(PATIENT, Role::Patient, 10, None),
        stay(PROVIDER, Role::Provider, 10, Some(20)),
        stay(COLLEAGUE, Role::Provider, 15, Some(25)),
        stay(COLLEAGUE, Role::Nurse, 25, Some(40)),
    ];
    let summary = Summary::of(facts(stays)).expect("a completed visit");
    assert_eq!(summary.together_ms, 15 * MINUTE_MS);
    assert_eq!(summary.attendance.len(), 4, "the colleague is there once in each role");
}

#[test]
fn a_visit_is_graded_by_its_worst_connection() {
    let quality = |loss_permille, round_trip_ms, interruptions| {
        let round_trip_ms = Some(round_trip_ms);
        Quality { person: PATIENT, loss_permille, round_trip_ms, interruptions }
    };
    let grade =
        |qualities| Summary::of(Facts { qualities, ..facts(Vec::new()) }).map(|summary| summary.grade);
    assert_eq!(grade(Vec::new()), Ok(None));
    assert_eq!(grade(vec![quality(20, 250, 0)]), Ok(Some(Grade::Good)));
    assert_eq!(grade(vec![quality(0, 20, 0), quality(21, 20, 0)]), Ok(Some(Grade::Fair)));
    assert_eq!(grade(vec![quality(0, 20, 3), quality(0, 20, 0)]), Ok(Some(Grade::Poor)));
    assert_eq!(grade(vec![quality(0, 501, 0)]), Ok(Some(Grade::Poor)));
}

#[test]
fn only_a_completed_visit_has_a_summary() {
    for state in State::ALL.iter().copied().filter(|state| *state != State::Completed) {
        let facts = facts(Vec::new());
        let course = Course { state, ..facts.course };
        assert_eq!(Summary::of(Facts { course, ..facts }).map(|_| ()), Err(NotEnded), "{state}");
    }
}

#[test]
fn whoever_may_not_read_notes_gets_times_only_and_nobody_prints_them() {
    let summary = Summary::of(facts(Vec::new())).expect("a completed visit");
    assert!(!format!("{summary:?}").contains("worry"));
    assert!(summary.notes.is_some() && summary.reason.is_some());
    let times = summary.without_notes();
    assert!(times.notes.is_none() && times.reason.is_none() && times.follow_up.is_none());
    assert!(times.prescriptions.as_slice().is_empty());
    assert_eq!(times.ended_at_ms, 40 * MINUTE_MS);
}
