//! How an appointment goes. Who may make it go on stands in `permissions/`.

use super::TimeRange;
use crate::{
    limits::{
        APPOINTMENT_AHEAD_MAX, APPOINTMENT_BACKDATED_MAX, NO_SHOW_AFTER, START_EARLY_MAX, START_LATE_MAX,
    },
    named::named,
};

named! {
    /// How far an appointment is, named by what it waits for or how it came out.
    ///
    /// ```text
    ///             ┌──────── move ────────┐
    ///             ▼                      │
    /// book ─▶ scheduled ── confirm ─▶ confirmed
    ///          ▲  │ │                    │
    ///          │  │ ├────── cancel ──────┼────────────────────▶ cancelled
    ///     move └──┘ ├────── no-show ─────┼────────────────────▶ no_show
    ///               │                    │                         ▲
    ///               └─────── start ──────┴─▶ in_progress           │ while the patient
    ///                                          │    └── no-show ───┘ has not been there
    ///                                          └─────── end ───▶ completed
    /// ```
    ///
    /// Cancelled, completed and no_show are final.
    pub enum State {
        /// Booked; somebody has still to confirm it.
        Scheduled = "scheduled",
        /// It will take place.
        Confirmed = "confirmed",
        /// The visit goes on.
        InProgress = "in_progress",
        /// It took place.
        Completed = "completed",
        /// It was called off.
        Cancelled = "cancelled",
        /// The patient did not come.
        NoShow = "no_show",
    }
}

impl State {
    /// Whether it keeps the time of those booked for it.
    pub const fn holds_time(self) -> bool {
        matches!(self, Self::Scheduled | Self::Confirmed | Self::InProgress)
    }

    /// Whether nothing changes it any more.
    pub const fn is_final(self) -> bool {
        !self.holds_time()
    }

    /// Whether it waits for its beginning.
    const fn is_ahead(self) -> bool {
        matches!(self, Self::Scheduled | Self::Confirmed)
    }
}

named! {
    /// Why an appointment does not change so: a stable code.
    pub enum Refusal {
        /// It is too far on, or not far enough.
        StateForbids = "state_forbids",
        /// It would begin in the past.
        InThePast = "in_the_past",
        /// It would begin further ahead than anybody plans.
        TooFarAhead = "too_far_ahead",
        /// It is there already.
        TimeUnchanged = "time_unchanged",
        /// It is not time yet.
        TooEarly = "too_early",
        /// It is too late for that.
        TooLate = "too_late",
        /// The patient was there.
        PatientCame = "patient_came",
    }
}

/// What somebody wants to happen to an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Take place at another time.
    Move {
        /// The new time.
        to: TimeRange,
    },
    /// Take place.
    Confirm,
    /// Not take place.
    Cancel,
    /// Begin.
    Start,
    /// Be over.
    End,
    /// Go down as missed by the patient.
    MarkNoShow {
        /// Whether the patient came in while it was going on.
        patient_came: bool,
    },
}

impl Change {
    /// The change's name in routes, webhooks and the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Move { .. } => "move",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::Start => "start",
            Self::End => "end",
            Self::MarkNoShow { .. } => "mark_no_show",
        }
    }
}

/// An appointment's way: its state, when it is to be, when it really was. Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// How far it is.
    pub state: State,
    /// When it is, or was, to be.
    pub time: TimeRange,
    /// When it began.
    pub started_at_ms: Option<i64>,
    /// When it was over, called off or given up.
    pub ended_at_ms: Option<i64>,
}

impl Course {
    /// Books one. It may begin now: somebody who walks in is booked and started.
    pub fn book(time: TimeRange, now_ms: i64) -> Result<Self, Refusal> {
        check_ahead(time, now_ms)?;
        Ok(Self { state: State::Scheduled, time, started_at_ms: None, ended_at_ms: None })
    }

    /// The appointment after the change, or why it stays as it is.
    pub fn after(self, change: Change, now_ms: i64) -> Result<Self, Refusal> {
        match change {
            Change::Move { to } => self.moved(to, now_ms),
            Change::Confirm => self.confirmed(now_ms),
            Change::Cancel if self.state.is_ahead() => Ok(self.over(State::Cancelled, now_ms)),
            Change::Start => self.started(now_ms),
            Change::End if self.state == State::InProgress => Ok(self.over(State::Completed, now_ms)),
            Change::MarkNoShow { patient_came } => self.missed(patient_came, now_ms),
            Change::Cancel | Change::End => Err(Refusal::StateForbids),
        }
    }

    /// Somebody confirmed the old time, so the new one waits to be confirmed again.
    fn moved(self, to: TimeRange, now_ms: i64) -> Result<Self, Refusal> {
        if !self.state.is_ahead() {
            return Err(Refusal::StateForbids);
        }
        if to == self.time {
            return Err(Refusal::TimeUnchanged);
        }
        check_ahead(to, now_ms)?;
        Ok(Self { state: State::Scheduled, time: to, ..self })
    }

    fn confirmed(self, now_ms: i64) -> Result<Self, Refusal> {
        if self.state != State::Scheduled {
            return Err(Refusal::StateForbids);
        }
        if now_ms >= self.time.ends_at_ms() {
            return Err(Refusal::TooLate);
        }
        Ok(Self { state: State::Confirmed, ..self })
    }

    fn started(self, now_ms: i64) -> Result<Self, Refusal> {
        if !self.state.is_ahead() {
            return Err(Refusal::StateForbids);
        }
        if now_ms < self.time.starts_at_ms().saturating_sub(START_EARLY_MAX.as_millis() as i64) {
            return Err(Refusal::TooEarly);
        }
        if now_ms >= self.time.ends_at_ms().saturating_add(START_LATE_MAX.as_millis() as i64) {
            return Err(Refusal::TooLate);
        }
        Ok(Self { state: State::InProgress, started_at_ms: Some(now_ms), ..self })
    }

    fn missed(self, patient_came: bool, now_ms: i64) -> Result<Self, Refusal> {
        if self.state.is_final() {
            return Err(Refusal::StateForbids);
        }
        if patient_came {
            return Err(Refusal::PatientCame);
        }
        if now_ms < self.time.starts_at_ms().saturating_add(NO_SHOW_AFTER.as_millis() as i64) {
            return Err(Refusal::TooEarly);
        }
        Ok(self.over(State::NoShow, now_ms))
    }

    /// Clocks of two nodes may differ: nothing ends before it began.
    fn over(self, state: State, now_ms: i64) -> Self {
        let ended_at_ms = Some(self.started_at_ms.map_or(now_ms, |started| now_ms.max(started)));
        Self { state, ended_at_ms, ..self }
    }
}

fn check_ahead(time: TimeRange, now_ms: i64) -> Result<(), Refusal> {
    let ahead_ms = time.starts_at_ms().saturating_sub(now_ms);
    if ahead_ms < -(APPOINTMENT_BACKDATED_MAX.as_millis() as i64) {
        return Err(Refusal::InThePast);
    }
    if ahead_ms > APPOINTMENT_AHEAD_MAX.as_millis() as i64 {
        return Err(Refusal::TooFarAhead);
    }
    Ok(())
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
