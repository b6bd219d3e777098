//! How many bytes a transport may be sent again: a request costs it a few bytes and the server a packet each.

use std::time::{Duration, Instant};

/// What may be sent again at once.
const BURST_BYTES: u64 = 64 * 1024;
/// What comes in with time, 2 Mbit/s; and a byte for so many that are forwarded.
const BYTES_PER_SECOND: u64 = 250_000;
const FORWARDED_BYTES_PER_BYTE: u64 = 2;

/// One transport's allowance: a token bucket, in bytes.
#[derive(Debug)]
pub struct RepairBudget {
    bytes: u64,
    refilled: Instant,
}

impl RepairBudget {
    /// A full one.
    pub fn new(now: Instant) -> Self {
        Self { bytes: BURST_BYTES, refilled: now }
    }

    /// So many bytes were forwarded for the first time.
    pub fn forwarded(&mut self, bytes: usize) {
        self.add(bytes as u64 / FORWARDED_BYTES_PER_BYTE);
    }

    /// Whether anything may be sent again now.
    pub fn allows(&mut self, now: Instant) -> bool {
        // Whole milliseconds, so that nothing is lost to rounding.
        let elapsed_ms = now.saturating_duration_since(self.refilled).as_millis() as u64;
        self.refilled += Duration::from_millis(elapsed_ms);
        self.add(elapsed_ms.saturating_mul(BYTES_PER_SECOND / 1_000));
        self.bytes > 0
    }

    /// So many bytes were sent again; the last packet may overdraw.
    pub fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }

    fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes).min(BURST_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What can be spent in packets of 1,000 bytes before it says no.
    fn drain(budget: &mut RepairBudget, now: Instant) -> usize {
        (0..1_000).take_while(|_| budget.allows(now).then(|| budget.spend(1_000)).is_some()).count()
    }

    #[test]
    fn it_fills_with_time_and_with_what_is_forwarded_up_to_a_burst() {
        let start = Instant::now();
        let mut budget = RepairBudget::new(start);
        assert_eq!(drain(&mut budget, start), 66);
        assert_eq!(drain(&mut budget, start + Duration::from_millis(40)), 10);
        budget.forwarded(20_000);
        assert_eq!(drain(&mut budget, start + Duration::from_millis(40)), 10);
        assert_eq!(drain(&mut budget, start + Duration::from_secs(3_600)), 66);
    }
}
