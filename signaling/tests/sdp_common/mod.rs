//! Offers from files, and a server's side with a seeded source of numbers.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{collections::HashSet, net::SocketAddr, path::PathBuf};

use media_engine::api::IceCredentials;
use media_model::{Codec, SlotPool, Source};
use signaling::sdp::{Negotiated, Ours, SdpError, answer};
use signaling_protocol::client::{Offer, OfferedSlot, OfferedTrack};

/// Seeded: every run sees the same numbers (Numerical Recipes' LCG; only for tests).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound.max(1)
    }
}

pub fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.sdp"));
    std::fs::read_to_string(path).unwrap()
}

/// A recorded consult: microphone, camera, screen and its sound, three camera pairs and a screen pair, further camera
/// pairs behind them.
pub fn consult(browser: &str, name: &str, cameras: u8) -> Offer {
    let sdp = fixture(&format!("{browser}-{name}"));
    let track = |(mid, source): (usize, Source)| OfferedTrack { mid: mid.to_string(), source, muted: false };
    let mut places: Vec<(SlotPool, u8)> = (0..cameras).map(|index| (SlotPool::Camera, index)).collect();
    places.insert(3, (SlotPool::Screen, 0));
    let slot = |(place, (pool, index)): (usize, (SlotPool, u8))| {
        [4 + 2 * place, 5 + 2 * place].map(|mid| OfferedSlot { mid: mid.to_string(), pool, index })
    };
    Offer {
        sdp,
        tracks: Source::ALL.into_iter().enumerate().map(track).collect(),
        slots: places.into_iter().enumerate().flat_map(slot).collect(),
    }
}

pub fn negotiate(offer: &Offer) -> Result<Negotiated, SdpError> {
    run(offer, None, None)
}

pub fn negotiate_again(offer: &Offer, previous: &Negotiated) -> Result<Negotiated, SdpError> {
    run(offer, Some(previous), None)
}

pub fn with_decodable(offer: &Offer, decodable: &HashSet<Codec>) -> Result<Negotiated, SdpError> {
    run(offer, None, Some(decodable))
}

fn run(
    offer: &Offer,
    previous: Option<&Negotiated>,
    decodable: Option<&HashSet<Codec>>,
) -> Result<Negotiated, SdpError> {
    let candidates: [SocketAddr; 2] =
        ["192.0.2.1:3478".parse().unwrap(), "[2001:db8::1]:3478".parse().unwrap()];
    let ufrag = if previous.is_some() { "second" } else { "first" };
    let fresh_ice = IceCredentials { ufrag: ufrag.into(), password: "a-password-of-24-letters".into() };
    let mut random = Seeded(1);
    let ours = Ours { fresh_ice, fingerprint: [7; 32], candidates: &candidates, decodable, previous };
    answer(offer, &ours, &mut || random.next())
}

/// The kinds of the m= lines in order.
pub fn lines(sdp: &str) -> Vec<String> {
    let kind = |line: &str| line.split(' ').next().unwrap().to_owned();
    sdp.lines().filter(|line| line.starts_with("m=")).map(kind).collect()
}
