//! The state machine: every state against every change, and the times at which a change is allowed.

use super::*;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// When the appointment of these tests begins; it takes half an hour.
const BEGINS_MS: i64 = 20_000 * DAY_MS;

fn time(from_ms: i64) -> TimeRange {
    TimeRange::new(from_ms, from_ms + 30 * MINUTE_MS).expect("a range")
}

/// An appointment in that state, as it would have come there.
fn course(state: State) -> Course {
    let started_at_ms = matches!(state, State::InProgress | State::Completed).then_some(BEGINS_MS);
    let ended_at_ms = state.is_final().then_some(BEGINS_MS + 20 * MINUTE_MS);
    Course { state, time: time(BEGINS_MS), started_at_ms, ended_at_ms }
}

fn changes() -> [Change; 6] {
    [
        Change::Move { to: time(BEGINS_MS + DAY_MS) },
        Change::Confirm,
        Change::Cancel,
        Change::Start,
        Change::End,
        Change::MarkNoShow { patient_came: false },
    ]
}

#[test]
fn only_the_drawn_ways_lead_from_state_to_state() {
    let drawn = [
        (State::Scheduled, "move", State::Scheduled),
        (State::Scheduled, "confirm", State::Confirmed),
        (State::Scheduled, "cancel", State::Cancelled),
        (State::Scheduled, "start", State::InProgress),
        (State::Scheduled, "mark_no_show", State::NoShow),
        (State::Confirmed, "move", State::Scheduled),
        (State::Confirmed, "cancel", State::Cancelled),
        (State::Confirmed, "start", State::InProgress),
        (State::Confirmed, "mark_no_show", State::NoShow),
        (State::InProgress, "end", State::Completed),
        (State::InProgress, "mark_no_show", State::NoShow),
    ];
    let now_ms = BEGINS_MS + 15 * MINUTE_MS;
    for state in State::ALL.iter().copied() {
        for change in changes() {
            let way = drawn.iter().find(|(from, name, _)| *from == state && *name == change.as_str());
            let expected = way.map(|(_, _, to)| *to).ok_or(Refusal::StateForbids);
            let found = course(state).after(change, now_ms).map(|after| after.state);
            assert_eq!(found, expected, "{} of {state}", change.as_str());
        }
    }
}

#[test]
fn what_is_final_stays_as_it_is_at_any_time() {
    for state in State::ALL.iter().copied().filter(|state| state.is_final()) {
        for now_ms in [0, BEGINS_MS, BEGINS_MS + 365 * DAY_MS] {
            for change in changes() {
                assert_eq!(course(state).after(change, now_ms), Err(Refusal::StateForbids), "{state}");
            }
        }
    }
}

#[test]
fn an_appointment_is_booked_from_now_to_two_years_ahead() {
    let book = |ahead_ms| Course::book(time(BEGINS_MS), BEGINS_MS - ahead_ms).map(|course| course.state);
    for sound_ms in [-5 * MINUTE_MS, 0, HOUR_MS, 731 * DAY_MS] {
        assert_eq!(book(sound_ms), Ok(State::Scheduled), "{sound_ms}");
    }
    assert_eq!(book(-5 * MINUTE_MS - 1), Err(Refusal::InThePast));
    assert_eq!(book(731 * DAY_MS + 1), Err(Refusal::TooFarAhead));
}

#[test]
fn a_moved_appointment_waits_to_be_confirmed_again() {
    let to = time(BEGINS_MS + DAY_MS);
    let moved = course(State::Confirmed).after(Change::Move { to }, BEGINS_MS - DAY_MS).expect("it moves");
    assert_eq!((moved.state, moved.time), (State::Scheduled, to));
}

#[test]
fn it_moves_to_another_time_that_is_not_past() {
    let move_to = |to_ms, now_ms| course(State::Scheduled).after(Change::Move { to: time(to_ms) }, now_ms);
    assert_eq!(move_to(BEGINS_MS, BEGINS_MS - DAY_MS), Err(Refusal::TimeUnchanged));
    assert_eq!(move_to(BEGINS_MS - DAY_MS, BEGINS_MS - HOUR_MS), Err(Refusal::InThePast));
    assert!(move_to(BEGINS_MS + DAY_MS, BEGINS_MS + HOUR_MS).is_ok());
}

#[test]
fn it_is_confirmed_before_its_end() {
    let confirm = |now_ms| course(State::Scheduled).after(Change::Confirm, now_ms).map(|after| after.state);
    assert_eq!(confirm(BEGINS_MS + 30 * MINUTE_MS - 1), Ok(State::Confirmed));
    assert_eq!(confirm(BEGINS_MS + 30 * MINUTE_MS), Err(Refusal::TooLate));
}

#[test]
fn it_starts_from_half_an_hour_before_to_four_hours_after() {
    let start =
        |now_ms| course(State::Confirmed).after(Change::Start, now_ms).map(|after| after.started_at_ms);
    let (first_ms, last_ms) = (BEGINS_MS - 30 * MINUTE_MS, BEGINS_MS + 30 * MINUTE_MS + 4 * HOUR_MS - 1);
    assert_eq!(start(first_ms - 1), Err(Refusal::TooEarly));
    assert_eq!(start(first_ms), Ok(Some(first_ms)));
    assert_eq!(start(last_ms), Ok(Some(last_ms)));
    assert_eq!(start(last_ms + 1), Err(Refusal::TooLate));
}

#[test]
fn a_no_show_takes_ten_minutes_of_waiting_and_no_patient() {
    let mark = |state, patient_came, now_ms| {
        course(state).after(Change::MarkNoShow { patient_came }, now_ms).map(|after| after.state)
    };
    let waited_ms = BEGINS_MS + 10 * MINUTE_MS;
    assert_eq!(mark(State::Confirmed, false, waited_ms - 1), Err(Refusal::TooEarly));
    assert_eq!(mark(State::Confirmed, false, waited_ms), Ok(State::NoShow));
    assert_eq!(mark(State::InProgress, false, waited_ms), Ok(State::NoShow));
    assert_eq!(mark(State::InProgress, true, waited_ms), Err(Refusal::PatientCame));
}

#[test]
fn nothing_ends_before_it_began() {
    let ended = course(State::InProgress).after(Change::End, BEGINS_MS - MINUTE_MS).expect("it ends");
    assert_eq!((ended.state, ended.ended_at_ms), (State::Completed, Some(BEGINS_MS)));
    let later = course(State::InProgress).after(Change::End, BEGINS_MS + HOUR_MS).expect("it ends");
    assert_eq!(later.ended_at_ms, Some(BEGINS_MS + HOUR_MS));
}
