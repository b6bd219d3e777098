//! A window, second by second.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Quantiles;
use crate::{measure::Measure, media::Window, usage::Used};

/// One second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// Its end, in seconds since the window began.
    pub at_s: f64,
    /// Consults that are up.
    pub consults: u32,
    /// Packets a second that clients sent.
    pub sent_per_second: f64,
    /// Packets a second that clients received.
    pub received_per_second: f64,
    /// Packets that were found missing, less those that came after all.
    pub missing: i64,
    /// Packets that something else was wrong with.
    pub faults: u64,
    /// One-way delay.
    pub delay: Quantiles,
    /// The busiest thread of the harness, in percent of a core.
    pub harness_percent: f64,
    /// How late the harness was with what it sent. A second in which it was late, and then sent much at once, is its own doing.
    #[serde(default)]
    pub harness_lag: Quantiles,
    /// What the host took from the core that lost most, of those that server and harness run on, in percent.
    #[serde(default)]
    pub stolen_percent: f64,
    /// Tasks of the server's async runtime, where the scenario looks for leaks.
    #[serde(default)]
    pub tasks_alive: Option<u64>,
    /// The server, where its process is known.
    pub server: Option<ServerSample>,
}

/// What the server used in that second, and holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerSample {
    /// Processor time in percent of a core.
    pub cpu_percent: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Of them sockets.
    #[serde(default)]
    pub sockets: u64,
    /// Threads.
    pub threads: u64,
}

impl Sample {
    /// What was measured since the sample before.
    pub fn new(since_begin: Duration, windows: &[Window], consults: u32, used: Option<Used>) -> Self {
        let mut sum = Measure::new();
        windows.iter().for_each(|window| sum.add(&window.measure));
        let seconds = windows.iter().map(|window| window.wall_ns).max().unwrap_or(0).max(1) as f64 / 1e9;
        let c = &sum.counters;
        let came = c.repaired + c.reordered + c.delayed - c.late_after_repair.min(c.reordered + c.delayed);
        let percent = |used: Used| used.cpu_ns as f64 / used.wall_ns.max(1) as f64 * 100.0;
        Self {
            at_s: since_begin.as_secs_f64(),
            consults,
            sent_per_second: c.sent as f64 / seconds,
            received_per_second: c.received as f64 / seconds,
            missing: c.gaps.cast_signed() - came.cast_signed(),
            faults: c.never_acceptable() + c.delayed + c.reordered,
            delay: Quantiles::of(&sum.delay_ns),
            harness_percent: busiest_percent(windows),
            harness_lag: Quantiles::of(&sum.lag_ns),
            stolen_percent: 0.0,
            tasks_alive: None,
            server: used.map(|used| ServerSample {
                cpu_percent: percent(used),
                resident_bytes: used.resident_bytes,
                descriptors: used.descriptors,
                sockets: used.sockets,
                threads: used.threads,
            }),
        }
    }
}

/// The busiest thread, in percent of its core.
pub(super) fn busiest_percent(windows: &[Window]) -> f64 {
    let busy = windows.iter().map(|window| window.cpu_ns as f64 / window.wall_ns.max(1) as f64 * 100.0);
    busy.fold(0.0, f64::max)
}

/// How something that the server holds changed from the middle of the window to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// What.
    pub name: String,
    /// What there was of it, on the average.
    pub mean: f64,
    /// By how much it grew.
    pub growth: f64,
}

impl Drift {
    /// A line through the samples of the second half, so that a single one does not decide, nor how it began. None with fewer
    /// than ten.
    fn of(name: &str, timeline: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Option<Self> {
        let half = timeline.get(timeline.len() / 2..)?;
        let points: Vec<(f64, f64)> = half.iter().filter_map(|s| Some((s.at_s, value(s)?))).collect();
        if points.len() < 10 {
            return None;
        }
        let n = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
        let mean = points.iter().map(|(_, y)| y).sum::<f64>() / n;
        let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean)).sum();
        let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let slope = covariance / variance.max(f64::MIN_POSITIVE);
        let length = points.last()?.0 - points.first()?.0;
        Some(Self { name: name.to_owned(), mean, growth: slope * length })
    }

    /// Everything that can leak.
    pub(super) fn all(timeline: &[Sample]) -> Vec<Self> {
        let server = |of: fn(&ServerSample) -> u64| {
            move |sample: &Sample| sample.server.as_ref().map(|server| of(server) as f64)
        };
        let all = [
            Self::of(MEMORY, timeline, server(|s| s.resident_bytes)),
            Self::of(DESCRIPTORS, timeline, server(|s| s.descriptors)),
            // None where they are not counted.
            Self::of(SOCKETS, timeline, |s| {
                Some(s.server.as_ref()?.sockets as f64).filter(|count| *count > 0.0)
            }),
            Self::of(TASKS, timeline, |sample| Some(sample.tasks_alive? as f64)),
        ];
        all.into_iter().flatten().collect()
    }

    /// The growth in percent of the mean.
    pub fn percent(&self) -> f64 {
        self.growth / self.mean.max(1.0) * 100.0
    }
}

/// Names of what can leak.
pub(super) const MEMORY: &str = "memory";
pub(super) const DESCRIPTORS: &str = "descriptors";
pub(super) const SOCKETS: &str = "sockets";
pub(super) const TASKS: &str = "tasks";

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(bytes: impl Fn(u64) -> u64) -> Vec<Sample> {
        let sample = |at: u64| {
            let server = ServerSample {
                cpu_percent: 1.0,
                resident_bytes: bytes(at),
                descriptors: 9,
                sockets: 4,
                threads: 3,
            };
            let mut sample = Sample::new(Duration::from_secs(at), &[], 1, None);
            sample.server = Some(server);
            sample
        };
        (0..100).map(sample).collect()
    }

    fn memory(timeline: &[Sample]) -> Drift {
        Drift::all(timeline).into_iter().find(|drift| drift.name == MEMORY).expect("enough samples")
    }

    #[test]
    fn a_task_that_each_minute_leaks_shows_and_a_single_one_does_not() {
        let tasks = |of: fn(u64) -> u64| {
            let mut samples = timeline(|_| 1_000_000);
            samples.iter_mut().zip(0..).for_each(|(sample, at)| sample.tasks_alive = Some(of(at)));
            Drift::all(&samples).into_iter().find(|drift| drift.name == TASKS).expect("enough samples")
        };
        assert!(tasks(|at| 30 + at / 10).growth > 4.0);
        assert!(tasks(|at| if at == 99 { 40 } else { 30 }).growth < 2.0);
        let steady = Drift::all(&timeline(|_| 1_000_000));
        assert!(steady.iter().all(|drift| drift.growth.abs() < 1e-6) && steady.len() == 3, "{steady:?}");
    }

    #[test]
    fn memory_that_grows_at_first_only_is_flat() {
        let growth = memory(&timeline(|at| 1_000_000 + 20_000 * at.min(40))).percent();
        assert!(growth.abs() < 0.01, "{growth}");
        assert_eq!(Drift::all(&[]), []);
    }

    #[test]
    fn memory_that_goes_on_growing_shows() {
        let growth = memory(&timeline(|at| 1_000_000 + 1_000 * at)).percent();
        assert!((2.0..6.0).contains(&growth), "{growth}");
    }
}
