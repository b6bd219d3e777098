//! Identifiers. Each is a type of its own, so that a transport is never mistaken for a person.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

/// Text that is no identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid identifier")
    }
}

impl std::error::Error for InvalidId {}

/// 128 random bits that name something, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RandomId(u128);

impl RandomId {
    /// A name made of 16 bytes, which the caller drew from a secure random source.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Its 16 bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for RandomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RandomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RandomId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 32 || !text.bytes().all(is_lower_hex) {
            return Err(InvalidId);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| InvalidId)
    }
}

impl Serialize for RandomId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RandomId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes a type of its own for one kind of thing that a [`RandomId`] names.
#[macro_export]
macro_rules! random_id {
    ($(#[$attribute:meta])* $name:ident, $label:literal) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name($crate::RandomId);

        impl $name {
            /// An id made of 16 bytes, which the caller drew from a secure random source.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self($crate::RandomId::from_bytes(bytes))
            }

            /// Its 16 bytes.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($label, ":{}"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::InvalidId;

            fn from_str(text: &str) -> Result<Self, $crate::InvalidId> {
                text.parse().map(Self)
            }
        }
    };
}

random_id! {
    /// One request, or one WebSocket, as its answer, the log and the audit log call it.
    RequestId, "request"
}

random_id! {
    /// One consult. Knowing one says nothing about another.
    ConsultId, "consult"
}

random_id! {
    /// One break-glass: who looked at whom, and why.
    BreakGlassId, "break-glass"
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ConsultId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConsultId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
            "description": "One consult: 32 lower-case hexadecimal digits.",
        })
    }
}

/// A person's number within one consult, from 1 upwards, never given to somebody else in that consult.
///
/// It is the CSRC of every packet forwarded from that person (RFC 3550 §5.1) and the number that `layout`
/// names, which is how a picture and a name are tied together. Someone who leaves and comes back keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ParticipantNumber(NonZeroU32);

impl ParticipantNumber {
    /// `None` for zero, which names nobody.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number as it stands in a CSRC list.
    pub const fn csrc(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for ParticipantNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One ICE + DTLS + SRTP association: unique on a node for the life of its process.
///
/// A participant has one, or two where a WHIP and a WHEP share a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(pub u64);

/// One shard: a thread, a UDP port, an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u16);

/// The `a=mid` of a media description (RFC 8843 §15, RFC 5888 §9.1): a token of at most 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mid {
    length: u8,
    bytes: [u8; Mid::BYTES_MAX],
}

impl Mid {
    /// A one-byte header extension element carries at most this much (RFC 8285 §4.2).
    pub const BYTES_MAX: usize = 16;

    /// The token's characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The token as it stands in a header extension.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Parses the bytes of a header extension or an SDP token.
    pub fn from_bytes(token: &[u8]) -> Result<Self, InvalidId> {
        // `token-char` of RFC 8866 §9.
        let is_token = |b: u8| matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~');
        if token.is_empty() || token.len() > Self::BYTES_MAX || !token.iter().all(|b| is_token(*b)) {
            return Err(InvalidId);
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..token.len()].copy_from_slice(token);
        Ok(Self { length: token.len() as u8, bytes })
    }
}

impl FromStr for Mid {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mid:{self}")
    }
}

/// What a pool of slots is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SlotPool {
    /// People: camera with microphone.
    Camera,
    /// Shared screens: picture with sound.
    Screen,
}

/// One slot pair of a subscriber: audio *k* and video *k* of a pool always show the same publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlotIndex {
    /// Which pool the slot belongs to.
    pub pool: SlotPool,
    /// Its place in the pool, from 0.
    pub index: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consult_id_reads_back_what_it_wrote_and_nothing_else() {
        let id = ConsultId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "ab", &"AB".repeat(16), &"+1".repeat(16), &"ab".repeat(17)] {
            assert_eq!(bad.parse::<ConsultId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn a_mid_is_a_short_token() {
        assert_eq!("audio-0".parse::<Mid>().map(|m| m.to_string()), Ok("audio-0".to_owned()));
        for bad in ["", "a b", "12345678901234567", "ä"] {
            assert_eq!(bad.parse::<Mid>(), Err(InvalidId), "{bad}");
        }
    }
}
