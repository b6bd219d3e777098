//! An engine with connected transports in virtual time: packets of three publishers to everyone else.

use std::time::{Duration, Instant};

use media_engine::api::{Datagram, TransmitBuffer};
use media_model::Source;

use crate::{
    Case,
    floor::{Floor, Incoming},
    support::{SERVER, World, payload},
};

/// How many receivers a packet has.
pub const FAN_OUTS: [usize; 3] = [2, 10, 100];
/// Datagrams that come in one after another from one publisher, and leave together.
pub const BURSTS: [usize; 3] = [1, 4, 32];

/// Who publishes; every receiver has a slot for each of the others.
pub const PUBLISHERS: usize = 3;
/// Datagrams of one run.
const RUN_DATAGRAMS: usize = 96;
/// Between two datagrams of the consult. Time only has to pass; timers are served outside of the clock.
const STEP: Duration = Duration::from_micros(2_200);
/// RFC 7675 §5.1 asks for consent within 30 s; clients renew it sooner.
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// As a shard has them (media/io/src/limits.rs).
const TRANSMIT_BYTES: usize = 1024 * 1024;
const TRANSMIT_DATAGRAMS: usize = 1024;

/// One participant's packets on their way, sealed.
struct Sealed {
    publisher: usize,
    data: Vec<u8>,
}

/// A consult of `fan_out + 1`, all connected.
pub struct Consult {
    world: World,
    out: TransmitBuffer,
    fan_out: usize,
    /// Packets that each publisher has sent, by kind.
    sent: [[u64; 2]; PUBLISHERS],
    consented: Instant,
}

impl Consult {
    /// Everybody joins, shakes hands and has seen a key frame of everyone.
    pub fn new(fan_out: usize) -> Self {
        let world = World::with_participants(fan_out as u32 + 1);
        let consented = world.now;
        let out = TransmitBuffer::new(TRANSMIT_BYTES, TRANSMIT_DATAGRAMS);
        let mut consult = Self { world, out, fan_out, sent: [[0; 2]; PUBLISHERS], consented };
        consult.renew_consent();
        for publisher in 0..PUBLISHERS {
            for payload_bytes in crate::PAYLOAD_BYTES {
                let mut packet = consult.packet(publisher, payload_bytes);
                consult.handle(publisher, &mut packet);
            }
        }
        consult
    }

    /// How many receivers a packet has.
    pub fn fan_out(&self) -> usize {
        self.fan_out
    }

    /// The time that the engine was told last.
    pub fn now(&mut self) -> &mut Instant {
        &mut self.world.now
    }

    /// The publisher's next packet, sealed: sound when it is small, otherwise a picture.
    pub fn packet(&mut self, publisher: usize, payload_bytes: usize) -> Vec<u8> {
        let source = if payload_bytes < 300 { Source::Microphone } else { Source::Camera };
        let sent = &mut self.sent[publisher][usize::from(source == Source::Camera)];
        let number = *sent;
        *sent += 1;
        let (mut payload, ticks) = match source {
            Source::Microphone => (payload::opus(1), 48),
            _ => (payload::vp8(number == 0, number as u16 & 0x7fff, number as u8, 1), 90),
        };
        payload.resize(payload_bytes, 7);
        let since = self.world.now.duration_since(self.world.start).as_millis() as u32;
        self.world.clients[publisher].packet(source, number + 1, since.wrapping_mul(ticks), &payload)
    }

    /// What a client seals of RTCP.
    pub fn seal_rtcp(&mut self, client: usize, plain: &[u8]) -> Vec<u8> {
        self.world.clients[client].seal_rtcp(plain)
    }

    /// The SSRC of a source.
    pub fn ssrc(&self, client: usize, source: Source) -> u32 {
        self.world.clients[client].ssrc(source)
    }

    /// A client's datagram, as the shard hands it over.
    pub fn handle(&mut self, client: usize, data: &mut [u8]) {
        let datagram = Datagram { remote: self.world.clients[client].address, local: SERVER, data };
        self.world.engine.handle_datagram(self.world.now, datagram, &mut self.out);
        // As a shard does, when the next fan-out might not fit.
        if self.out.bytes_free() < TRANSMIT_BYTES / 2 || self.out.len() > TRANSMIT_DATAGRAMS / 2 {
            self.out.clear();
        }
    }

    /// When the engine has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.world.engine.poll_timeout()
    }

    /// Takes what is due; whether anything was sent.
    pub fn serve(&mut self) -> bool {
        let before = self.out.len();
        if self.world.engine.poll_timeout().is_some_and(|due| due <= self.world.now) {
            self.world.engine.handle_timeout(self.world.now, &mut self.out);
        }
        self.out.len() > before
    }

    /// What a shard does at the end of a batch.
    pub fn flush(&mut self) {
        std::hint::black_box(&self.out);
        self.out.clear();
    }

    /// Packets that were forwarded so far.
    pub fn forwarded(&self) -> u64 {
        self.world.engine.counters().rtp_forwarded.iter().sum()
    }

    /// Every client's check, now and then.
    pub fn renew_consent(&mut self) {
        for client in 0..self.world.clients.len() {
            let mut check = self.world.clients[client].check();
            self.handle(client, &mut check);
            self.flush();
        }
        self.consented = self.world.now;
    }

    /// Everything that has become due since, outside of the clock.
    pub fn catch_up(&mut self) {
        if self.world.now - self.consented > CONSENT_INTERVAL {
            self.renew_consent();
        }
        while self.world.engine.poll_timeout().is_some_and(|due| due <= self.world.now) {
            self.serve();
            self.flush();
        }
        while self.world.engine.poll_event().is_some() {}
    }
}

/// Batches of one publisher each, forwarded to everyone else.
pub struct Forward<'a> {
    consult: &'a mut Consult,
    payload_bytes: usize,
    burst: usize,
    datagrams: Vec<Sealed>,
}

impl<'a> Forward<'a> {
    /// Payloads of this size, so many in a batch.
    pub fn new(consult: &'a mut Consult, payload_bytes: usize, burst: usize) -> Self {
        let mut case = Self { consult, payload_bytes, burst, datagrams: Vec::new() };
        let before = case.consult.forwarded();
        case.prepare();
        case.run();
        assert_eq!(case.consult.forwarded() - before, case.units(), "every packet reaches everyone");
        case
    }

    /// The same packets without an engine.
    pub fn floor(fan_out: usize, payload_bytes: usize, burst: usize) -> Floor {
        let batch = |n: usize| vec![Incoming { publisher: n % PUBLISHERS, payload_bytes }; burst];
        Floor::new(PUBLISHERS, fan_out, (0..RUN_DATAGRAMS / burst).map(batch).collect())
    }
}

impl Case for Forward<'_> {
    fn prepare(&mut self) {
        self.consult.catch_up();
        self.datagrams.clear();
        let began = *self.consult.now();
        for n in 0..RUN_DATAGRAMS {
            let publisher = n / self.burst % PUBLISHERS;
            *self.consult.now() += STEP;
            let data = self.consult.packet(publisher, self.payload_bytes);
            self.datagrams.push(Sealed { publisher, data });
        }
        *self.consult.now() = began;
    }

    fn run(&mut self) {
        for batch in self.datagrams.chunks_mut(self.burst) {
            *self.consult.now() += STEP * batch.len() as u32;
            for Sealed { publisher, data } in batch {
                self.consult.handle(*publisher, data);
            }
            self.consult.flush();
        }
    }

    fn units(&self) -> u64 {
        (RUN_DATAGRAMS * self.consult.fan_out()) as u64
    }
}
