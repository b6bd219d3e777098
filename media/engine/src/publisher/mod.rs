//! One published track: what came in, what is missing, what can be sent again, and when it was captured.
//!
//! | file | holds |
//! |---|---|
//! | `track.rs` | [`PublishedTrack`]: from an opened packet to one that can be forwarded, once |
//! | `packet.rs` | [`TrackPacket`] |
//! | `stream.rs` | the SSRC that a track is sent with now |
//! | `window.rs` | which packets came already: nothing is handed on twice |
//! | `nack.rs` | what is missing and when to ask for it (RFC 4585) |
//! | `keyframe.rs` | key frame requests, merged and limited |
//! | `cache.rs` | payloads of the last second, for retransmission |
//! | `reception.rs` | loss and jitter for receiver reports (RFC 3550 §6.4) |
//! | `clock.rs` | one clock offset per publisher; capture times on the server's clock |

mod cache;
mod clock;
mod keyframe;
mod nack;
mod packet;
mod reception;
mod stream;
mod track;
mod window;

pub use clock::PublisherClock;
pub use packet::{CachedPacket, TrackPacket};
pub use track::PublishedTrack;
