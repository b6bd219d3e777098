//! A bad network between the clients and the target: loss, delay, jitter and a narrow line. What is lost and how long the
//! rest takes is drawn from a seed, so that a run can be repeated. The order of a participant's datagrams is kept.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::plan::Network;

/// What waits longer than this for a narrow line is lost, as in a router whose buffer is full.
const QUEUE_NS_MAX: u64 = 200_000_000;
/// IP and UDP headers, which a line carries too (RFC 791 §3.1, RFC 768).
const HEADER_BYTES: u64 = 28;

/// A datagram on its way.
#[derive(Debug)]
pub struct Waiting {
    /// Whose, by the thread's number of the transport.
    pub transport: u32,
    /// When it arrives, in nanoseconds since 1970.
    pub due_ns: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One direction of all transports of a thread.
#[derive(Debug)]
pub struct Impaired {
    network: Network,
    /// Datagrams by when they arrive.
    waiting: BTreeMap<(u64, u64), Waiting>,
    /// Of each transport: when its newest datagram arrives, and when its line is free again.
    lines: HashMap<u32, Line>,
    number: u64,
    random: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Line {
    newest_due_ns: u64,
    free_ns: u64,
}

impl Impaired {
    /// A direction with nothing on its way.
    pub fn new(network: Network, seed: u64) -> Self {
        Self { network, waiting: BTreeMap::new(), lines: HashMap::new(), number: 0, random: seed }
    }

    /// Takes a datagram that sets off now. It may never arrive.
    pub fn put(&mut self, transport: u32, bytes: &[u8], now_ns: u64) {
        if self.draw() * 100.0 < self.network.loss_percent {
            return;
        }
        let jitter_ms = self.draw() * self.network.jitter_ms;
        let line = self.lines.entry(transport).or_default();
        let mut set_off_ns = now_ns;
        if self.network.rate_kbit > 0.0 {
            let bits = 8 * (bytes.len() as u64 + HEADER_BYTES);
            let begin_ns = line.free_ns.max(now_ns);
            if begin_ns - now_ns > QUEUE_NS_MAX {
                return;
            }
            line.free_ns = begin_ns + (bits as f64 / self.network.rate_kbit * 1e6) as u64;
            set_off_ns = line.free_ns;
        }
        let due_ns = set_off_ns + ((self.network.delay_ms + jitter_ms) * 1e6) as u64;
        line.newest_due_ns = line.newest_due_ns.max(due_ns);
        let due_ns = line.newest_due_ns;
        self.number += 1;
        self.waiting.insert((due_ns, self.number), Waiting { transport, due_ns, bytes: bytes.to_vec() });
    }

    /// The next datagram that has arrived by now.
    pub fn pop(&mut self, now_ns: u64) -> Option<Waiting> {
        let entry = self.waiting.first_entry().filter(|entry| entry.key().0 <= now_ns)?;
        Some(entry.remove())
    }

    /// Forgets a transport's line; what is on its way arrives at nobody's.
    pub fn forget(&mut self, transport: u32) {
        self.lines.remove(&transport);
    }

    /// From 0 to 1 (SplitMix64).
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// When a participant's address changes.
#[derive(Debug)]
pub struct AddressChanges {
    every_ns: u64,
    due: VecDeque<(u64, u32)>,
}

impl AddressChanges {
    /// Every so many seconds; 0: never.
    pub fn new(every_s: f64) -> Self {
        Self { every_ns: (every_s * 1e9) as u64, due: VecDeque::new() }
    }

    /// A transport is there from now on.
    pub fn add(&mut self, transport: u32, now_ns: u64) {
        if self.every_ns > 0 {
            self.due.push_back((now_ns + self.every_ns, transport));
        }
    }

    /// A transport whose address changes now. Who is asked for again and again has to be told when it has gone.
    pub fn pop(&mut self, now_ns: u64) -> Option<u32> {
        let (at, transport) = *self.due.front().filter(|(at, _)| *at <= now_ns)?;
        self.due.pop_front();
        self.due.push_back((at + self.every_ns, transport));
        Some(transport)
    }

    /// A transport has gone.
    pub fn remove(&mut self, transport: u32) {
        self.due.retain(|(_, of)| *of != transport);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// 1,000 datagrams of 97 bytes, one each 10 ms, and when each arrived.
    fn arrivals(network: Network) -> Vec<(u16, u64)> {
        let mut impaired = Impaired::new(network, 7);
        let mut arrived = Vec::new();
        for number in 0..1_000_u16 {
            let now_ns = u64::from(number) * 10 * MS;
            let mut bytes = vec![0; 97];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            impaired.put(1, &bytes, now_ns);
            while let Some(waiting) = impaired.pop(now_ns) {
                arrived.push((u16::from_be_bytes([waiting.bytes[0], waiting.bytes[1]]), waiting.due_ns));
            }
        }
        arrived
    }

    #[test]
    fn some_are_lost_and_the_rest_keeps_its_order() {
        let network = Network { loss_percent: 10.0, delay_ms: 40.0, jitter_ms: 30.0, ..Network::default() };
        let arrived = arrivals(network);
        assert!((860..940).contains(&arrived.len()), "{}", arrived.len());
        assert!(arrived.is_sorted_by_key(|(number, _)| *number));
        let delays = arrived.iter().map(|(number, due)| due - u64::from(*number) * 10 * MS);
        assert!(delays.clone().all(|delay| (40 * MS..80 * MS).contains(&delay)));
        assert!(delays.max() > Some(60 * MS));
    }

    #[test]
    fn a_narrow_line_delays_first_and_loses_then() {
        // 125 bytes each 10 ms are 100 kbit/s.
        let wide = arrivals(Network { rate_kbit: 200.0, ..Network::default() });
        assert!(
            wide.len() >= 998
                && wide.iter().all(|(number, due)| due - u64::from(*number) * 10 * MS <= 5 * MS)
        );
        let narrow = arrivals(Network { rate_kbit: 50.0, ..Network::default() });
        assert!((480..540).contains(&narrow.len()), "{}", narrow.len());
        let waits = narrow.iter().map(|(number, due)| due - u64::from(*number) * 10 * MS);
        assert!(waits.max().is_some_and(|wait| (180 * MS..=220 * MS).contains(&wait)));
    }

    #[test]
    fn addresses_change_in_turn_and_for_those_who_are_there() {
        let mut changes = AddressChanges::new(10.0);
        changes.add(1, 0);
        changes.add(2, 1);
        assert_eq!(changes.pop(9_000 * MS), None);
        let at = |changes: &mut AddressChanges, ms: u64| [changes.pop(ms * MS), changes.pop(ms * MS)];
        assert_eq!(at(&mut changes, 10_001), [Some(1), Some(2)]);
        changes.remove(1);
        assert_eq!(at(&mut changes, 20_001), [Some(2), None]);
        AddressChanges::new(0.0).add(1, 0);
    }
}
