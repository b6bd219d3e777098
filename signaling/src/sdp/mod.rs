//! The SDP answerer: turns a client's offer into plain parameters for the engine, and writes the answer.
//!
//! Pure: no clock, no socket, randomness is an argument. Rules of RFC 8829 (JSEP), RFC 9143 (BUNDLE), RFC 8839 (ICE),
//! RFC 8842 (DTLS) and RFC 3264 (offer and answer), as far as a server needs them that only ever answers.
//!
//! | file | holds |
//! |---|---|
//! | `error.rs` | why an offer cannot be answered |
//! | `offer.rs` | the offer as read: transport and lines, everything bounded |
//! | `formats.rs` | payload types: which are served, their fmtp and feedback |
//! | `extensions.rs` | header extensions: one mapping for the bundle |
//! | `answerer.rs` | what becomes of each line |
//! | `writer.rs` | the answer's text |
//! | `bare.rs` | WHIP and WHEP: what the lines are for when nobody says so |

mod answerer;
mod bare;
mod error;
mod extensions;
mod formats;
mod offer;
mod writer;

use std::{collections::HashSet, fmt, net::SocketAddr, sync::Arc};

use media_engine::api::{IceCredentials, MediaParams};
use media_model::{Codec, Mid};
use signaling_protocol::client::Offer;

pub use bare::{whep_offer, whip_offer};
pub use error::SdpError;

/// The server's side of an answer.
#[derive(Debug, Clone)]
pub struct Ours<'a> {
    /// Credentials that nobody uses yet. Taken for a first answer and for an ICE restart; else the previous stay.
    pub fresh_ice: IceCredentials,
    /// SHA-256 of the server's certificate.
    pub fingerprint: [u8; 32],
    /// Where the shard can be reached, the best first.
    pub candidates: &'a [SocketAddr],
    /// What everyone admitted decodes; published tracks keep to it. `None`: no restriction.
    pub decodable: Option<&'a HashSet<Codec>>,
    /// What was agreed before on the same transport.
    pub previous: Option<&'a Negotiated>,
}

/// What was agreed.
#[derive(Clone)]
pub struct Negotiated {
    /// The SDP answer.
    pub answer: String,
    /// The server's credentials as they stand in the answer.
    pub ice_local: IceCredentials,
    /// The client's credentials.
    pub ice_remote: IceCredentials,
    /// Whether this offer restarted ICE (RFC 8839 §4.4.1.1.1): both credentials are new.
    pub ice_restarted: bool,
    /// SHA-256 of the client's certificate.
    pub fingerprint: [u8; 32],
    /// `sess-id` of the offer's `o=` line: the same for the life of a client's connection (RFC 8829 §5.2.2).
    pub offer_session_id: u64,
    /// What is sent and received, for `Join` or `Renegotiate`.
    pub media: MediaParams,
    /// What later answers on this transport have to keep.
    kept: Kept,
}

/// What stays the same in every answer on one transport.
#[derive(Debug, Clone, Default)]
struct Kept {
    /// `sess-id` of `o=` (RFC 8866 §5.2).
    session_id: u64,
    /// `sess-version` of the last answer.
    session_version: u64,
    /// RFC 7022 §4.2.
    cname: Arc<str>,
    /// SSRCs of the slots, retransmissions included, also of those that rest now.
    ssrcs: Vec<(Mid, u32, u32)>,
}

/// Answers an offer. `random` gives numbers that nobody can guess.
pub fn answer(
    offer: &Offer,
    ours: &Ours<'_>,
    random: &mut dyn FnMut() -> u32,
) -> Result<Negotiated, SdpError> {
    answerer::answer(offer, ours, random)
}

impl Negotiated {
    /// What the client decodes: the formats of its slots.
    pub fn decodes(&self) -> HashSet<Codec> {
        self.media.slots.iter().flat_map(|slot| slot.codecs.iter().map(|format| format.codec)).collect()
    }
}

impl fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiated").field("media", &self.media).finish_non_exhaustive()
    }
}
