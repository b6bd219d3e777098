//! What a run comes to: figures for people, JSON for machines, and whether it was good enough.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    measure::{Counters, Measure},
    media::Window,
    scenario::Thresholds,
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
    /// How late the harness was with what it sent; in no delay.
    pub harness_lag: Quantiles,
    /// From the first word of signaling until connected.
    pub join: Quantiles,
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

/// What a report is made of.
pub struct Findings<'a> {
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
    /// Processor time of the server in the window, in nanoseconds, and its memory, in bytes.
    pub server: Option<(u64, u64)>,
}

impl Report {
    /// Draws the sum.
    pub fn new(findings: Findings<'_>, thresholds: &Thresholds) -> Self {
        let mut sum = Measure::new();
        findings.windows.iter().for_each(|window| sum.add(&window.measure));
        let wall_ns = findings.windows.iter().map(|window| window.wall_ns).max().unwrap_or(0).max(1) as f64;
        let busy = findings.windows.iter().map(|w| w.cpu_ns as f64 / w.wall_ns.max(1) as f64 * 100.0);
        let harness_percent = busy.fold(0.0, f64::max);
        let counters = sum.counters.clone();
        let total = counters.received + counters.lost;
        let server = findings.server.map(|(cpu_ns, resident_bytes)| Server {
            cpu_percent: cpu_ns as f64 / wall_ns * 100.0,
            us_per_packet: cpu_ns as f64 / 1e3 / counters.received.max(1) as f64,
            resident_bytes,
        });
        let mut report = Self {
            consults: findings.consults,
            participants: findings.participants,
            lost_participants: findings.lost_participants + counters.consent_lost,
            window_s: wall_ns / 1e9,
            sent_per_second: counters.sent as f64 / wall_ns * 1e9,
            received_per_second: counters.received as f64 / wall_ns * 1e9,
            loss_percent: counters.lost as f64 / total.max(1) as f64 * 100.0,
            delay: Quantiles::of(&sum.delay_ns),
            harness_lag: Quantiles::of(&sum.lag_ns),
            join: Quantiles::of_list(findings.join_ms),
            harness_percent,
            harness_bound: harness_percent > HARNESS_BOUND_PERCENT,
            server,
            counters,
            failures: Vec::new(),
        };
        report.failures = report.judge(thresholds);
        report
    }

    fn judge(&self, thresholds: &Thresholds) -> Vec<String> {
        let c = &self.counters;
        let mut failures = Vec::new();
        let none = [
            ("misrouted", c.misrouted),
            ("on the wrong track", c.wrong_track),
            ("with the wrong CSRC", c.wrong_csrc),
            ("garbled", c.garbled),
            ("unauthenticated", c.unauthenticated),
            ("duplicate", c.duplicate),
        ];
        failures.extend(none.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} packets {name}")));
        if self.delay.p99_ms > thresholds.delay_p99_ms {
            failures.push(format!("p99 delay {:.2} ms", self.delay.p99_ms));
        }
        if self.loss_percent > thresholds.loss_percent {
            failures.push(format!("{:.3} % lost", self.loss_percent));
        }
        if self.lost_participants > thresholds.lost_participants {
            failures.push(format!("{} participants lost", self.lost_participants));
        }
        if c.sent > 0 && c.received == 0 && self.participants > self.consults {
            failures.push("nothing was received".to_owned());
        }
        failures
    }

    /// Whether it was good enough.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty()
    }

    /// One line, as the ramp prints it.
    pub fn line(&self) -> String {
        let server = self.server.as_ref().map_or(String::new(), |server| {
            format!(" server {:5.1} % {:6.2} us/packet", server.cpu_percent, server.us_per_packet)
        });
        format!(
            "{:5} consults {:8.0} packets/s p50 {:7.3} p99 {:8.3} ms loss {:.3} %{server} harness {:4.1} %{}{}",
            self.consults,
            self.received_per_second,
            self.delay.p50_ms,
            self.delay.p99_ms,
            self.loss_percent,
            self.harness_percent,
            if self.harness_bound { " HARNESS-BOUND" } else { "" },
            if self.is_good() { String::new() } else { format!("  FAILED: {}", self.failures.join(", ")) },
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantiles = |q: &Quantiles| {
            format!(
                "p50 {:.3}  p99 {:.3}  p99.9 {:.3}  max {:.3} ms",
                q.p50_ms, q.p99_ms, q.p999_ms, q.max_ms
            )
        };
        writeln!(f, "consults       {} ({} participants)", self.consults, self.participants)?;
        writeln!(f, "sent           {:.0} packets/s", self.sent_per_second)?;
        writeln!(
            f,
            "forwarded      {:.0} packets/s, {:.4} % lost",
            self.received_per_second, self.loss_percent
        )?;
        writeln!(f, "delay          {}", quantiles(&self.delay))?;
        writeln!(f, "join           {}", quantiles(&self.join))?;
        if let Some(server) = &self.server {
            let mib = server.resident_bytes as f64 / (1 << 20) as f64;
            let (percent, us) = (server.cpu_percent, server.us_per_packet);
            writeln!(f, "server         {percent:.1} % of a core, {us:.3} us a packet, {mib:.1} MiB")?;
        }
        let bound = if self.harness_bound { ", which may be what limits: HARNESS-BOUND" } else { "" };
        writeln!(
            f,
            "harness        {:.1} % of a core{bound}; lag {}",
            self.harness_percent,
            quantiles(&self.harness_lag)
        )?;
        let counters = serde_json::to_value(&self.counters).unwrap_or_default();
        let shown = counters.as_object().into_iter().flatten().filter(|(_, value)| **value != 0);
        let shown: Vec<String> = shown.map(|(name, value)| format!("{name} {value}")).collect();
        writeln!(f, "counted        {}", shown.join(", "))?;
        if self.is_good() {
            return write!(f, "good enough");
        }
        write!(f, "NOT GOOD ENOUGH: {}", self.failures.join(", "))
    }
}
