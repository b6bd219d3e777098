//! SRTP and SRTCP (RFC 3711, RFC 7714) in place on aws-lc-rs: no copy and no allocation per packet.
//!
//! One [`SrtpInbound`] opens what a transport receives, one [`SrtpOutbound`] seals what it sends. Keys come from the
//! DTLS handshake (RFC 5764 §4.2), one master key for each direction, key derivation rate 0, no MKI.
//!
//! | file | holds |
//! |---|---|
//! | `keys.rs` | profiles, the handshake's export, session key derivation |
//! | `cipher.rs` | the two kinds of cipher: AES-GCM, and AES-CM with HMAC-SHA1 |
//! | `replay.rs` | replay windows and the bounded table of SSRCs |
//! | `inbound.rs`, `outbound.rs` | the two directions |

mod aead;
mod cipher;
mod inbound;
mod keys;
mod outbound;
mod replay;

pub use inbound::{Opened, SrtpInbound};
pub use keys::{InvalidKey, KeyingMaterial, Profile};
pub use outbound::{Plain, SrtpOutbound};

/// Most bytes that sealing adds to a packet, of any profile, RTP or RTCP.
pub const OVERHEAD_BYTES_MAX: usize = 20;
