//! A report as one page of HTML that loads nothing: for people, on a screen or a phone, in the light or in the dark.

use std::fmt::Write as _;

use super::{
    Refusals, Report, Sample,
    plot::{Plot, Series, short},
};

const STYLE: &str = include_str!("page.css");
const MIB: f64 = 1_048_576.0;

impl Report {
    /// The page. `title` says what was measured, `target` where.
    pub fn page(&self, title: &str, target: &str) -> String {
        let (title, target) = (escaped(title), escaped(target));
        let (class, verdict) = match self.failures.len() {
            0 => ("good", "Good enough".to_owned()),
            1 => ("bad", "Not good enough: one threshold failed".to_owned()),
            failed => ("bad", format!("Not good enough: {failed} thresholds failed")),
        };
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <style>{STYLE}</style><main><h1>{title}</h1>\
             <div class=\"dim\">{target} · {} consults, {} participants · {:.0} s · {}</div>\
             <div class=\"verdict {class}\">{verdict}</div>{}{}<div class=\"plots\">{}</div>\
             <div class=\"stack\">{}{}{}{}</div></main></html>\n",
            self.consults,
            self.participants,
            self.window_s,
            date(self.at_s),
            self.noted(),
            self.figures(),
            self.plots(),
            self.thresholds(),
            self.found(),
            self.quantiles(),
            self.counted(),
        )
    }

    /// What has to be said beside the figures.
    fn noted(&self) -> String {
        let note = |note: &String| format!("<div class=\"card note\">{}</div>", escaped(note));
        self.notes.iter().map(note).collect()
    }

    fn figures(&self) -> String {
        let mut figures = vec![
            (format!("{:.2} ms", self.delay.p99_ms), "p99 delay"),
            (format!("{:.4} %", self.loss_percent), "lost after repair"),
            (short(self.received_per_second.round()), "packets forwarded a second"),
            (format!("{:.0} ms", self.join.p99_ms), "p99 time to join"),
        ];
        if self.refusals.joins > 0 {
            let Refusals { joins, tried_again, .. } = self.refusals;
            figures.push((joins.to_string(), "joins refused"));
            figures.push((tried_again.to_string(), "tried again"));
        }
        if self.counters.frames > 0 {
            figures.push((format!("{:.0} ms", self.first_frame.p99_ms), "p99 time to the first picture"));
        }
        if let Some(server) = &self.server {
            figures.push((format!("{:.2} µs", server.us_per_packet), "processor time a packet"));
            figures.push((format!("{:.1} %", server.cpu_percent), "of a core"));
            let kib = server.resident_bytes_per_participant / 1024.0;
            figures.push((format!("{kib:.0} KiB"), "memory a participant"));
        }
        if let Some(seconds) = self.recovery_s {
            figures.push((format!("{seconds:.1} s"), "until everybody was back"));
        }
        let card = |(value, name): (String, &str)| {
            format!("<div class=\"card figure\"><b>{value}</b><span>{name}</span></div>")
        };
        format!("<div class=\"figures\">{}</div>", figures.into_iter().map(card).collect::<String>())
    }

    fn series(&self, name: &'static str, value: &dyn Fn(&Sample) -> Option<f64>) -> Series {
        let points = self.timeline.iter().filter_map(|sample| Some((sample.at_s, value(sample)?)));
        Series { name, points: points.collect() }
    }

    fn plots(&self) -> String {
        let series = |name: &'static str, value: &dyn Fn(&Sample) -> Option<f64>| self.series(name, value);
        let plots = [
            Plot {
                title: "One-way delay",
                unit: "ms",
                series: vec![
                    series("p50", &|s| Some(s.delay.p50_ms)),
                    series("p99", &|s| Some(s.delay.p99_ms)),
                    series("p99.9", &|s| Some(s.delay.p999_ms)),
                ],
                limit: Some(self.scenario.thresholds.delay_p99_ms),
            },
            Plot {
                title: "Packets",
                unit: "a second",
                series: vec![
                    series("forwarded", &|s| Some(s.received_per_second)),
                    series("sent", &|s| Some(s.sent_per_second)),
                ],
                limit: None,
            },
            Plot {
                title: "Processor",
                unit: "% of a core",
                series: vec![
                    series("server", &|s| s.server.as_ref().map(|server| server.cpu_percent)),
                    series("harness, its busiest thread", &|s| Some(s.harness_percent)),
                    series("taken by the host", &|s| Some(s.stolen_percent)),
                ],
                limit: None,
            },
            Plot {
                title: "Memory of the server",
                unit: "MiB",
                series: vec![series("resident", &|s| {
                    s.server.as_ref().map(|v| v.resident_bytes as f64 / MIB)
                })],
                limit: None,
            },
            Plot {
                title: "Held by the server",
                unit: "at the end of the second",
                series: vec![
                    series("descriptors", &|s| s.server.as_ref().map(|server| server.descriptors as f64)),
                    series("sockets", &|s| s.server.as_ref().map(|server| server.sockets as f64)),
                    series("tasks", &|s| s.tasks_alive.map(|tasks| tasks as f64)),
                ],
                limit: None,
            },
            Plot {
                title: "Consults",
                unit: "that are up",
                series: vec![series("consults", &|s| Some(f64::from(s.consults)))],
                limit: None,
            },
            Plot {
                title: "Faults",
                unit: "packets in the second",
                series: vec![
                    series("missing", &|s| Some(s.missing.max(0) as f64)),
                    series("anything else", &|s| Some(s.faults as f64)),
                ],
                limit: None,
            },
        ];
        plots.iter().map(Plot::card).collect()
    }

    fn thresholds(&self) -> String {
        let row = |check: &super::Check| {
            let (class, verdict) = if check.passed { ("pass", "✓") } else { ("fail", "✗") };
            let name = escaped(&check.name);
            let unit = &check.unit;
            format!(
                "<tr><td class=\"{class}\" title=\"{class}\">{verdict}</td><td>{name}</td>\
                 <td class=\"number\">{} {unit}</td><td class=\"number\">{} {unit}</td></tr>",
                exact(check.value),
                exact(check.limit),
            )
        };
        // What failed is what one looks for.
        let (passed, failed): (Vec<_>, Vec<_>) = self.checks.iter().partition(|check| check.passed);
        let rows: String = failed.into_iter().chain(passed).map(row).collect();
        format!(
            "<section class=\"card\"><h2>Thresholds</h2><div class=\"scroll\"><table><tr><th></th><th>what</th>\
             <th class=\"number\">measured</th><th class=\"number\">at most</th></tr>{rows}</table></div></section>"
        )
    }

    fn found(&self) -> String {
        if self.findings.is_empty() {
            return String::new();
        }
        let item = |finding: &crate::findings::Finding| format!("<li>{}</li>", escaped(&finding.to_string()));
        let items: String = self.findings.iter().map(item).collect();
        format!(
            "<section class=\"card\"><h2>Packets that something was wrong with, for example</h2><ul>{items}</ul></section>"
        )
    }

    fn quantiles(&self) -> String {
        let mut rows = vec![("one-way delay", &self.delay), ("time to join", &self.join)];
        rows.extend(self.resume.iter().map(|resume| ("time to resume", resume)));
        rows.extend(self.join_steps.iter().map(|step| (step.name.as_str(), &step.times)));
        if let Some(delay) = &self.established_delay {
            rows.insert(1, ("of them: between those who were there before", delay));
        }
        if self.counters.frames > 0 {
            rows.push(("time to the first picture", &self.first_frame));
        }
        rows.push(("lateness of the harness, in no delay", &self.harness_lag));
        rows.push((
            "from stamp to kernel, at most so much of a delay is the harness's",
            &self.harness_handover,
        ));
        let row = |(name, q): (&str, &super::Quantiles)| {
            let cell = |value: f64| format!("<td class=\"number\">{value:.2}</td>");
            let cells: String = [q.p50_ms, q.p99_ms, q.p999_ms, q.max_ms].map(cell).concat();
            format!("<tr><td>{name}</td>{cells}</tr>")
        };
        let rows: String = rows.into_iter().map(row).collect();
        let heads =
            ["p50", "p99", "p99.9", "most"].map(|head| format!("<th class=\"number\">{head}</th>")).concat();
        format!(
            "<section class=\"card\"><h2>Times <span class=\"dim\">ms</span></h2><div class=\"scroll\"><table>\
             <tr><th></th>{heads}</tr>{rows}</table></div></section>"
        )
    }

    fn counted(&self) -> String {
        let counters = serde_json::to_value(&self.counters).unwrap_or_default();
        let shown = counters.as_object().into_iter().flatten().filter(|(_, value)| **value != 0);
        let mut rows = String::new();
        for (name, value) in shown {
            // Writing to a string cannot fail.
            let _ =
                write!(rows, "<tr><td>{}</td><td class=\"number\">{value}</td></tr>", name.replace('_', " "));
        }
        let scenario = serde_json::to_string_pretty(&self.scenario).unwrap_or_default();
        format!(
            "<details class=\"card\"><summary>Everything that was counted</summary><table>{rows}</table></details>\
             <details class=\"card\"><summary>The scenario</summary><pre>{}</pre></details>",
            escaped(scenario.trim())
        )
    }
}

/// As many digits as matter.
fn exact(value: f64) -> String {
    if value == value.trunc() { format!("{value:.0}") } else { format!("{value:.3}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Year, month, day, hour and minute of a moment, UTC (days to date after Howard Hinnant's `civil_from_days`).
fn date(since_1970_s: u64) -> String {
    let (days, seconds) = (since_1970_s / 86_400 + 719_468, since_1970_s % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let (hour, minute) = (seconds / 3_600, seconds / 60 % 60);
    format!("{}-{month:02}-{day:02} {hour:02}:{minute:02} UTC", year + era * 400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_report;

    #[test]
    fn the_page_loads_nothing_and_shows_every_threshold() {
        let report = sample_report();
        let page = report.page("Consults <of three>", "http://127.0.0.1:8080");
        for loaded in ["src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(loaded), "{loaded}");
        }
        assert!(page.contains("Consults &lt;of three&gt;") && page.contains("prefers-color-scheme: dark"));
        assert_eq!(page.matches("✓").count() + page.matches("✗").count(), report.checks.len());
        assert!(
            page.contains("the host took 7.0 % of core 3 (server)") && page.contains("taken by the host")
        );
        assert!(page.matches("<svg").count() >= 4, "{page}");
        assert!(report.checks.iter().all(|check| page.contains(&escaped(&check.name))));
    }

    #[test]
    fn dates_are_right() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_795_330_800), "2026-11-22 07:00 UTC");
    }
}
