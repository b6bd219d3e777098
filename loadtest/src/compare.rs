//! Two reports side by side: how the second stands to the first, and whether it is worse.

use std::fmt;

use crate::report::Report;

/// A figure of which less is better.
#[derive(Debug, Clone)]
struct Row {
    name: &'static str,
    unit: &'static str,
    before: f64,
    after: f64,
    /// A difference below this is nothing, whatever the ratio.
    noise: f64,
}

/// How a figure has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Same,
    Better,
    Worse,
}

/// Two reports, compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    rows: Vec<Row>,
    tolerance: f64,
    /// Why nothing can be concluded.
    doubts: Vec<String>,
}

impl Comparison {
    /// Holds the second report against the first. Up to `tolerance_percent` more is no change.
    pub fn new(before: &Report, after: &Report, tolerance_percent: f64) -> Self {
        let row = |name, unit, noise, value: &dyn Fn(&Report) -> Option<f64>| {
            Some(Row { name, unit, noise, before: value(before)?, after: value(after)? })
        };
        let rows = [
            row("processor time a packet", "us", 0.02, &|r| Some(r.server.as_ref()?.us_per_packet)),
            row("memory a participant", "KiB", 2.0, &|r| {
                Some(r.server.as_ref()?.resident_bytes_per_participant / 1024.0)
            }),
            row("p50 delay", "ms", 0.1, &|r| Some(r.delay.p50_ms)),
            row("p99 delay", "ms", 0.3, &|r| Some(r.delay.p99_ms)),
            row("p99.9 delay", "ms", 1.0, &|r| Some(r.delay.p999_ms)),
            row("loss", "%", 0.01, &|r| Some(r.loss_percent)),
            row("loss before repair", "%", 0.01, &|r| Some(r.loss_before_repair_percent)),
            row("p99 time to join", "ms", 5.0, &|r| Some(r.join.p99_ms)),
            row("freezes a minute", "", 0.05, &|r| Some(r.freezes_per_minute)),
            row("faults that must not be", "packets", 0.0, &|r| Some(r.counters.never_acceptable() as f64)),
        ];
        let mut doubts = Vec::new();
        if before.participants != after.participants {
            doubts.push(format!("{} and {} participants", before.participants, after.participants));
        }
        let ratio = after.received_per_second / before.received_per_second.max(f64::MIN_POSITIVE);
        if !(0.95..=1.05).contains(&ratio) {
            doubts.push(format!("{ratio:.2} times as many packets were forwarded"));
        }
        for (which, report) in [("first", before), ("second", after)] {
            if report.harness_bound {
                doubts.push(format!("the {which} is HARNESS-BOUND"));
            }
            doubts.extend(report.notes.iter().map(|note| format!("the {which}: {note}")));
            if !report.is_good() {
                doubts.push(format!("the {which} was not good enough: {}", report.failures.join(", ")));
            }
        }
        Self { rows: rows.into_iter().flatten().collect(), tolerance: tolerance_percent / 100.0, doubts }
    }

    /// Whether nothing became worse.
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.change(self.tolerance) != Change::Worse)
    }
}

impl Row {
    fn change(&self, tolerance: f64) -> Change {
        if (self.after - self.before).abs() <= self.noise {
            return Change::Same;
        }
        if self.after > self.before * (1.0 + tolerance) {
            Change::Worse
        } else if self.after < self.before / (1.0 + tolerance) {
            Change::Better
        } else {
            Change::Same
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<26} {:>12} {:>12} {:>8}", "", "first", "second", "ratio")?;
        for row in &self.rows {
            let ratio = match row.before {
                0.0 => "-".to_owned(),
                before => format!("{:.2}", row.after / before),
            };
            let change = match row.change(self.tolerance) {
                Change::Same => "",
                Change::Better => "better",
                Change::Worse => "WORSE",
            };
            let line = format!(
                "{:<26} {:>12.3} {:>12.3} {ratio:>8} {:<8}{change}",
                row.name, row.before, row.after, row.unit
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        for doubt in &self.doubts {
            writeln!(f, "compare with care: {doubt}")?;
        }
        let worse = self.rows.iter().filter(|row| row.change(self.tolerance) == Change::Worse);
        let worse: Vec<&str> = worse.map(|row| row.name).collect();
        match worse.is_empty() {
            true => write!(f, "the second is not worse"),
            false => write!(f, "the second is WORSE: {}", worse.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_report;

    #[test]
    fn a_report_is_not_worse_than_itself() {
        let report = sample_report();
        let comparison = Comparison::new(&report, &report, 10.0);
        assert!(comparison.is_good(), "{comparison}");
        // It has misrouted packets: nobody should build on it.
        assert!(
            comparison.to_string().contains("compare with care: the first was not good enough"),
            "{comparison}"
        );
    }

    #[test]
    fn what_became_worse_is_named_with_its_ratio() {
        let (before, mut after) = (sample_report(), sample_report());
        after.delay.p99_ms *= 2.0;
        after.delay.p50_ms /= 2.0;
        after.loss_percent += 0.005;
        let comparison = Comparison::new(&before, &after, 10.0);
        assert!(!comparison.is_good());
        let text = comparison.to_string();
        assert!(text.ends_with("the second is WORSE: p99 delay"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("p99 delay") && line.contains("2.00")), "{text}");
        assert!(text.lines().any(|line| line.starts_with("p50 delay") && line.ends_with("better")), "{text}");
    }
}
