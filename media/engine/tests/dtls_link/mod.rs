//! A seeded link between two DTLS peers in virtual time: loss, delay, reordering, copies; shared with `benches/dtls-choice`.
#![allow(dead_code, reason = "each user takes a part of it")]

use std::time::{Duration, Instant};

use media_engine::transport::dtls::{Connected, Dtls, DtlsClient, DtlsEvent};

/// One end of the link.
pub trait Peer {
    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&self) -> Option<Instant>;
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;
    fn poll_event(&mut self) -> Option<DtlsEvent>;
}

macro_rules! impl_peer {
    ($($peer:ty)+) => {$(
        impl Peer for $peer {
            // Errors show as a handshake that never ends.
            fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
                let _ = <$peer>::handle_datagram(self, now, datagram);
            }
            fn handle_timeout(&mut self, now: Instant) {
                let _ = <$peer>::handle_timeout(self, now);
            }
            fn poll_timeout(&self) -> Option<Instant> {
                <$peer>::poll_timeout(self)
            }
            fn poll_transmit(&mut self) -> Option<Vec<u8>> {
                <$peer>::poll_transmit(self)
            }
            fn poll_event(&mut self) -> Option<DtlsEvent> {
                <$peer>::poll_event(self)
            }
        }
    )+};
}

impl_peer!(Dtls DtlsClient);

/// What the link does to datagrams, both ways.
#[derive(Clone, Copy)]
pub struct Conditions {
    /// Per cent of the datagrams that are lost.
    pub loss_percent: u64,
    /// Per cent that arrive twice.
    pub copy_percent: u64,
    /// One way.
    pub delay: Duration,
    /// Up to so much more, each datagram for itself: more than the spacing of datagrams reorders them.
    pub jitter: Duration,
    /// Cuts each ClientHello in two, in datagrams of their own, as browsers' are.
    pub split_hello: bool,
}

pub const CLEAN: Conditions = Conditions {
    loss_percent: 0,
    copy_percent: 0,
    delay: Duration::from_millis(20),
    jitter: Duration::ZERO,
    split_hello: true,
};

/// xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

struct InFlight {
    at: Instant,
    to_server: bool,
    datagram: Vec<u8>,
}

/// Two peers and what is between them.
pub struct Link<'a> {
    pub server: &'a mut dyn Peer,
    pub client: &'a mut dyn Peer,
    pub now: Instant,
    pub server_connected: Option<(Instant, Connected)>,
    pub client_connected: Option<(Instant, Connected)>,
    pub server_closed: bool,
    pub client_closed: bool,
    /// Says of a datagram, by direction and count, whether to lose it; over and above the random loss.
    pub lose: Box<dyn FnMut(bool, usize) -> bool>,
    pub sent: [usize; 2],
    conditions: Conditions,
    random: Random,
    in_flight: Vec<InFlight>,
    client_record: u64,
}

impl<'a> Link<'a> {
    pub fn new(
        server: &'a mut dyn Peer,
        client: &'a mut dyn Peer,
        now: Instant,
        conditions: Conditions,
        seed: u64,
    ) -> Self {
        Self {
            server,
            client,
            now,
            server_connected: None,
            client_connected: None,
            server_closed: false,
            client_closed: false,
            lose: Box::new(|_, _| false),
            sent: [0; 2],
            conditions,
            random: Random::new(seed),
            in_flight: Vec::new(),
            client_record: 0,
        }
    }

    pub fn both_connected(&self) -> bool {
        self.server_connected.is_some() && self.client_connected.is_some()
    }

    /// Runs until both are connected or `limit` has passed; says when both were.
    pub fn connect(&mut self, limit: Duration) -> Option<Duration> {
        let start = self.now;
        self.run(start + limit, true);
        let (server, client) = (self.server_connected.as_ref()?.0, self.client_connected.as_ref()?.0);
        Some(server.max(client) - start)
    }

    /// Runs for so long, whatever happens.
    pub fn run_for(&mut self, time: Duration) {
        self.run(self.now + time, false);
    }

    fn run(&mut self, end: Instant, stop_when_connected: bool) {
        self.drain();
        while !(stop_when_connected && self.both_connected()) {
            let arrival = self.in_flight.iter().map(|datagram| datagram.at).min();
            let timers = [self.server.poll_timeout(), self.client.poll_timeout()];
            let next = timers.into_iter().flatten().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            if timers[0].is_some_and(|at| at <= self.now) {
                self.server.handle_timeout(self.now);
            }
            if timers[1].is_some_and(|at| at <= self.now) {
                self.client.handle_timeout(self.now);
            }
            if let Some(index) = self.in_flight.iter().position(|datagram| datagram.at <= self.now) {
                let InFlight { to_server, datagram, .. } = self.in_flight.remove(index);
                let peer = if to_server { &mut *self.server } else { &mut *self.client };
                peer.handle_datagram(self.now, &datagram);
            }
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(datagram) = self.server.poll_transmit() {
            self.send(false, datagram);
        }
        while let Some(mut datagram) = self.client.poll_transmit() {
            if self.conditions.split_hello {
                let second = split_client_hello(&mut datagram);
                for datagram in [Some(datagram), second].into_iter().flatten() {
                    self.send_renumbered(datagram);
                }
            } else {
                self.send(true, datagram);
            }
        }
        while let Some(event) = self.server.poll_event() {
            match event {
                DtlsEvent::Connected(connected) => self.server_connected = Some((self.now, connected)),
                DtlsEvent::Closed => self.server_closed = true,
            }
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                DtlsEvent::Connected(connected) => self.client_connected = Some((self.now, connected)),
                DtlsEvent::Closed => self.client_closed = true,
            }
        }
    }

    /// A split makes one more record, so all records of epoch 0 get new numbers.
    fn send_renumbered(&mut self, mut datagram: Vec<u8>) {
        let mut at = 0;
        while at + 13 <= datagram.len() {
            if datagram[at + 3..at + 5] == [0, 0] {
                datagram[at + 3..at + 11].copy_from_slice(&self.client_record.to_be_bytes());
                self.client_record += 1;
            }
            at += 13 + usize::from(u16::from_be_bytes([datagram[at + 11], datagram[at + 12]]));
        }
        self.send(true, datagram);
    }

    fn send(&mut self, to_server: bool, datagram: Vec<u8>) {
        let count = &mut self.sent[usize::from(to_server)];
        *count += 1;
        if (self.lose)(to_server, *count) || self.random.percent(self.conditions.loss_percent) {
            return;
        }
        let copies = 1 + usize::from(self.random.percent(self.conditions.copy_percent));
        for _ in 0..copies {
            let jitter_us = self.conditions.jitter.as_micros() as u64;
            let jitter = Duration::from_micros(self.random.next() % (jitter_us + 1));
            let at = self.now + self.conditions.delay + jitter;
            self.in_flight.push(InFlight { at, to_server, datagram: datagram.clone() });
        }
    }
}

/// Where the datagram is one whole ClientHello: leaves the first half of it and returns the second.
pub fn split_client_hello(datagram: &mut Vec<u8>) -> Option<Vec<u8>> {
    let whole = datagram.len() > 100 && datagram[0] == 22 && datagram[3..5] == [0, 0] && datagram[13] == 1;
    if !whole || datagram[19..22] != [0; 3] || datagram[14..17] != datagram[22..25] {
        return None;
    }
    let length = datagram.len() - 25;
    let first = length / 2;
    let mut second = datagram[..25].to_vec();
    second.extend_from_slice(&datagram[25 + first..]);
    datagram.truncate(25 + first);
    set_fragment(datagram, 0, first);
    set_fragment(&mut second, first, length - first);
    Some(second)
}

fn set_fragment(datagram: &mut [u8], offset: usize, length: usize) {
    datagram[11..13].copy_from_slice(&(12 + length as u16).to_be_bytes());
    datagram[19..22].copy_from_slice(&(offset as u32).to_be_bytes()[1..]);
    datagram[22..25].copy_from_slice(&(length as u32).to_be_bytes()[1..]);
}
