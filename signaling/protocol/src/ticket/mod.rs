//! Tickets and resume tokens: compact JWS (RFC 7515 §3.1) signed with Ed25519 (RFC 8037 §3.1), and nothing else.
//!
//! A ticket says who may come into which consult; the control API signs it. A resume token says who was in it a
//! moment ago; the node signs it. The two have different keys, `typ` and `aud`, so that neither passes for the other
//! (RFC 8725 §3.11, §3.12). Nothing is looked up to verify one, so a node without its database still lets people in.
//!
//! | file | holds |
//! |---|---|
//! | `jws.rs` | the compact form: strict header, bounded size, signature before claims |
//! | `keys.rs` | signers, verifiers, public keys by `kid`; both can be changed while they are in use |
//! | `claims.rs` | [`Ticket`] and [`ResumeToken`], and the checks of their claims |

mod claims;
mod jws;
mod keys;
#[cfg(test)]
mod tests;

pub use claims::{Glass, ResumeToken, Ticket, TicketId, Token};
pub use jws::typ_of;
pub use keys::{
    InvalidKey, KeyRing, PublicKey, ResumeSigner, ResumeVerifier, Signer, TicketSigner, TicketVerifier,
    Verifier,
};

use crate::error::ErrorCode;

/// Clocks of the EHR's servers and ours may differ by so much, in seconds (RFC 7519 §4.1.4).
pub const LEEWAY_S: u64 = 60;

/// Why a token does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not a token of ours: form, signature, type, audience or claims.
    #[error("not a valid token")]
    Invalid,
    /// Genuine, but its time has passed or has not come.
    #[error("the token's time has passed or has not come")]
    Expired,
}

impl From<TicketError> for ErrorCode {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::Invalid => Self::TicketInvalid,
            TicketError::Expired => Self::TicketExpired,
        }
    }
}
