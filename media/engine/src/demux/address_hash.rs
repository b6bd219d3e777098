//! A cheap hash for the table that every packet looks up.
//!
//! Only addresses that have passed an authenticated check get into the table, a few for each transport, so nobody fills it
//! at will; the keys are random all the same, so that nobody can choose addresses that collide.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

/// The keys of one table.
#[derive(Debug, Clone, Copy)]
pub struct KeyedState {
    start: u64,
    multiplier: u64,
}

impl Default for KeyedState {
    fn default() -> Self {
        let random = RandomState::new();
        Self { start: random.hash_one(0), multiplier: random.hash_one(1) | 1 }
    }
}

impl BuildHasher for KeyedState {
    type Hasher = Keyed;

    fn build_hasher(&self) -> Keyed {
        Keyed { state: self.start, multiplier: self.multiplier }
    }
}

/// Folds each word into the state by a multiplication of which both halves count.
#[derive(Debug)]
pub struct Keyed {
    state: u64,
    multiplier: u64,
}

impl Keyed {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.multiplier);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Keyed {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.fold(u64::from_ne_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.fold(u64::from_ne_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.fold(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.fold(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.fold(number as u64);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        net::{IpAddr, Ipv4Addr, SocketAddr},
    };

    use super::*;

    fn hash(state: KeyedState, port: u16, last: u8) -> u64 {
        let remote = SocketAddr::from(([192, 0, 2, last], port));
        state.hash_one((remote, IpAddr::V4(Ipv4Addr::LOCALHOST)))
    }

    #[test]
    fn neighbouring_addresses_spread_over_the_table() {
        let state = KeyedState::default();
        let addresses =
            || (0..256_u16).flat_map(|last| (0..256).map(move |port| (50_000 + port, last as u8)));
        let hashes: HashSet<u64> = addresses().map(|(port, last)| hash(state, port, last)).collect();
        assert_eq!(hashes.len(), 1 << 16);
        // A table takes its place from the low bits and tells entries apart by the top seven.
        for shift in [0, 57] {
            let mut counts = [0_u32; 128];
            hashes.iter().for_each(|h| counts[(h >> shift & 127) as usize] += 1);
            assert!(counts.iter().all(|c| (350..700).contains(c)), "{shift}: {counts:?}");
        }
    }

    #[test]
    fn another_table_has_other_keys() {
        let differs = |_| hash(KeyedState::default(), 1, 1) != hash(KeyedState::default(), 1, 1);
        assert!((0..8).all(differs));
    }
}
