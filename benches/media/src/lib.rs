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
//! | `bin/instructions.rs` | the same cases, counted by callgrind and held against `instructions.toml` |

pub mod crowd;
pub mod floor;
pub mod forward;
pub mod handshakes;
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
}

/// Sizes of payloads: sound, and a full packet of a picture.
pub const PAYLOAD_BYTES: [usize; 2] = [120, 1_200];
