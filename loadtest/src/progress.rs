//! What is told while a run goes on: bars and current figures on a terminal, a plain line now and then elsewhere.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

use crate::report::Sample;

/// From one plain line to the next.
const PLAIN: Duration = Duration::from_secs(10);
const BAR: usize = 24;

/// Tells on standard error.
#[derive(Debug)]
pub struct Progress {
    told: bool,
    is_terminal: bool,
    /// Lines that stand on the terminal and are written over.
    lines: usize,
    plain_at: Option<Instant>,
}

impl Progress {
    /// One that tells something, or nothing.
    pub fn new(told: bool) -> Self {
        Self { told, is_terminal: stderr().is_terminal(), lines: 0, plain_at: None }
    }

    /// Consults are joining.
    pub fn joining(&mut self, up: u32, wanted: u32) {
        let bar = bar(f64::from(up) / f64::from(wanted.max(1)));
        self.tell(&[format!("joining   {bar} {up} of {wanted} consults are up")]);
    }

    /// The window has come so far, from 0 to 1.
    pub fn measuring(&mut self, sample: &Sample, share: f64) {
        let delay = &sample.delay;
        let mut lines = vec![
            format!("measuring {} {:.0} s, {} consults", bar(share), sample.at_s, sample.consults),
            format!(
                "forwarded {:.0} packets/s, {} missing, {} faults",
                sample.received_per_second, sample.missing, sample.faults
            ),
            format!(
                "delay     {} p50 {:.2}  p99 {:.2} ms",
                bar(delay.p99_ms / 20.0),
                delay.p50_ms,
                delay.p99_ms
            ),
        ];
        if let Some(server) = &sample.server {
            let mib = server.resident_bytes as f64 / (1 << 20) as f64;
            let bar = bar(server.cpu_percent / 100.0);
            lines.push(format!("server    {bar} {:.0} % of a core, {mib:.0} MiB", server.cpu_percent));
        }
        let bar = bar(sample.harness_percent / 100.0);
        lines.push(format!("harness   {bar} {:.0} % of its core", sample.harness_percent));
        self.tell(&lines);
    }

    /// Nothing more comes; the terminal is left clean.
    pub fn done(&mut self) {
        if self.told && self.is_terminal {
            eprint!("{}", self.over());
        }
        self.lines = 0;
    }

    fn tell(&mut self, lines: &[String]) {
        if !self.told {
            return;
        }
        if self.is_terminal {
            let text = format!("{}{}\n", self.over(), lines.join("\n"));
            self.lines = lines.len();
            // A terminal that has gone does not matter.
            let _ = stderr().write_all(text.as_bytes());
            return;
        }
        if self.plain_at.is_none_or(|at| at.elapsed() >= PLAIN) {
            self.plain_at = Some(Instant::now());
            let plain: Vec<String> = lines.iter().map(|line| without_bar(line)).collect();
            eprintln!("{}", plain.join("; "));
        }
    }

    /// Back to where the lines began, everything below erased.
    fn over(&self) -> String {
        match self.lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}F\x1b[J"),
        }
    }
}

/// From 0 to 1.
fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    format!("[{}{}]", "█".repeat(full), "░".repeat(BAR - full))
}

/// The same for those who do not look at a terminal.
fn without_bar(line: &str) -> String {
    let text = match (line.find('['), line.find(']')) {
        (Some(begin), Some(end)) => format!("{}{}", &line[..begin], line[end + 1..].trim_start()),
        _ => line.to_owned(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_always_as_long() {
        for (share, full) in [(-1.0, 0), (0.0, 0), (0.5, BAR / 2), (1.0, BAR), (7.0, BAR), (f64::NAN, 0)] {
            let bar = bar(share);
            assert_eq!((bar.matches('█').count(), bar.chars().count()), (full, BAR + 2), "{share}");
        }
    }

    #[test]
    fn who_reads_a_file_gets_no_bars() {
        assert_eq!(without_bar("server    [██░] 80 % of a core"), "server 80 % of a core");
        assert_eq!(without_bar("forwarded 5 packets/s"), "forwarded 5 packets/s");
    }
}
