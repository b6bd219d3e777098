//! A run: consults join at a rate, everything settles, a window is measured. And the ramp: one such window after another.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    media::{MediaOptions, MediaPlane, NoMediaPlane, SocketMode},
    report::{Findings, Report},
    scenario::Scenario,
    target::{RunningConsult, Target},
    usage::{self, Threads},
};

/// Steps of a ramp that may fail in a row before it ends: one may be somebody else's noise.
const FAILED_STEPS_MAX: u32 = 2;

/// What besides the scenario a run needs.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Cores of the harness; a media thread on each.
    pub cores: Vec<usize>,
    /// The server's process, to be measured.
    pub server_pid: Option<u32>,
    /// Whether progress is told on standard error.
    pub progress: bool,
}

/// Why a run did not come to a report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Threads or sockets.
    #[error(transparent)]
    Media(#[from] NoMediaPlane),
    /// The server's process cannot be looked at.
    #[error("the server's process: {0}")]
    ServerPid(io::Error),
}

/// Consults that are up.
struct Stage<'a> {
    scenario: &'a Scenario,
    target: &'a Target,
    options: &'a RunOptions,
    media: MediaPlane,
    running: Vec<RunningConsult>,
    tried: u32,
    lost: u64,
    join_ms: Vec<f64>,
}

/// Runs a scenario once.
pub async fn run(scenario: &Scenario, target: &Target, options: &RunOptions) -> Result<Report, RunError> {
    let mut stage = Stage::set(scenario, target, options, scenario.consults.count)?;
    stage.join_until(scenario.consults.count).await;
    stage.measure().await
}

/// Adds consults step by step until one is not good enough; the reports of all steps, and how many consults were good.
pub async fn ramp(
    scenario: &Scenario,
    target: &Target,
    options: &RunOptions,
    mut told: impl FnMut(&Report),
) -> Result<(Vec<Report>, u32), RunError> {
    let most = scenario.ramp.consults_max;
    let mut stage = Stage::set(scenario, target, options, most)?;
    let (mut reports, mut good, mut failed) = (Vec::new(), 0, 0);
    let mut wanted = scenario.consults.count.min(most);
    loop {
        stage.join_until(wanted).await;
        let report = stage.measure().await?;
        told(&report);
        if report.is_good() {
            (good, failed) = (wanted, 0);
        } else {
            failed += 1;
        }
        reports.push(report);
        if failed >= FAILED_STEPS_MAX || wanted >= most {
            return Ok((reports, good));
        }
        // A step that failed is tried again before more is added.
        if failed == 0 {
            wanted = (wanted + scenario.ramp.step).min(most);
        }
    }
}

impl<'a> Stage<'a> {
    fn set(
        scenario: &'a Scenario,
        target: &'a Target,
        options: &'a RunOptions,
        consults_max: u32,
    ) -> Result<Self, RunError> {
        let sockets = if target.is_on_loopback() { scenario.run.sockets } else { SocketMode::Own };
        let media = MediaPlane::start_threads(&MediaOptions {
            cores: options.cores.clone(),
            sockets,
            gro: scenario.run.gro,
            profile: scenario.profile(),
            participants_max: consults_max as usize * scenario.consults.participants as usize,
        })?;
        let (running, join_ms) = (Vec::new(), Vec::new());
        Ok(Self { scenario, target, options, media, running, tried: 0, lost: 0, join_ms })
    }

    /// Begins consults at the scenario's rate until so many have been tried.
    async fn join_until(&mut self, wanted: u32) {
        let begin = Instant::now();
        let already = self.tried;
        let every = Duration::from_secs_f64(1.0 / self.scenario.run.consults_per_second);
        let mut joining = JoinSet::new();
        while self.tried < wanted || !joining.is_empty() {
            let may_begin = self.tried < wanted && joining.len() < self.scenario.run.joining_max as usize;
            let due = (every * (self.tried - already)).saturating_sub(begin.elapsed());
            tokio::select! {
                () = sleep(due), if may_begin => {
                    let (target, media) = (self.target.clone(), self.media.clone());
                    let consult = self.scenario.consult(self.tried);
                    joining.spawn_local(async move { target.join(&consult, &media).await });
                    self.tried += 1;
                }
                Some(joined) = joining.join_next() => match joined {
                    Ok(Ok(consult)) => {
                        self.join_ms.extend(&consult.join_ms);
                        self.running.push(consult);
                        self.progress(&format!("{} of {wanted} consults are up", self.running.len()));
                    }
                    Ok(Err(error)) => self.could_not_join(&error),
                    Err(error) => self.could_not_join(&error),
                }
            }
        }
    }

    fn could_not_join(&mut self, error: &dyn std::fmt::Display) {
        self.lost += u64::from(self.scenario.consults.participants);
        eprintln!("\na consult did not come up: {error}");
    }

    async fn measure(&mut self) -> Result<Report, RunError> {
        sleep(Duration::from_secs_f64(self.scenario.run.warm_up_s)).await;
        let server = |pid: &u32| Threads::of(*pid).map_err(RunError::ServerPid);
        self.media.begin_window();
        let before = self.options.server_pid.as_ref().map(server).transpose()?;
        let begin = Instant::now();
        let length = Duration::from_secs_f64(self.scenario.run.measure_s);
        while let Some(rest) = length.checked_sub(begin.elapsed()).filter(|rest| !rest.is_zero()) {
            sleep(rest.min(Duration::from_secs(1))).await;
            let counters = self.media.peek().await;
            self.progress(&format!(
                "{:3.0} s: {} packets sent, {} received, {} missing so far",
                begin.elapsed().as_secs_f64(),
                counters.sent,
                counters.received,
                counters.gaps.saturating_sub(counters.repaired + counters.reordered),
            ));
        }
        let after = self.options.server_pid.as_ref().map(server).transpose()?;
        let windows = self.media.end_window().await;
        self.count_lost();
        self.progress("");
        let server = match (before, after, self.options.server_pid) {
            (Some(before), Some(after), Some(pid)) => {
                Some((after.since(&before), usage::resident_bytes(pid).map_err(RunError::ServerPid)?))
            }
            _ => None,
        };
        let consults = self.running.len() as u32;
        let findings = Findings {
            consults,
            participants: consults * self.scenario.consults.participants,
            lost_participants: self.lost,
            windows,
            join_ms: &self.join_ms,
            server,
        };
        Ok(Report::new(findings, &self.scenario.thresholds))
    }

    /// A signaling task that ended by itself is somebody who was lost.
    fn count_lost(&mut self) {
        for consult in &mut self.running {
            while consult.tasks.try_join_next().is_some() {
                self.lost += 1;
            }
        }
    }

    fn progress(&self, text: &str) {
        if self.options.progress {
            eprint!("\r\x1b[K{text}");
        }
    }
}
