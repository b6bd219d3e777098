//! The compact form of RFC 7515 §7.1, for exactly one algorithm and exactly three header members.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::TicketError;
use crate::limits::TOKEN_BYTES_MAX;

/// The only `alg` (RFC 8037 §3.1). It is never chosen by the token.
const ALGORITHM: &str = "EdDSA";
/// Longest `kid`, in bytes.
const KID_BYTES_MAX: usize = 64;

/// The protected header. Every other member, `crit` and `jwk` included, is refused; so is one that comes twice.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// A token in pieces, of which only the header has been believed so far.
pub(super) struct Unverified<'a> {
    pub(super) kid: String,
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart, whose `typ` has to be the one given.
    pub(super) fn parse(token: &'a str, typ: &str) -> Result<Self, TicketError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TicketError::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TicketError::Invalid)?;
        let (header, claims) = signed.split_once('.').ok_or(TicketError::Invalid)?;
        let header: Header = parse_part(header)?;
        if header.alg != ALGORITHM || header.typ != typ || header.kid.len() > KID_BYTES_MAX {
            return Err(TicketError::Invalid);
        }
        let signature = BASE64URL.decode(signature).map_err(|_| TicketError::Invalid)?;
        Ok(Self { kid: header.kid, signed: signed.as_bytes(), signature, claims })
    }

    /// The claims; to be called once the signature has been found good.
    pub(super) fn into_claims<C: DeserializeOwned>(self) -> Result<C, TicketError> {
        parse_part(self.claims)
    }
}

/// Which kind of token this says it is (RFC 7515 §4.1.9), believed by nobody yet; nothing where it has not the form of one.
pub fn typ_of(token: &str) -> Option<String> {
    let header = token.split_once('.').filter(|_| token.len() <= TOKEN_BYTES_MAX)?.0;
    parse_part::<Header>(header).ok().map(|header| header.typ)
}

/// Header and claims, ready to be signed.
pub(super) fn signing_input(typ: &str, kid: &str, claims: &impl Serialize) -> String {
    let header = Header { alg: ALGORITHM.into(), typ: typ.into(), kid: kid.into() };
    format!("{}.{}", encode_part(&header), encode_part(claims))
}

/// The whole token.
pub(super) fn compact(signing_input: String, signature: &[u8]) -> String {
    format!("{signing_input}.{}", BASE64URL.encode(signature))
}

fn encode_part(part: &impl Serialize) -> String {
    // Structs of strings, numbers and booleans have a JSON form always.
    BASE64URL.encode(serde_json::to_vec(part).unwrap_or_default())
}

fn parse_part<T: DeserializeOwned>(part: &str) -> Result<T, TicketError> {
    let json = BASE64URL.decode(part).map_err(|_| TicketError::Invalid)?;
    serde_json::from_slice(&json).map_err(|_| TicketError::Invalid)
}
