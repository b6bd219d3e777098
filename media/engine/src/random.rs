//! Numbers that nobody outside can know beforehand, from a seed: the same seed makes the same run.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). For initial sequence
/// numbers, timestamps and SSRCs (RFC 3550 §5.1), never for keys.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence that the seed decides.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A sequence number to begin with: below 2^15, so that a receiver that misses the first packets still guesses
    /// the roll-over counter right (RFC 3711 §3.3.1).
    pub fn first_index(&mut self) -> u64 {
        self.next() >> 49
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_run() {
        let run = |seed| -> Vec<u64> {
            let mut random = Random::new(seed);
            (0..3).map(|_| random.next()).collect()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert!((0..1_000).all(|seed| Random::new(seed).first_index() < 1 << 15));
    }
}
