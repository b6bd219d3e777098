//! Chance that can be repeated: a number makes all the others.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The variable that repeats a run.
pub const SEED: &str = "CONSILIUM_KILLS_SEED";

/// Numbers drawn by SplitMix64.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// From the environment, or from the clock; says which, for a run that fails.
    pub fn of_this_run() -> Self {
        let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or_else(drawn);
        println!("repeat these moments by {SEED}={seed}");
        Self(seed)
    }

    /// Numbers of their own for somebody else.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// One of `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn up_to_ms(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.next() % (most * 1000 + 1))
    }

    /// Yes, once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
