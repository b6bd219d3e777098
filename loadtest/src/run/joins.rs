//! Who is up, who is joining, and who has to come again.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep_until};

use crate::{
    media::MediaPlane,
    scenario::Scenario,
    target::{JOIN_STEPS, RunningConsult, Target, TargetError},
};

/// Between two attempts of a consult that has to come back.
const AGAIN: Duration = Duration::from_millis(500);

/// Consults on their way in and those that are there.
pub(super) struct Joins<'a> {
    scenario: &'a Scenario,
    target: Target,
    media: MediaPlane,
    joining: JoinSet<Result<RunningConsult, TargetError>>,
    running: VecDeque<RunningConsult>,
    /// When each further consult begins, soonest first.
    due: VecDeque<Instant>,
    wanted: u32,
    tried: u32,
    lost: u64,
    refused: u64,
    resume_ms: Vec<f64>,
    join_ms: Vec<f64>,
    join_steps_ms: Vec<[f64; JOIN_STEPS.len()]>,
    newest_up: Option<Instant>,
    /// Whether those who are lost come back.
    comes_back: bool,
    errors_told: u32,
}

/// Errors that are told one by one.
const ERRORS_TOLD_MAX: u32 = 10;

impl<'a> Joins<'a> {
    pub(super) fn new(scenario: &'a Scenario, target: Target, media: MediaPlane) -> Self {
        Self {
            scenario,
            target,
            media,
            joining: JoinSet::new(),
            running: VecDeque::new(),
            due: VecDeque::new(),
            wanted: 0,
            tried: 0,
            lost: 0,
            refused: 0,
            resume_ms: Vec::new(),
            join_ms: Vec::new(),
            join_steps_ms: Vec::new(),
            newest_up: None,
            comes_back: false,
            errors_told: 0,
        }
    }

    /// What load is put on.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Has so many more consults begin, spread evenly over this time.
    pub(super) fn want(&mut self, more: u32, over: Duration) {
        let now = Instant::now();
        self.wanted += more;
        self.due.extend((0..more).map(|number| now + over * number / more.max(1)));
        self.due.make_contiguous().sort_unstable();
    }

    /// How many more have to come until as many run as the scenario wants at one time, as long as there is room for them.
    pub(super) fn missing(&self) -> u32 {
        let coming = self.up() + self.joining.len() as u32 + self.due.len() as u32;
        let room = self.scenario.consults_max().saturating_sub(self.wanted);
        self.scenario.consults.count.saturating_sub(coming).min(room)
    }

    /// Consults that were wanted so far.
    pub(super) fn wanted(&self) -> u32 {
        self.wanted
    }

    /// Consults that are up.
    pub(super) fn up(&self) -> u32 {
        self.running.len() as u32
    }

    /// Participants that could not join or were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Participants who could not join because the target was full, and stayed so.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// How long everybody took who came back after their signaling had broken, in milliseconds.
    pub(super) fn resume_ms(&self) -> &[f64] {
        &self.resume_ms
    }

    /// People that began to join so far.
    pub(super) fn participants_tried(&self) -> u32 {
        self.tried * self.scenario.consults.participants
    }

    /// Times of all joins, in milliseconds.
    pub(super) fn join_ms(&self) -> &[f64] {
        &self.join_ms
    }

    /// What each of them was spent on.
    pub(super) fn join_steps_ms(&self) -> &[[f64; JOIN_STEPS.len()]] {
        &self.join_steps_ms
    }

    /// When the newest consult was up.
    pub(super) fn newest_up(&self) -> Option<Instant> {
        self.newest_up
    }

    /// Whether somebody is joining or about to.
    pub(super) fn is_busy(&self) -> bool {
        !self.due.is_empty()
            || !self.joining.is_empty()
            || self.running.iter().any(|consult| consult.awaited > 0)
    }

    /// Begins and finishes joins until this moment, or until none is left.
    pub(super) async fn pass(&mut self, until: Instant) {
        while self.is_busy() && Instant::now() < until {
            let has_room = self.joining.len() < self.scenario.run.joining_max as usize;
            let due = self.due.front().copied().filter(|_| has_room).unwrap_or(until).min(until);
            tokio::select! {
                Some(joined) = self.joining.join_next() => match joined {
                    Ok(Ok(consult)) => {
                        self.join_ms.extend(&consult.join_ms);
                        self.join_steps_ms.extend(&consult.join_steps_ms);
                        self.running.push_back(consult);
                        self.newest_up = Some(Instant::now());
                    }
                    Ok(Err(error)) => self.could_not_join(&error),
                    Err(error) => self.could_not_join(&TargetError::Refused { what: "a join", said: error.to_string() }),
                },
                () = sleep_until(due.into()) => self.begin(has_room),
            }
        }
    }

    fn begin(&mut self, has_room: bool) {
        if !has_room || self.due.front().is_none_or(|due| *due > Instant::now()) {
            return;
        }
        self.due.pop_front();
        let (target, media) = (self.target.clone(), self.media.clone());
        let consult = self.scenario.consult(self.tried);
        self.joining.spawn_local(async move { target.join(&consult, &media).await });
        self.tried += 1;
    }

    fn could_not_join(&mut self, error: &TargetError) {
        if self.comes_back {
            self.due.push_back(Instant::now() + AGAIN);
            return;
        }
        let participants = u64::from(self.scenario.consults.participants);
        match error {
            TargetError::Full => self.refused += participants,
            _ => self.lost += participants,
        }
        self.errors_told += 1;
        if self.errors_told <= ERRORS_TOLD_MAX {
            eprintln!("\na consult did not come up: {error}");
        }
    }

    /// Ends the oldest consults, as far as there are so many; how many that were.
    pub(super) fn end(&mut self, consults: u32) -> u32 {
        let ended = consults.min(self.up());
        self.running.drain(..ended as usize);
        ended
    }

    /// From now on who is lost comes back.
    pub(super) fn come_back(&mut self) {
        self.comes_back = true;
    }

    /// Breaks the connections of so many consults without a goodbye. Everybody comes back by themselves, or, where the
    /// adapter cannot, as many consults begin anew at once.
    pub(super) fn cut(&mut self, consults: u32) {
        for _ in 0..consults.min(self.up()) {
            let Some(mut consult) = self.running.pop_front() else { return };
            if consult.break_signaling() {
                self.running.push_back(consult);
                continue;
            }
            consult.cut();
            self.want(1, Duration::ZERO);
        }
    }

    /// Notes who has come back.
    pub(super) fn take_comebacks(&mut self) {
        for comeback in self.running.iter_mut().flat_map(RunningConsult::take_comebacks) {
            self.resume_ms.push(comeback.took.as_secs_f64() * 1e3);
            self.newest_up = self.newest_up.max(Some(comeback.at));
        }
    }

    /// A signaling task that ended by itself is somebody who was lost. Their consult begins again where they come back.
    pub(super) fn count_lost(&mut self) {
        let mut left = VecDeque::with_capacity(self.running.len());
        for mut consult in std::mem::take(&mut self.running) {
            let mut gone = 0;
            while consult.tasks.try_join_next().is_some() {
                gone += 1;
            }
            if gone > 0 && self.comes_back {
                self.want(1, Duration::ZERO);
                continue;
            }
            self.lost += gone;
            left.push_back(consult);
        }
        self.running = left;
    }
}
