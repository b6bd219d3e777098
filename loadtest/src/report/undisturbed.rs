//! Delays in the seconds in which the host left every core alone: what the server does, where the rest is what the machine
//! does. Beside the delays of all seconds, never instead of them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::Quantiles;
use crate::media::Window;

/// The host counts what it takes in hundredths of a second: less than half of one is nothing.
const TAKEN_PERCENT_MAX: f64 = 0.5;

/// Gathers second by second.
#[derive(Debug, Default)]
pub struct UndisturbedSeconds {
    seconds: u32,
    cpu_percent: f64,
    delay_ns: Option<Histogram<u64>>,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Undisturbed {
    /// How many seconds those were.
    pub seconds: u32,
    /// The server's processor time in them, in percent of a core; 0 without its process.
    pub server_percent: f64,
    /// One-way delay in them.
    pub delay: Quantiles,
}

impl UndisturbedSeconds {
    /// A second has passed: what each thread measured in it, what the server took of a core, and what the host took of the
    /// core that lost most, in percent.
    pub fn note(&mut self, windows: &[Window], server_percent: f64, taken_percent: f64) {
        if taken_percent > TAKEN_PERCENT_MAX {
            return;
        }
        self.seconds += 1;
        self.cpu_percent += server_percent;
        for window in windows {
            let delay_ns = &window.measure.delay_ns;
            let sum = self.delay_ns.get_or_insert_with(|| Histogram::new_from(delay_ns));
            // Both have the same bounds, so nothing is refused.
            let _ = sum.add(delay_ns);
        }
    }

    /// None where there was no such second.
    pub fn sum(&self) -> Option<Undisturbed> {
        let delay = Quantiles::of(self.delay_ns.as_ref()?);
        Some(Undisturbed {
            seconds: self.seconds,
            server_percent: self.cpu_percent / f64::from(self.seconds),
            delay,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measure;

    #[test]
    fn only_seconds_count_in_which_the_host_took_nothing() {
        let window = |delay_ns: u64| {
            let mut measure = Measure::new();
            (0..100).for_each(|_| measure.delay((0, 1), 0, delay_ns));
            [Window { measure, wall_ns: 1_000_000_000, cpu_ns: 0 }]
        };
        let mut seconds = UndisturbedSeconds::default();
        assert!(seconds.sum().is_none());
        seconds.note(&window(9_000_000), 90.0, 3.0);
        assert!(seconds.sum().is_none());
        seconds.note(&window(1_000_000), 60.0, 0.0);
        seconds.note(&window(2_000_000), 80.0, 0.4);
        let sum = seconds.sum().expect("two seconds");
        assert_eq!((sum.seconds, sum.server_percent), (2, 70.0));
        assert!(sum.delay.max_ms < 2.1 && sum.delay.p50_ms < 1.1, "{sum:?}");
    }
}
