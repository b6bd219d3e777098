//! Letting datagrams gather for a moment between two batches, where that saves more wake-ups than it costs.
//!
//! A wake-up costs as much as several datagrams. When many come in a millisecond, the thread sleeps between batches until
//! enough of them are to be expected; what came while the last batch was handled counts too, so that a busy shard hardly
//! sleeps. When few datagrams come, it does not sleep at all: that would cost more than it saves
//! (`docs/decisions/0004-udp-io.md`).

use std::time::{Duration, Instant};

use crate::limits::{
    GATHER_CYCLE_MAX, GATHER_DATAGRAMS, GATHER_DATAGRAMS_MIN, GATHER_MAX, GATHER_RATE_WINDOW,
};

/// A shorter sleep is not worth its own cost.
const GATHER_MIN: Duration = Duration::from_micros(30);

/// How fast datagrams have been coming.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    since: Option<Instant>,
    datagrams: u64,
    per_second: f64,
    /// When the newest batch was taken in.
    taken_in: Option<Instant>,
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
        self.taken_in = Some(now);
    }

    /// How long to let datagrams gather before the next batch; `None` where it does not pay.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        if self.per_second * GATHER_MAX.as_secs_f64() < GATHER_DATAGRAMS_MIN {
            return None;
        }
        let cycle = Duration::from_secs_f64(GATHER_DATAGRAMS / self.per_second).min(GATHER_CYCLE_MAX);
        let passed = now.saturating_duration_since(self.taken_in?);
        Some(cycle.saturating_sub(passed).min(GATHER_MAX)).filter(|pause| *pause >= GATHER_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause after a second in which so many datagrams came, one a batch, the last of which took so long.
    fn pause_at(per_second: u32, work: Duration) -> Option<Duration> {
        let (begun, mut gathering) = (Instant::now(), Gathering::default());
        (0..per_second).for_each(|n| gathering.note(begun + Duration::from_secs(1) * n / per_second, 1));
        gathering.pause(gathering.taken_in.unwrap_or(begun) + work)
    }

    #[test]
    fn few_datagrams_are_not_waited_for_and_many_only_until_enough_have_come() {
        let none = Duration::ZERO;
        assert_eq!((pause_at(0, none), pause_at(500, none)), (None, None));
        let few = (GATHER_DATAGRAMS_MIN * 1.5 / GATHER_MAX.as_secs_f64()) as u32;
        assert_eq!(pause_at(few, none), Some(GATHER_MAX));
        let many = pause_at(100_000, none).unwrap().as_secs_f64() * 100_000.0;
        assert!((many / GATHER_DATAGRAMS - 1.0).abs() < 0.1, "{many}");
    }

    #[test]
    fn the_time_that_work_took_is_not_slept_again() {
        let work = Duration::from_micros(150);
        let slept = pause_at(100_000, work);
        assert_eq!(slept.map(|pause| pause + work), pause_at(100_000, Duration::ZERO));
        assert_eq!(pause_at(100_000, Duration::from_millis(1)), None, "enough have come by now");
        assert_eq!(pause_at(15_000, GATHER_CYCLE_MAX / 2), Some(GATHER_CYCLE_MAX / 2));
    }

    #[test]
    fn when_the_flow_ends_so_does_the_gathering() {
        let (begun, mut gathering) = (Instant::now(), Gathering::default());
        gathering.note(begun, 1000);
        gathering.note(begun + GATHER_RATE_WINDOW, 1);
        assert!(gathering.pause(begun + GATHER_RATE_WINDOW).is_some());
        gathering.note(begun + Duration::from_secs(1), 1);
        assert_eq!(gathering.pause(begun + Duration::from_secs(1)), None);
    }
}
