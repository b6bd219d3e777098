//! The measuring window: what the scenario has happen in it, and a sample of everything each second.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::time::sleep_until;

use super::{RunError, Stage};
use crate::{
    awake::Awake,
    host::Watch,
    report::{Gathered, Refusals, Report, Sample, UndisturbedSeconds},
    scenario::Cut,
    target::Tally,
    usage::Usage,
};

/// From one sample to the next.
const SAMPLE: Duration = Duration::from_secs(1);
/// Samples that are kept: of a longer window only every second one, every fourth, and so on.
const SAMPLES_MAX: usize = 600;

/// What happens in a window, and when.
#[derive(Debug, Clone, Copy, Default)]
struct Due {
    storm: Option<Instant>,
    cut: Option<Instant>,
    churn: Option<Instant>,
    /// When connections were cut, and when everybody was back.
    was_cut: Option<Instant>,
    recovered: Option<Duration>,
}

impl Stage<'_> {
    pub(super) async fn measure(&mut self) -> Result<Report, RunError> {
        let run = &self.scenario.run;
        let settled = Instant::now() + Duration::from_secs_f64(run.warm_up_s);
        sleep_until(settled.into()).await;
        self.media.begin_window(self.joins.participants_tried());
        let first = self.usage()?;
        let mut host = Watch::begin(self.options.server_pid);
        let cores = host.cores().filter(|_| self.options.keep_awake);
        let awake = Awake::begin(cores).map_err(RunError::Awake)?;
        let begin = Instant::now();
        let end = begin + Duration::from_secs_f64(run.measure_s);
        let mut due = self.plan(begin);
        let (mut samples, mut before) = (Samples::default(), first.clone());
        let mut undisturbed = UndisturbedSeconds::default();
        let mut next = begin + SAMPLE;
        loop {
            let until = next.min(end).min(due.churn.unwrap_or(end));
            self.joins.pass(until).await;
            sleep_until(until.into()).await;
            self.happen(&mut due);
            if until < next.min(end) {
                continue;
            }
            let now = self.usage()?;
            let windows = self.media.peek().await;
            let stolen = host.second();
            let sample = Sample::new(begin.elapsed(), &windows, self.joins.up(), now.since(&before));
            let tasks_alive =
                if self.watches_tasks() { self.joins.target().tasks_alive().await } else { None };
            let sample = Sample { stolen_percent: stolen, tasks_alive, ..sample };
            let server_percent = sample.server.as_ref().map_or(0.0, |server| server.cpu_percent);
            undisturbed.note(&windows, server_percent, stolen);
            self.progress.measuring(&sample, begin.elapsed().as_secs_f64() / run.measure_s);
            samples.push(sample);
            before = now;
            if until == end || self.options.stop.is_asked() {
                break;
            }
            next += SAMPLE;
        }
        self.joins.count_lost();
        let windows = self.media.end_window().await;
        drop(awake);
        self.progress.done();
        let last = self.usage()?;
        let used = last.since(&first);
        let gathered = Gathered {
            windows,
            undisturbed: undisturbed.sum().filter(|quiet| (quiet.seconds as usize) < samples.seen),
            timeline: samples.kept,
            used,
            host: host.end(),
            ..self.gathered(due)
        };
        Ok(Report::new(gathered, self.scenario))
    }

    /// Who came, and what became of them.
    fn gathered(&self, due: Due) -> Gathered<'_> {
        let consults = self.joins.up();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Gathered {
            consults,
            participants: consults * self.scenario.consults.participants,
            lost_participants: self.joins.lost(),
            windows: Vec::new(),
            join_ms: self.joins.join_ms(),
            join_steps_ms: self.joins.join_steps_ms(),
            resume_ms: self.joins.resume_ms(),
            refusals: self.refusals(),
            used: None,
            host: Vec::new(),
            timeline: Vec::new(),
            undisturbed: None,
            recovery_s: due.was_cut.map(|at| due.recovered.unwrap_or(at.elapsed()).as_secs_f64()),
            is_recovered: due.was_cut.is_none() || due.recovered.is_some(),
            stopped: self.options.stop.is_asked(),
            kept_awake: self.options.keep_awake,
            at_s: since_1970.as_secs(),
        }
    }

    fn refusals(&self) -> Refusals {
        let read = |of: fn(&Tally) -> &AtomicU64| {
            self.joins.target().tally().map_or(0, |tally| of(tally).load(Relaxed))
        };
        Refusals {
            joins: read(|tally| &tally.refused),
            tried_again: read(|tally| &tally.tried_again),
            participants: self.joins.refused(),
        }
    }

    /// What the server has used so far; nothing where nobody says which process it is.
    fn usage(&self) -> Result<Usage, RunError> {
        let Some(pid) = self.options.server_pid else { return Ok(Usage::default()) };
        match Usage::of(pid, self.scenario.thresholds.socket_drift.is_some()) {
            // A server that is restarted is another process.
            Err(_) if self.scenario.cut.is_some() => Ok(Usage::default()),
            read => read.map_err(RunError::ServerPid),
        }
    }

    /// A page of metrics costs a full node some milliseconds: only those who look for leaks ask for it.
    fn watches_tasks(&self) -> bool {
        self.scenario.thresholds.task_drift.is_some()
    }

    fn plan(&self, begin: Instant) -> Due {
        let at = |after_s: f64| begin + Duration::from_secs_f64(after_s);
        Due {
            storm: self.scenario.storm.as_ref().map(|storm| at(storm.after_s)),
            cut: self.scenario.cut.as_ref().map(|cut| at(cut.after_s)),
            churn: self.scenario.churn.as_ref().map(|churn| at(60.0 / churn.consults_per_minute)),
            ..Due::default()
        }
    }

    /// Does what is due.
    fn happen(&mut self, due: &mut Due) {
        let now = Instant::now();
        if let Some(storm) = self.scenario.storm.as_ref().filter(|_| due.storm.is_some_and(|at| at <= now)) {
            due.storm = None;
            self.joins.want(storm.consults, Duration::from_secs_f64(storm.over_s));
        }
        if let Some(churn) = &self.scenario.churn {
            while let Some(at) = due.churn.filter(|at| *at <= now) {
                due.churn = Some(at + Duration::from_secs_f64(60.0 / churn.consults_per_minute));
                let ended = self.joins.end(1);
                // Those whom a full server refused for good are replaced, too.
                self.joins.want(ended.max(self.joins.missing()), Duration::ZERO);
            }
        }
        if let Some(cut) = self.scenario.cut.as_ref().filter(|_| due.cut.is_some_and(|at| at <= now)) {
            (due.cut, due.was_cut) = (None, Some(now));
            self.cut(cut);
        }
        if let Some(was_cut) = due.was_cut {
            self.joins.take_comebacks();
            self.joins.count_lost();
            let is_back = !self.joins.is_busy() && now > was_cut + SAMPLE;
            let took = self.joins.newest_up().map(|up| up.saturating_duration_since(was_cut));
            due.recovered = due.recovered.or(took.filter(|_| is_back));
        }
    }

    fn cut(&mut self, cut: &Cut) {
        self.joins.come_back();
        if !cut.restarts_server {
            self.joins.cut((f64::from(self.joins.up()) * cut.percent / 100.0).ceil() as u32);
        } else if let Some(command) = &self.options.restart_command
            && let Err(error) = std::process::Command::new("sh").args(["-c", command]).spawn()
        {
            eprintln!("the server was not restarted: {error}");
        }
    }
}

/// Samples, thinned out when there are too many.
#[derive(Debug, Default)]
struct Samples {
    kept: Vec<Sample>,
    seen: usize,
    every: usize,
}

impl Samples {
    fn push(&mut self, sample: Sample) {
        let every = self.every.max(1);
        if self.seen.is_multiple_of(every) {
            self.kept.push(sample);
        }
        self.seen += 1;
        if self.kept.len() >= SAMPLES_MAX {
            let mut place = 0;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.every = 2 * every;
        }
    }
}
