//! The media engine of one shard: ICE-lite, DTLS, SRTP and selective forwarding, sans-I/O.
//!
//! [`Engine`] is told the time and given bytes and commands; it answers with datagrams in a [`TransmitBuffer`],
//! events and its next deadline. It reads no clock, owns no socket and no thread, and takes no lock.
//!
//! **Contract.** Call one `handle_*`, then flush the transmit buffer, drain [`Engine::poll_event`] as far as there is
//! room for what it says, and sleep until [`Engine::poll_timeout`] or the next input. Time never goes backwards.
//!
//! | folder | holds |
//! |---|---|
//! | `api.rs` | the border: commands, events, datagrams |
//! | `engine.rs`, `engine/` | the shard: who is here, and which part handles what |
//! | `demux.rs` | datagram → protocol and participant |
//! | `transport/` | ICE-lite, DTLS, SRTP in place, transport-wide feedback |
//! | `rtp/` | packet views, header extensions, RTCP, sequence arithmetic |
//! | `codec/` | what an SFU needs to know of a payload, one file a codec |
//! | `publisher/` | a published track: reception, repair, key frames, cache, clock |
//! | `consult/` | roster and routes: who may be seen by whom |
//! | `subscriber/` | slots: which publisher stands where |
//! | `forwarder/` | selector and rewriter: from a track's packet to a slot's packet |
//! | `drop_reason.rs`, `counters.rs` | every way a packet can die, and what is counted |
//! | `quality.rs` | how well a transport was connected, by the reports of both sides |
//! | `random.rs` | seeded numbers, never for keys |

pub mod api;
pub mod codec;
mod consult;
mod counters;
pub mod demux;
mod drop_reason;
mod engine;
mod forwarder;
pub mod publisher;
mod quality;
mod random;
pub mod rtp;
mod subscriber;
pub mod transport;

pub use counters::Counters;
pub use drop_reason::DropReason;
pub use engine::{Coming, Config, Engine, SHEDDING_STEPS};
