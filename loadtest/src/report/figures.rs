//! Figures of a report: times, what the server used, what was refused.

use serde::{Deserialize, Serialize};

use crate::{measure::Counters, target::JOIN_STEPS, usage::Used};

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

impl Server {
    pub(super) fn new(used: &Used, counters: &Counters, participants: u32) -> Self {
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
    pub(super) fn of(histogram: &hdrhistogram::Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        Self { p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: histogram.max() as f64 / 1e6 }
    }

    pub(super) fn of_list(values: &[f64]) -> Self {
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
    pub(super) fn of_joins(steps_ms: &[[f64; JOIN_STEPS.len()]]) -> Vec<Self> {
        let step = |(place, name): (usize, &&str)| {
            let times: Vec<f64> = steps_ms.iter().filter_map(|steps| steps.get(place).copied()).collect();
            Self { name: (*name).to_owned(), times: Quantiles::of_list(&times) }
        };
        if steps_ms.is_empty() { Vec::new() } else { JOIN_STEPS.iter().enumerate().map(step).collect() }
    }
}
