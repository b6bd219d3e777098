//! Many consults on one shard: between two packets of the same person, what is known of him has left the processor's
//! caches. What fetching ahead and keeping things together are worth shows here, and in no smaller case.

use std::time::{Duration, Instant};

use media_engine::{
    Coming,
    api::{Datagram, TransmitBuffer},
};
use media_model::Source;

use crate::{
    Case,
    floor::{Floor, Incoming},
    support::{SERVER, World, payload},
};

/// Consults of three.
pub const CONSULTS: [u32; 2] = [60, 250];
const SIZE: u32 = 3;
/// Messages that a shard takes in at a time.
const BATCH: usize = 16;
/// From one batch to the next; a person's turn comes again as in a call.
const STEP: Duration = Duration::from_micros(600);
const AUDIO_BYTES: usize = 120;
const VIDEO_BYTES: usize = 1_100;
const VIDEO_BURST: usize = 4;
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// What the kernel, and everybody else on the machine, displaces from one batch to the next.
const DISPLACED_BYTES: usize = 128 * 1024;
const DISPLACING_BYTES: usize = 16 * 1024 * 1024;

/// A message's sender, size and packets: two of sound, then a picture, everybody by turns.
fn message(turn: usize, people: usize) -> (usize, usize, usize) {
    // A step that shares no factor with the number of people, so that neighbours do not follow one another.
    let sender = turn * 37 % people;
    match turn / people % 3 {
        0 | 1 => (sender, AUDIO_BYTES, 1),
        _ => (sender, VIDEO_BYTES, VIDEO_BURST),
    }
}

/// The engine's share of a batch.
pub struct Crowd {
    world: World,
    out: TransmitBuffer,
    sent: Vec<[u64; 2]>,
    datagrams: Vec<(usize, Vec<u8>)>,
    turn: usize,
    consented: Instant,
    displaced: Displaced,
}

impl Crowd {
    /// Everybody is connected and has seen a key frame of everyone.
    pub fn new(consults: u32) -> Self {
        let world = World::with_consults(consults, SIZE);
        let people = world.clients.len();
        let mut crowd = Self {
            consented: world.now,
            world,
            out: TransmitBuffer::new(1 << 20, 1_024),
            sent: vec![[0; 2]; people],
            datagrams: Vec::new(),
            turn: 0,
            displaced: Displaced::default(),
        };
        // Long enough for every list and cache to have taken its memory.
        for _ in 0..(people * 3).div_ceil(BATCH) * 40 {
            crowd.prepare();
            crowd.run();
        }
        let before = crowd.forwarded();
        crowd.prepare();
        crowd.run();
        assert_eq!(crowd.forwarded() - before, crowd.units(), "every packet reaches everyone");
        crowd
    }

    /// The same packets without an engine.
    pub fn floor(consults: u32) -> AfterOthers<Floor> {
        let people = (consults * SIZE) as usize;
        let batches = (0..(people * 3).div_ceil(BATCH)).map(|batch| {
            let messages = (batch * BATCH..(batch + 1) * BATCH).map(|turn| message(turn, people));
            messages
                .flat_map(|(publisher, payload_bytes, packets)| {
                    vec![Incoming { publisher, payload_bytes }; packets]
                })
                .collect()
        });
        let floor = Floor::new(people, SIZE as usize - 1, batches.collect());
        AfterOthers { case: floor.batch_by_batch(), displaced: Displaced::default() }
    }

    fn forwarded(&self) -> u64 {
        self.world.engine.counters().rtp_forwarded.iter().sum()
    }

    fn packet(&mut self, sender: usize, payload_bytes: usize) -> Vec<u8> {
        let source = if payload_bytes == AUDIO_BYTES { Source::Microphone } else { Source::Camera };
        let sent = &mut self.sent[sender][usize::from(source == Source::Camera)];
        let number = *sent;
        *sent += 1;
        let (mut payload, ticks) = match source {
            Source::Microphone => (payload::opus(1), 48),
            _ => (payload::vp8(number == 0, number as u16 & 0x7fff, number as u8, 1), 90),
        };
        payload.resize(payload_bytes, 7);
        let since = self.world.now.duration_since(self.world.start).as_millis() as u32;
        self.world.clients[sender].packet(source, number + 1, since.wrapping_mul(ticks), &payload)
    }

    fn renew_consent(&mut self) {
        for client in 0..self.world.clients.len() {
            let mut check = self.world.clients[client].check();
            let remote = self.world.clients[client].address;
            let datagram = Datagram { remote, local: SERVER, data: &mut check };
            self.world.engine.handle_datagram(self.world.now, datagram, &mut self.out);
            self.out.clear();
        }
        self.consented = self.world.now;
    }
}

impl Case for Crowd {
    fn prepare(&mut self) {
        self.world.now += STEP;
        if self.world.now - self.consented > CONSENT_INTERVAL {
            self.renew_consent();
        }
        while self.world.engine.poll_timeout().is_some_and(|due| due <= self.world.now) {
            self.world.engine.handle_timeout(self.world.now, &mut self.out);
            self.out.clear();
        }
        while self.world.engine.poll_event().is_some() {}
        self.datagrams.clear();
        for turn in self.turn..self.turn + BATCH {
            let (sender, payload_bytes, packets) = message(turn, self.sent.len());
            for _ in 0..packets {
                let packet = self.packet(sender, payload_bytes);
                self.datagrams.push((sender, packet));
            }
        }
        self.turn += BATCH;
        self.displaced.touch();
        // As they come from the kernel, in the caches.
        self.datagrams
            .iter_mut()
            .for_each(|(_, data)| data.iter_mut().for_each(|byte| *byte = std::hint::black_box(*byte)));
    }

    fn run(&mut self) {
        let clients = &self.world.clients;
        let mut latest = None;
        // The first of each train, as the shell hands them over.
        let coming =
            self.datagrams.iter().filter(move |(sender, _)| latest.replace(*sender) != Some(*sender));
        self.world.engine.expect(
            self.world.now,
            coming.map(|(sender, data)| Coming {
                remote: clients[*sender].address,
                local: SERVER,
                data,
                datagrams: if data.len() < VIDEO_BYTES { 1 } else { VIDEO_BURST },
            }),
        );
        for (sender, data) in &mut self.datagrams {
            let datagram = Datagram { remote: self.world.clients[*sender].address, local: SERVER, data };
            self.world.engine.handle_datagram(self.world.now, datagram, &mut self.out);
        }
        std::hint::black_box(&self.out);
        self.out.clear();
    }

    fn units(&self) -> u64 {
        self.datagrams.len() as u64 * u64::from(SIZE - 1)
    }
}

/// Memory that others use.
struct Displaced {
    memory: Vec<u8>,
    at: usize,
}

impl Default for Displaced {
    fn default() -> Self {
        Self { memory: vec![1; DISPLACING_BYTES], at: 0 }
    }
}

impl Displaced {
    fn touch(&mut self) {
        self.at = (self.at + DISPLACED_BYTES) % self.memory.len();
        let others = &mut self.memory[self.at..self.at + DISPLACED_BYTES];
        others.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
        std::hint::black_box(others);
    }
}

/// A case that finds the caches as others have left them.
pub struct AfterOthers<C> {
    case: C,
    displaced: Displaced,
}

impl<C: Case> Case for AfterOthers<C> {
    fn prepare(&mut self) {
        self.displaced.touch();
        self.case.prepare();
    }

    fn run(&mut self) {
        self.case.run();
    }

    fn units(&self) -> u64 {
        self.case.units()
    }
}
