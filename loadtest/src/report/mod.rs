//! What a run comes to: figures for people, JSON for machines, and whether it was good enough.
//!
//! | file | holds |
//! |---|---|
//! | `checks.rs` | every threshold, passed or failed |
//! | `figures.rs` | times, what the server used, what was refused |
//! | `timeline.rs` | the window second by second |
//! | `undisturbed.rs` | the seconds in which the host took nothing |
//! | `text.rs` | for a terminal |
//! | `page.rs`, `page.css`, `plot.rs` | as a page of HTML that loads nothing |

mod checks;
mod figures;
mod page;
mod plot;
mod text;
mod timeline;
mod undisturbed;

pub use checks::Check;
pub use figures::{Quantiles, Refusals, Server, Step};
pub use timeline::{Drift, Sample, ServerSample};
pub use undisturbed::{Undisturbed, UndisturbedSeconds};

use serde::{Deserialize, Serialize};

use crate::{
    findings::Finding,
    host::Core,
    measure::{Counters, Measure},
    media::Window,
    scenario::Scenario,
    target::JOIN_STEPS,
    usage::Used,
};

/// Above this share of its core the harness itself may be what limits.
const HARNESS_BOUND_PERCENT: f64 = 80.0;

/// One measuring window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Consults that were running.
    pub consults: u32,
    /// People in them.
    pub participants: u32,
    /// Participants that could not join, or were lost later.
    pub lost_participants: u64,
    /// Length of the window, in seconds.
    pub window_s: f64,
    /// Packets a second that clients sent.
    pub sent_per_second: f64,
    /// Packets a second that clients received: what the target forwarded.
    pub received_per_second: f64,
    /// Packets that never came, in percent.
    pub loss_percent: f64,
    /// One-way delay, kernel to kernel.
    pub delay: Quantiles,
    /// The same in the seconds in which the host took nothing, where there were some and others, too.
    #[serde(default)]
    pub undisturbed: Option<Undisturbed>,
    /// How late the harness was with what it sent; in no delay.
    pub harness_lag: Quantiles,
    /// From the first stamp of each batch that the harness sent until the kernel had all of it: the most of a delay that may be
    /// the harness's own.
    #[serde(default)]
    pub harness_handover: Quantiles,
    /// From the first word of signaling until connected.
    pub join: Quantiles,
    /// What that was spent on, one after the other.
    #[serde(default)]
    pub join_steps: Vec<Step>,
    /// From the break of somebody's signaling until they were back by their resume token, where that happened.
    #[serde(default)]
    pub resume: Option<Quantiles>,
    /// What was refused because the target was full.
    #[serde(default)]
    pub refusals: Refusals,
    /// The busiest thread of the harness's media plane, in percent of a core.
    pub harness_percent: f64,
    /// Whether that is so much that the harness may be what limits.
    pub harness_bound: bool,
    /// The server, where `--server-pid` was given.
    pub server: Option<Server>,
    /// Everything that was counted.
    pub counters: Counters,
    /// What was not good enough, in words.
    pub failures: Vec<String>,
    /// Cores that server and harness ran on, and what the host took of them.
    #[serde(default)]
    pub host: Vec<Core>,
    /// How what the server holds changed from the middle of the window to its end.
    #[serde(default)]
    pub drifts: Vec<Drift>,
    /// What has to be said beside the figures.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Packets that never came, or only by retransmission, in percent.
    pub loss_before_repair_percent: f64,
    /// Packets that came behind later ones of their stream, in percent.
    pub out_of_order_percent: f64,
    /// From the first word of signaling to the first whole picture of somebody.
    pub first_frame: Quantiles,
    /// Delay between those who were there before the window began, where others came.
    pub established_delay: Option<Quantiles>,
    /// Freezes of a picture in a minute that somebody watches it.
    pub freezes_per_minute: f64,
    /// Consults that would fill a core at this cost, if it stayed the same; None without the server's process.
    pub consults_per_core: Option<f64>,
    /// From the cut of connections until everybody was back, or until the end.
    pub recovery_s: Option<f64>,
    /// Whether everybody was back.
    pub is_recovered: bool,
    /// Every threshold.
    pub checks: Vec<Check>,
    /// Examples of packets that something was wrong with.
    pub findings: Vec<Finding>,
    /// When it ended, in seconds since 1970.
    pub at_s: u64,
    /// The scenario, with what the command line changed.
    pub scenario: Scenario,
    /// The window second by second.
    pub timeline: Vec<Sample>,
}

/// What a report is made of.
pub struct Gathered<'a> {
    /// Consults that were running.
    pub consults: u32,
    /// People in them.
    pub participants: u32,
    /// Participants that could not join, or were lost.
    pub lost_participants: u64,
    /// Every thread's window.
    pub windows: Vec<Window>,
    /// Times of joins, in milliseconds.
    pub join_ms: &'a [f64],
    /// What each of them was spent on, where that is known.
    pub join_steps_ms: &'a [[f64; JOIN_STEPS.len()]],
    /// How long those took who came back, in milliseconds.
    pub resume_ms: &'a [f64],
    /// What was refused.
    pub refusals: Refusals,
    /// What the server used in the window.
    pub used: Option<Used>,
    /// What the host took in the window.
    pub host: Vec<Core>,
    /// Second by second.
    pub timeline: Vec<Sample>,
    /// Of them those in which the host took nothing.
    pub undisturbed: Option<Undisturbed>,
    /// From the cut of connections until everybody was back, or until the end.
    pub recovery_s: Option<f64>,
    /// Whether everybody was back.
    pub is_recovered: bool,
    /// Whether it was ended before its time.
    pub stopped: bool,
    /// Whether the cores were kept from halting.
    pub kept_awake: bool,
    /// When it ended, in seconds since 1970.
    pub at_s: u64,
}

impl Report {
    /// Draws the sum.
    pub fn new(gathered: Gathered<'_>, scenario: &Scenario) -> Self {
        let mut sum = Measure::new();
        gathered.windows.iter().for_each(|window| sum.add(&window.measure));
        let wall_ns = gathered.windows.iter().map(|window| window.wall_ns).max().unwrap_or(0).max(1) as f64;
        let harness_percent = timeline::busiest_percent(&gathered.windows);
        let c = sum.counters.clone();
        let total = (c.received + c.lost).max(1) as f64;
        let percent = |count: u64| count as f64 / total * 100.0;
        let server = gathered.used.map(|used| Server::new(&used, &c, gathered.participants));
        let watched_s = c.frames as f64 / scenario.media.video_frames_per_second.max(0.1);
        let comes_or_goes = scenario.storm.is_some() || scenario.churn.is_some();
        let consults = f64::from(gathered.consults);
        let mut report = Self {
            consults: gathered.consults,
            participants: gathered.participants,
            lost_participants: gathered.lost_participants + c.consent_lost,
            window_s: wall_ns / 1e9,
            sent_per_second: c.sent as f64 / wall_ns * 1e9,
            received_per_second: c.received as f64 / wall_ns * 1e9,
            loss_percent: percent(c.lost),
            delay: Quantiles::of(&sum.delay_ns),
            undisturbed: gathered.undisturbed,
            harness_lag: Quantiles::of(&sum.lag_ns),
            harness_handover: Quantiles::of(&sum.handover_ns),
            join: Quantiles::of_list(gathered.join_ms),
            join_steps: Step::of_joins(gathered.join_steps_ms),
            resume: (!gathered.resume_ms.is_empty()).then(|| Quantiles::of_list(gathered.resume_ms)),
            refusals: gathered.refusals,
            harness_percent,
            harness_bound: harness_percent > HARNESS_BOUND_PERCENT,
            consults_per_core: server.as_ref().map(|server| consults / server.cpu_percent.max(0.01) * 100.0),
            server,
            loss_before_repair_percent: percent(c.lost + c.repaired.saturating_sub(c.late_after_repair)),
            out_of_order_percent: percent(c.delayed + c.reordered),
            first_frame: Quantiles::of(&sum.first_frame_ns),
            established_delay: comes_or_goes.then(|| Quantiles::of(&sum.established_ns)),
            freezes_per_minute: c.freezes as f64 / (watched_s / 60.0).max(f64::MIN_POSITIVE),
            recovery_s: gathered.recovery_s,
            is_recovered: gathered.is_recovered,
            checks: Vec::new(),
            failures: Vec::new(),
            notes: gathered
                .host
                .iter()
                .filter_map(Core::note)
                .chain(unnoted(&c))
                .chain(gathered.kept_awake.then(|| KEPT_AWAKE.to_owned()))
                .chain(gathered.stopped.then(|| cut_short(wall_ns / 1e9, scenario)))
                .collect(),
            host: gathered.host,
            drifts: Drift::all(&gathered.timeline),
            counters: c,
            findings: sum.findings.list(),
            at_s: gathered.at_s,
            scenario: scenario.clone(),
            timeline: gathered.timeline,
        };
        report.checks = checks::checks(&report, &scenario.thresholds);
        let failed = report.checks.iter().filter(|check| !check.passed);
        report.failures = failed.map(|check| check.said.clone()).collect();
        report
    }

    /// Whether it was good enough.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty()
    }
}

/// What has to be said where nothing let the cores halt.
const KEPT_AWAKE: &str = "the cores were kept from halting (--keep-awake)";

/// What has to be said where arrivals were not noted by the kernel.
fn unnoted(counters: &Counters) -> Option<String> {
    let count = counters.unnoted;
    (count > 0).then(|| {
        format!("of {count} datagrams the kernel did not note the arrival, or the clock was set: their delays end when they were read")
    })
}

/// What has to be said of a run that somebody ended.
fn cut_short(window_s: f64, scenario: &Scenario) -> String {
    format!(
        "ended by hand after {window_s:.0} s of {:.0} s: it shows nothing about the rest",
        scenario.run.measure_s
    )
}

#[cfg(test)]
pub(crate) mod tests;
