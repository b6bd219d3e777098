//! Letting datagrams gather for a moment between two batches, where that saves more wake-ups than it costs.
//!
//! A wake-up costs as much as several datagrams. When many come in a millisecond, the thread sleeps between batches until
//! enough of them are to be expected, at most [`GATHER_MAX`]; when few do, it does not: the sleep would cost more than
//! it saves (`docs/decisions/0004-udp-io.md`).

use std::time::{Duration, Instant};

use crate::limits::{GATHER_DATAGRAMS, GATHER_DATAGRAMS_MIN, GATHER_MAX, GATHER_RATE_WINDOW};

/// How fast datagrams have been coming.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    since: Option<Instant>,
    datagrams: u64,
    per_second: f64,
}

impl Gathering {
    /// Notes a batch.
    pub fn note(&mut self, now: Instant, datagrams: u64) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= GATHER_RATE_WINDOW {
            self.per_second = self.datagrams as f64 / elapsed.as_secs_f64();
            (self.since, self.datagrams) = (Some(now), 0);
        }
        self.datagrams += datagrams;
    }

    /// How long to let datagrams gather before the next batch; `None` where it does not pay.
    pub fn pause(&self) -> Option<Duration> {
        let expected = self.per_second * GATHER_MAX.as_secs_f64();
        if expected < GATHER_DATAGRAMS_MIN {
            return None;
        }
        Some(GATHER_MAX.mul_f64((GATHER_DATAGRAMS / expected).min(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause after a second in which so many datagrams came, one a batch.
    fn pause_at(per_second: u32) -> Option<Duration> {
        let (begun, mut gathering) = (Instant::now(), Gathering::default());
        (0..per_second).for_each(|n| gathering.note(begun + Duration::from_secs(1) * n / per_second, 1));
        gathering.pause()
    }

    #[test]
    fn few_datagrams_are_not_waited_for_and_many_only_until_enough_have_come() {
        assert_eq!((pause_at(0), pause_at(500)), (None, None));
        let few = (GATHER_DATAGRAMS_MIN * 1.5 / GATHER_MAX.as_secs_f64()) as u32;
        assert_eq!(pause_at(few), Some(GATHER_MAX));
        let many = pause_at(100_000).unwrap().as_secs_f64() * 100_000.0;
        assert!((many / GATHER_DATAGRAMS - 1.0).abs() < 0.1, "{many}");
    }

    #[test]
    fn when_the_flow_ends_so_does_the_gathering() {
        let (begun, mut gathering) = (Instant::now(), Gathering::default());
        gathering.note(begun, 1000);
        gathering.note(begun + GATHER_RATE_WINDOW, 1);
        assert!(gathering.pause().is_some());
        gathering.note(begun + Duration::from_secs(1), 1);
        assert_eq!(gathering.pause(), None);
    }
}
