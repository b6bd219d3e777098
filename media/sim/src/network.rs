//! The way between a client and the server, one direction at a time.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::Random;

/// A queue of the rate limit that is longer than this drops what comes.
const QUEUE_MAX: Duration = Duration::from_millis(300);

/// What a direction does to datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Share of datagrams that are lost, from 0 to 1.
    pub loss: f64,
    /// What every datagram takes at least.
    pub delay: Duration,
    /// What it takes on top, evenly distributed; datagrams overtake each other.
    pub jitter: Duration,
    /// Share of datagrams that arrive twice.
    pub duplicates: f64,
    /// Bottleneck, in bits a second.
    pub rate_bps: Option<u64>,
}

impl Conditions {
    /// 20 ms and nothing else.
    pub const GOOD: Self = Self {
        loss: 0.0,
        delay: Duration::from_millis(20),
        jitter: Duration::ZERO,
        duplicates: 0.0,
        rate_bps: None,
    };

    /// 5 % loss, 50 ms jitter, now and then a duplicate.
    pub const BAD: Self =
        Self { loss: 0.05, jitter: Duration::from_millis(50), duplicates: 0.001, ..Self::GOOD };
}

/// A datagram on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InFlight {
    pub at: Instant,
    order: u64,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub data: Vec<u8>,
}

/// Everything that is on its way.
#[derive(Debug)]
pub(crate) struct Network {
    random: Random,
    in_flight: BinaryHeap<Reverse<InFlight>>,
    sent: u64,
}

/// Until when a direction's bottleneck is busy.
pub(crate) type Busy = Option<Instant>;

impl Network {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), in_flight: BinaryHeap::new(), sent: 0 }
    }

    pub fn send(
        &mut self,
        now: Instant,
        conditions: &Conditions,
        busy: &mut Busy,
        from: SocketAddr,
        to: SocketAddr,
        data: &[u8],
    ) {
        // DTLS stacks draw random numbers of their own. What follows from a seed must not follow from those, so the
        // handshake has a way without chance; the engine's own tests make it lossy.
        if data.first().is_some_and(|first| (20..=63).contains(first)) {
            return self.put(now + conditions.delay, from, to, data);
        }
        if self.random.chance(conditions.loss) {
            return;
        }
        let mut leaves = now;
        if let Some(rate_bps) = conditions.rate_bps {
            let free = busy.map_or(now, |busy| busy.max(now));
            if free - now > QUEUE_MAX {
                return;
            }
            leaves = free + Duration::from_secs_f64(data.len() as f64 * 8.0 / rate_bps as f64);
            *busy = Some(leaves);
        }
        let copies = if self.random.chance(conditions.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            let at = leaves + conditions.delay + conditions.jitter.mul_f64(self.random.unit());
            self.put(at, from, to, data);
        }
    }

    fn put(&mut self, at: Instant, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        self.sent += 1;
        self.in_flight.push(Reverse(InFlight { at, order: self.sent, from, to, data: data.to_vec() }));
    }

    pub fn next_at(&self) -> Option<Instant> {
        self.in_flight.peek().map(|Reverse(next)| next.at)
    }

    pub fn arrive(&mut self, now: Instant) -> Option<InFlight> {
        self.next_at().filter(|at| *at <= now)?;
        self.in_flight.pop().map(|Reverse(next)| next)
    }
}
