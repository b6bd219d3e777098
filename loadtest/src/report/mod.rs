//! What a run comes to: figures for people, JSON for machines, and whether it was good enough.
//!
//! | file | holds |
//! |---|---|
//! | `checks.rs` | every threshold, passed or failed |
//! | `timeline.rs` | the window second by second |
//! | `undisturbed.rs` | the seconds in which the host took nothing |
//! | `text.rs` | for a terminal |
//! | `page.rs`, `page.css`, `plot.rs` | as a page of HTML that loads nothing |

mod checks;
mod page;
mod plot;
mod text;
mod timeline;
mod undisturbed;

pub use checks::Check;
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

/// What the server used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// Processor time, user and system, in percent of a core.
    pub cpu_percent: f64,
    /// Processor time for each packet that clients received, in microseconds.
    pub us_per_packet: f64,
    /// Resident memory at the end, in bytes.
    pub resident_bytes: u64,
    /// The same for each participant, what an empty server needs included.
    pub resident_bytes_per_participant: f64,
    /// Open descriptors at the end.
    pub descriptors: u64,
    /// Threads at the end.
    pub threads: u64,
    /// Descriptors and threads more than when the window began.
    pub growth: i64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half is below.
    pub p50_ms: f64,
    /// 99 % is below.
    pub p99_ms: f64,
    /// 99.9 % is below.
    pub p999_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

impl Quantiles {
    fn of(histogram: &hdrhistogram::Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        Self { p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: histogram.max() as f64 / 1e6 }
    }

    fn of_list(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            let place = (quantile * values.len() as f64) as usize;
            values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        Self { p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: at(1.0) }
    }
}

/// What was refused because the target was full, since the run began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// Joins, each try counted.
    pub joins: u64,
    /// Of them those that were tried again after a pause.
    pub tried_again: u64,
    /// Participants who never came in; they are not among those who were lost.
    pub participants: u64,
}

/// A part of something that takes time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// What is waited for.
    pub name: String,
    /// How long.
    pub times: Quantiles,
}

impl Step {
    fn of_joins(steps_ms: &[[f64; JOIN_STEPS.len()]]) -> Vec<Self> {
        let step = |(place, name): (usize, &&str)| {
            let times: Vec<f64> = steps_ms.iter().filter_map(|steps| steps.get(place).copied()).collect();
            Self { name: (*name).to_owned(), times: Quantiles::of_list(&times) }
        };
        if steps_ms.is_empty() { Vec::new() } else { JOIN_STEPS.iter().enumerate().map(step).collect() }
    }
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

impl Server {
    fn new(used: &Used, counters: &Counters, participants: u32) -> Self {
        Self {
            cpu_percent: used.cpu_ns as f64 / used.wall_ns.max(1) as f64 * 100.0,
            us_per_packet: used.cpu_ns as f64 / 1e3 / counters.received.max(1) as f64,
            resident_bytes: used.resident_bytes,
            resident_bytes_per_participant: used.resident_bytes as f64 / f64::from(participants.max(1)),
            descriptors: used.descriptors,
            threads: used.threads,
            growth: used.growth,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::findings::Fault;

    /// A report of 60 s in which 5 packets of 9,000 each second went to the wrong person.
    pub(crate) fn sample_report() -> Report {
        let text = "[consults]\ncount = 30\nparticipants = 3\n";
        let scenario = Scenario::parse(text).expect("a scenario");
        let window = |packets: u64| {
            let mut measure = Measure::new();
            measure.counters.received = packets;
            measure.counters.sent = packets / 2;
            measure.counters.frames = packets / 4;
            measure.counters.misrouted = packets / 1_800;
            (1..=packets.min(9_000)).for_each(|at| measure.delay((0, 1), 0, at * 1_000));
            let finding = Finding {
                fault: Fault::Misrouted,
                at_s: 1.0,
                receiver: 7,
                track: crate::plan::Kind::Audio,
                sender: Some(1),
                sequence: Some(70),
                late_ms: None,
            };
            measure.findings.note(finding);
            let seconds = packets / 9_000;
            Window { measure, wall_ns: seconds * 1_000_000_000, cpu_ns: seconds * 300_000_000 }
        };
        let used = |seconds: u64| Used {
            wall_ns: seconds * 1_000_000_000,
            cpu_ns: seconds * 45_000_000,
            resident_bytes: 40 << 20,
            descriptors: 120,
            sockets: 100,
            threads: 5,
            growth: 0,
        };
        let sample = |at: u64| Sample::new(Duration::from_secs(at), &[window(9_000)], 30, Some(used(1)));
        let gathered = Gathered {
            consults: 30,
            participants: 90,
            lost_participants: 0,
            windows: vec![window(540_000)],
            join_ms: &[20.0, 30.0, 40.0],
            resume_ms: &[10.0, 20.0],
            refusals: Refusals { joins: 5, tried_again: 4, participants: 3 },
            join_steps_ms: &[
                [0.0, 1.0, 2.0, 3.0, 4.0, 10.0],
                [0.0, 1.0, 2.0, 3.0, 4.0, 20.0],
                [0.0, 1.0, 2.0, 3.0, 4.0, 30.0],
            ],
            used: Some(used(60)),
            host: vec![Core {
                core: 3,
                harness: false,
                server: true,
                stolen_percent: 7.0,
                stolen_second_percent: 30.0,
            }],
            timeline: (1..=60).map(sample).collect(),
            undisturbed: None,
            recovery_s: None,
            is_recovered: true,
            stopped: false,
            at_s: 1_795_330_800,
        };
        Report::new(gathered, &scenario)
    }

    #[test]
    fn every_failure_is_a_threshold_that_failed() {
        let report = sample_report();
        assert!(!report.is_good());
        let failed: Vec<&str> = report.checks.iter().filter(|c| !c.passed).map(|c| c.name.as_str()).collect();
        assert_eq!(failed, ["packets misrouted", "participants refused"]);
        assert_eq!(report.failures, ["300 packets misrouted", "3 participants refused"]);
        assert!(
            report.to_string().contains("refused        5 joins, 4 tried again, 3 participants for good"),
            "{report}"
        );
        assert!(report.to_string().contains("resume         p50 20.000"), "{report}");
        let text = report.to_string();
        assert!(text.contains("misrouted: at participant 7, sound of participant 1, packet 70"), "{text}");
        let steps =
            "of it p50/p99 refused 0/0, WebSocket 1/1, welcome 2/2, answer 3/3, ICE 4/4, DTLS 20/30 ms";
        assert!(text.contains(steps), "{text}");
        assert!(
            text.contains("note           the host took 7.0 % of core 3 (server) during the window"),
            "{text}"
        );
    }

    #[test]
    fn a_report_comes_back_from_json() {
        let report = sample_report();
        let json = serde_json::to_string(&report).expect("JSON");
        let read: Report = serde_json::from_str(&json).expect("a report");
        assert_eq!((read.counters, read.timeline.len()), (report.counters, 60));
        let server = read.server.expect("a server");
        assert!((server.us_per_packet - 5.0).abs() < 0.01, "{server:?}");
    }
}
