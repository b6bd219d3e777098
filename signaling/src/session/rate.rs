//! A token bucket that is told the time.

use std::time::{Duration, Instant};

/// Allows `burst` messages at once and `per_second` in the long run.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    burst: u32,
    interval: Duration,
    /// When the bucket is full again, were nothing more taken (the virtual scheduling form of a leaky bucket).
    full_at: Instant,
}

impl TokenBucket {
    /// A full bucket. `per_second` of zero counts as one.
    pub(crate) fn new(now: Instant, burst: u32, per_second: u32) -> Self {
        Self { burst, interval: Duration::from_secs(1) / per_second.max(1), full_at: now }
    }

    /// Takes a token; false when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.interval;
        if full_at.saturating_duration_since(now) > self.interval * self.burst {
            return false;
        }
        self.full_at = full_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_long_run_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(start, 5, 10);
        assert_eq!((0..9).filter(|_| bucket.take(start)).count(), 5);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..9).filter(|_| bucket.take(later)).count(), 2);
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..9).filter(|_| bucket.take(much_later)).count(), 5, "never more than the burst");
    }
}
