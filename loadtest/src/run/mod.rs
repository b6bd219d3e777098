//! A run: consults join at a rate, everything settles, a window is measured. And the ramp: one such window after another.
//!
//! | file | holds |
//! |---|---|
//! | `joins.rs` | who is up, who joins, who has to come again |
//! | `window.rs` | the window: what happens in it, and a sample each second |

mod joins;
mod window;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use joins::Joins;

use crate::{
    media::{MediaOptions, MediaPlane, NoMediaPlane, SocketMode},
    progress::Progress,
    report::Report,
    scenario::Scenario,
    target::Target,
    usage,
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
    /// Run by `sh -c` where a scenario restarts the server.
    pub restart_command: Option<String>,
    /// Whether cores are kept from halting in the window.
    pub keep_awake: bool,
    /// Whether progress is told on standard error.
    pub progress: bool,
    /// Ends the run early, with a report of what there was.
    pub stop: Stop,
}

/// Asks a run to come to its end, from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The run ends within a second or two.
    pub fn ask(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_asked(&self) -> bool {
        self.0.load(Relaxed)
    }
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
    /// The cores cannot be kept from halting.
    #[error("keeping the cores awake: {0}")]
    Awake(io::Error),
    /// The scenario restarts the server and nobody said how.
    #[error("the scenario restarts the server: --restart-command has to say how")]
    NoRestartCommand,
}

/// Consults that are up, and what is measured on them.
struct Stage<'a> {
    scenario: &'a Scenario,
    options: &'a RunOptions,
    media: MediaPlane,
    joins: Joins<'a>,
    progress: Progress,
}

/// Runs a scenario once.
pub async fn run(scenario: &Scenario, target: &Target, options: &RunOptions) -> Result<Report, RunError> {
    let restarts = scenario.cut.as_ref().is_some_and(|cut| cut.restarts_server);
    if restarts && options.restart_command.is_none() {
        return Err(RunError::NoRestartCommand);
    }
    let mut stage = Stage::set(scenario, target, options, scenario.consults_max())?;
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
        if failed >= FAILED_STEPS_MAX || wanted >= most || options.stop.is_asked() {
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
            later: scenario.later_profile(),
            participants_max: consults_max as usize * scenario.consults.participants as usize,
            network: scenario.network,
            consult_size: scenario.consults.participants,
            poll: Duration::from_micros(scenario.run.poll_us.into()),
        })?;
        // The media threads have begun by now: only signaling and sampling are to wait. A server that is begun from here
        // would have to, too.
        if options.restart_command.is_none() {
            usage::step_back();
        }
        let run = &scenario.run;
        let target = target.clone().with_signaling(run.signaling, run.streams_per_connection);
        let joins = Joins::new(scenario, target, media.clone());
        Ok(Self { scenario, options, media, joins, progress: Progress::new(options.progress) })
    }

    /// Begins consults at the scenario's rate until so many have been tried.
    async fn join_until(&mut self, wanted: u32) {
        let more = wanted.saturating_sub(self.joins.wanted());
        let rate = self.scenario.run.consults_per_second;
        self.joins.want(more, Duration::from_secs_f64(f64::from(more) / rate));
        while self.joins.is_busy() && !self.options.stop.is_asked() {
            self.joins.pass(Instant::now() + Duration::from_millis(200)).await;
            self.progress.joining(self.joins.up(), wanted);
        }
    }
}
