//! DTLS 1.2 with the server's role (RFC 6347), to agree on SRTP keys (RFC 5764).
//!
//! **Contract.** Feed [`Dtls::handle_datagram`] what came from an address that has passed an authenticated STUN check,
//! and [`Dtls::handle_timeout`] when [`Dtls::poll_timeout`] is due; after each, drain [`Dtls::poll_transmit`] and
//! [`Dtls::poll_event`]. Compare [`Connected::fingerprint`] with the SDP before anything is made of the keys. How long
//! a handshake may last is the caller's decision.
//!
//! `rtc-dtls` does the cryptography and the messages. It never sees a datagram as it came: messages are reassembled
//! here, bounded, and handed over whole and in order; flights are repeated here, by our timer or because the client
//! repeats its own (`docs/decisions/0001-dtls.md` has the reasons and the figures).
//!
//! | file | holds |
//! |---|---|
//! | `server.rs` | the association |
//! | `identity.rs` | our certificate and key |
//! | `client_hello.rs` | cookie and `use_srtp` |
//! | `reassembly.rs` | handshake messages out of fragments |
//! | `record.rs` | records and fragments |
//! | `client.rs` | the client's role on another stack, for tests and load (feature `client`) |

#[cfg(feature = "client")]
mod client;
mod client_hello;
mod identity;
mod reassembly;
mod record;
mod server;

#[cfg(feature = "client")]
pub use client::DtlsClient;
pub use identity::{Identity, InvalidIdentity};
pub use server::Dtls;

use super::srtp::{KeyingMaterial, Profile};

/// What happened to an association.
#[derive(Debug)]
pub enum DtlsEvent {
    /// The handshake is done.
    Connected(Connected),
    /// The peer closed the association.
    Closed,
}

/// What a handshake comes to.
#[derive(Debug)]
pub struct Connected {
    /// The SRTP profile in use.
    pub profile: Profile,
    /// SHA-256 of the peer's certificate, whose key the peer has proved to hold. Not compared with anything yet.
    pub fingerprint: [u8; 32],
    /// SRTP keys of both directions.
    pub keys: KeyingMaterial,
}

/// Why a datagram or the association went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DtlsError {
    /// Nothing in the datagram was of use, and nothing changed: count it, go on.
    #[error("not a DTLS record that is expected now")]
    Refused,
    /// The client offers no SRTP profile that we speak, or none at all. The association is over.
    #[error("no SRTP profile in common")]
    NoSrtpProfile,
    /// The client did what RFC 5246 forbids, or has no cipher suite, curve, signature or extended master secret in
    /// common with us. The association is over.
    #[error("the client's handshake is not acceptable")]
    HandshakeFailed,
}

impl DtlsError {
    /// Whether the association is over.
    pub fn is_fatal(self) -> bool {
        self != Self::Refused
    }
}
