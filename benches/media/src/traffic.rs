//! Whole seconds of a consult of three: sound, bursts of pictures, the clients' RTCP, and everything that is due.

use std::time::{Duration, Instant};

use media_engine::rtp::{
    NtpTime,
    rtcp::{CompoundWriter, SenderInfo},
};
use media_model::Source;

use crate::{
    Case,
    floor::{Floor, Incoming},
    forward::{Consult, PUBLISHERS},
};

const AUDIO_BYTES: usize = 120;
const VIDEO_BYTES: usize = 1_100;
const VIDEO_BURST: usize = 4;
const JITTER_MAX: Duration = Duration::from_millis(4);
const SECOND: Duration = Duration::from_secs(1);

/// One arrival at the server.
#[derive(Clone, Copy)]
struct Arrival {
    at: Duration,
    client: usize,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    Media { payload_bytes: usize, packets: usize },
    Reports,
}

/// A second as three clients send it, each 50 packets of sound and 25 bursts of pictures, in the order of arrival. The
/// network's jitter is another every second: timers would otherwise coincide with arrivals.
fn second(seed: &mut u64) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    let mut jitter = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        JITTER_MAX.mul_f64((*seed >> 40) as f64 / f64::from(1 << 24))
    };
    for client in 0..PUBLISHERS {
        let shift = Duration::from_micros(6_100) * client as u32;
        for n in 0..50 {
            let content = Content::Media { payload_bytes: AUDIO_BYTES, packets: 1 };
            let at = shift + Duration::from_millis(20) * n + jitter();
            arrivals.push(Arrival { at, client, content });
        }
        for n in 0..25 {
            let content = Content::Media { payload_bytes: VIDEO_BYTES, packets: VIDEO_BURST };
            let at = shift + Duration::from_micros(3_700) + Duration::from_millis(40) * n + jitter();
            arrivals.push(Arrival { at, client, content });
        }
        let at = shift + Duration::from_millis(501) + jitter();
        arrivals.push(Arrival { at, client, content: Content::Reports });
    }
    arrivals.sort_by_key(|a| a.at);
    arrivals
}

/// The engine's share of it.
pub struct Traffic {
    consult: Consult,
    arrivals: Vec<Arrival>,
    seed: u64,
    began: Instant,
    datagrams: Vec<Vec<u8>>,
    /// Times that a timer alone woke the engine, and times that it had something to send then.
    wakes: [u64; 2],
    seconds: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}

impl Traffic {
    /// Three who are connected.
    pub fn new() -> Self {
        let mut consult = Consult::new(2);
        let began = *consult.now();
        let mut case = Self {
            consult,
            arrivals: Vec::new(),
            seed: 1,
            began,
            datagrams: Vec::new(),
            wakes: [0; 2],
            seconds: 0,
        };
        let before = case.consult.forwarded();
        case.prepare();
        case.run();
        assert_eq!(case.consult.forwarded() - before, case.units(), "every packet reaches everyone");
        (case.wakes, case.seconds) = ([0; 2], 0);
        case
    }

    /// The same packets without an engine; RTCP is not in it.
    pub fn floor() -> Floor {
        let batches = second(&mut 1).into_iter().filter_map(|arrival| match arrival.content {
            Content::Media { payload_bytes, packets } => {
                Some(vec![Incoming { publisher: arrival.client, payload_bytes }; packets])
            }
            Content::Reports => None,
        });
        Floor::new(PUBLISHERS, 2, batches.collect())
    }

    /// How often a second a timer alone wakes the engine, and how often it has something to send then.
    pub fn wakes_a_second(&self) -> [f64; 2] {
        self.wakes.map(|wakes| wakes as f64 / self.seconds as f64)
    }

    fn reports(&mut self, client: usize) -> Vec<u8> {
        let since = self.consult.now().duration_since(self.began);
        let plain = sender_reports(since, |source| self.consult.ssrc(client, source));
        self.consult.seal_rtcp(client, &plain)
    }
}

/// A compound on microphone and camera, so long after the beginning.
pub(crate) fn sender_reports(since: Duration, ssrc: impl Fn(Source) -> u32) -> Vec<u8> {
    let mut plain = [0; 200];
    let mut writer = CompoundWriter::new(&mut plain);
    for (source, ticks_per_ms) in [(Source::Microphone, 48), (Source::Camera, 90)] {
        let info = SenderInfo {
            ssrc: ssrc(source),
            ntp: NtpTime::from_unix(Duration::from_secs(1_800_000_000) + since),
            rtp_timestamp: (since.as_millis() as u32).wrapping_mul(ticks_per_ms),
            packet_count: 1,
            octet_count: 1,
        };
        writer.sender_report(&info, []);
    }
    let length = writer.len();
    plain[..length].to_vec()
}

impl Case for Traffic {
    fn prepare(&mut self) {
        self.consult.catch_up();
        // Another second begins when the last one has passed.
        let began = *self.consult.now();
        self.datagrams.clear();
        self.arrivals = second(&mut self.seed);
        for at in 0..self.arrivals.len() {
            let Arrival { at, client, content } = self.arrivals[at];
            *self.consult.now() = began + at;
            match content {
                Content::Media { payload_bytes, packets } => {
                    for _ in 0..packets {
                        let packet = self.consult.packet(client, payload_bytes);
                        self.datagrams.push(packet);
                    }
                }
                Content::Reports => {
                    let reports = self.reports(client);
                    self.datagrams.push(reports);
                }
            }
        }
        *self.consult.now() = began;
    }

    fn run(&mut self) {
        let began = *self.consult.now();
        let mut datagrams = self.datagrams.iter_mut();
        for Arrival { at, client, content } in &self.arrivals {
            while let Some(due) = self.consult.due().filter(|due| *due < began + *at) {
                *self.consult.now() = due;
                self.wakes[0] += 1;
                self.wakes[1] += u64::from(self.consult.serve());
                self.consult.flush();
            }
            *self.consult.now() = began + *at;
            let packets = if let Content::Media { packets, .. } = content { *packets } else { 1 };
            for data in datagrams.by_ref().take(packets) {
                self.consult.handle(*client, data);
            }
            self.consult.serve();
            self.consult.flush();
        }
        *self.consult.now() = began + SECOND;
        self.seconds += 1;
    }

    fn units(&self) -> u64 {
        // 150 packets of each of the three, to two others.
        150 * PUBLISHERS as u64 * 2
    }
}
