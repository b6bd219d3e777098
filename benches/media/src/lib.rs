//! What the media engine costs in user space, beside the floor of the same run: the cipher and a copy, nothing else.
//!
//! A [`Case`] is made ready outside of the clock and run inside of it. Each question has a case for the engine and one
//! for the floor; [`measure`] runs the two by turns and tells the ratio, because absolute figures move with the
//! machine and with whoever else uses it.
//!
//! | file | holds |
//! |---|---|
//! | `measure.rs` | by turns, medians, ratios; criterion's share |
//! | `floor.rs` | open once, copy and seal for everyone, straight on the AEAD |
//! | `srtp.rs` | sealing and opening one packet |
//! | `forward.rs` | an engine with connected transports: one packet to many |
//! | `traffic.rs` | a second of a consult of three, timers and RTCP included |
//! | `crowd.rs` | many consults, whose memory has left the caches |
//! | `handshakes.rs` | joins: ICE and DTLS |
//! | `loopback/` | a whole shard with its sockets, beside a floor with sockets; a storm of joins |
//! | `bin/instructions.rs` | the same cases, counted by callgrind and held against `instructions.toml` |

use std::time::{Duration, Instant};

pub mod crowd;
pub mod floor;
pub mod forward;
pub mod handshakes;
pub mod loopback;
pub mod measure;
pub mod srtp;
#[path = "../../../media/engine/tests/support/mod.rs"]
#[allow(missing_docs, reason = "the engine's tests use it too")]
mod support;
pub mod traffic;

/// Work that is repeated and measured.
pub trait Case {
    /// Makes ready what a run consumes; not measured.
    fn prepare(&mut self);
    /// The work.
    fn run(&mut self);
    /// How many packets, or joins, one run stands for.
    fn units(&self) -> u64;
    /// Makes ready and runs; what the run cost.
    fn spend(&mut self) -> Duration {
        self.prepare();
        let start = Instant::now();
        self.run();
        start.elapsed()
    }
    /// How fast it goes.
    fn pace(&self) -> Pace {
        Pace::Quick
    }
}

/// How fast runs follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the machine goes.
    Quick,
    /// At the pace of a call: fewer of them have to do.
    RealTime,
}

/// Sizes of payloads: sound, and a full packet of a picture.
pub const PAYLOAD_BYTES: [usize; 2] = [120, 1_200];
