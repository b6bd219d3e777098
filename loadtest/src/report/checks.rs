//! Whether a window was good enough: every threshold with what was measured, pass or fail.

use serde::{Deserialize, Serialize};

use super::{Report, timeline};
use crate::scenario::Thresholds;

/// A threshold and what was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// What it came to.
    pub value: f64,
    /// The most that is good enough.
    pub limit: f64,
    /// Of both; empty for a number of things.
    pub unit: String,
    /// Whether it was good enough.
    pub passed: bool,
    /// The value in a sentence, for the list of failures.
    pub said: String,
}

impl Check {
    fn new(name: &str, value: f64, limit: f64, unit: &str, said: String) -> Self {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Self { name, value, limit, unit, passed: value <= limit, said }
    }
}

/// Every threshold of a scenario.
pub(super) fn checks(report: &Report, thresholds: &Thresholds) -> Vec<Check> {
    let mut checks = never_acceptable(report);
    let t = thresholds;
    let p99 = report.delay.p99_ms;
    checks.push(Check::new("p99 delay", p99, t.delay_p99_ms, "ms", format!("p99 delay {p99:.2} ms")));
    if let (Some(limit), Some(delay)) = (t.established_delay_p99_ms, &report.established_delay) {
        let said = format!("p99 delay {:.2} ms of those who were there before", delay.p99_ms);
        checks.push(Check::new("p99 delay of those who were there before", delay.p99_ms, limit, "ms", said));
    }
    let percent = |name: &str, value: f64, limit: f64, what: &str| {
        Check::new(name, value, limit, "%", format!("{value:.3} % {what}"))
    };
    checks.push(percent("loss", report.loss_percent, t.loss_percent, "lost"));
    if let Some(limit) = t.loss_before_repair_percent {
        let value = report.loss_before_repair_percent;
        checks.push(percent("loss before repair", value, limit, "lost before repair"));
    }
    let name = "delayed or reordered";
    checks.push(percent(name, report.out_of_order_percent, t.out_of_order_percent, name));
    let lost = report.lost_participants as f64;
    let said = format!("{lost} participants lost");
    checks.push(Check::new("participants lost", lost, t.lost_participants as f64, "", said));
    let refused = report.refusals.participants as f64;
    let said = format!("{refused} participants refused");
    checks.push(Check::new("participants refused", refused, t.refused_participants as f64, "", said));
    checks.extend(optional(report, thresholds));
    let is_silent =
        report.counters.sent > 0 && report.counters.received == 0 && report.participants > report.consults;
    if is_silent {
        checks.push(Check::new("nothing was received", 1.0, 0.0, "", "nothing was received".to_owned()));
    }
    checks
}

/// What must not happen to a single packet.
fn never_acceptable(report: &Report) -> Vec<Check> {
    let c = &report.counters;
    let none = [
        ("misrouted", c.misrouted),
        ("on the wrong track", c.wrong_track),
        ("with the wrong CSRC", c.wrong_csrc),
        ("garbled", c.garbled),
        ("unauthenticated", c.unauthenticated),
        ("duplicate", c.duplicate),
    ];
    let check = |(name, count): (&str, u64)| {
        Check::new(&format!("packets {name}"), count as f64, 0.0, "", format!("{count} packets {name}"))
    };
    none.map(check).into()
}

/// Thresholds that only some scenarios have.
fn optional(report: &Report, thresholds: &Thresholds) -> Vec<Check> {
    let t = thresholds;
    let memory_kib = report.server.as_ref().map(|server| server.resident_bytes_per_participant / 1024.0);
    let growth = report.server.as_ref().map(|server| server.growth as f64);
    let drift = |name: &str| report.drifts.iter().find(|drift| drift.name == name);
    let grew = |name: &str| drift(name).map(|drift| drift.growth);
    let wanted = [
        ("p99 time to join", Some(report.join.p99_ms), t.join_p99_ms, "ms"),
        ("p99 time to resume", report.resume.map(|resume| resume.p99_ms), t.resume_p99_ms, "ms"),
        ("p99 time to the first picture", Some(report.first_frame.p99_ms), t.first_frame_p99_ms, "ms"),
        ("freezes a minute", Some(report.freezes_per_minute), t.freezes_per_minute, ""),
        ("memory a participant", memory_kib, t.memory_per_participant_kib, "KiB"),
        (
            "memory growth",
            drift(timeline::MEMORY).map(timeline::Drift::percent),
            t.memory_growth_percent,
            "%",
        ),
        ("descriptors and threads more", growth, t.descriptor_growth, ""),
        ("descriptors that drift", grew(timeline::DESCRIPTORS), t.descriptor_drift, ""),
        ("sockets that drift", grew(timeline::SOCKETS), t.socket_drift, ""),
        ("tasks that drift", grew(timeline::TASKS), t.task_drift, ""),
        ("time until everybody was back", report.recovery_s, t.recovery_s, "s"),
    ];
    let check = |(name, value, limit, unit): (&str, Option<f64>, Option<f64>, &str)| {
        let value = value?;
        Some(Check::new(name, value, limit?, unit, format!("{name} {value:.2} {unit}").trim_end().to_owned()))
    };
    let mut checks: Vec<Check> = wanted.into_iter().filter_map(check).collect();
    if !report.is_recovered {
        checks.push(Check::new("not everybody was back", 1.0, 0.0, "", "not everybody was back".to_owned()));
    }
    checks
}
