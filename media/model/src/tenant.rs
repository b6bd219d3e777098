//! Whose consult it is: a clinic or a group of them that shares a node with others and sees nothing of theirs.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{InvalidId, limits::TENANT_ID_BYTES_MAX};

/// A tenant's name in links and in the audit log: 1 to [`TENANT_ID_BYTES_MAX`] lower-case letters, digits and hyphens, with
/// no hyphen at either end. The operator chooses it; it is not personal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId {
    bytes: [u8; TENANT_ID_BYTES_MAX],
    length: u8,
}

impl TenantId {
    /// What belongs to no tenant: the shell's acts, and who was turned away without saying whose they are.
    pub const SYSTEM: Self = Self::of_bytes(b"system");

    const fn of_bytes(text: &[u8]) -> Self {
        let mut bytes = [0; TENANT_ID_BYTES_MAX];
        let mut at = 0;
        while at < text.len() {
            bytes[at] = text[at];
            at += 1;
        }
        Self { bytes, length: text.len() as u8 }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let used = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        str::from_utf8(used).unwrap_or_default()
    }
}

impl FromStr for TenantId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_good = !text.is_empty()
            && text.len() <= TENANT_ID_BYTES_MAX
            && text.bytes().all(is_sound)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_good { Ok(Self::of_bytes(text.as_bytes())) } else { Err(InvalidId) }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant:{self}")
    }
}

impl Serialize for TenantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_stand_in_a_link() {
        for good in ["a", "clinic-4", "0", "system", &"x".repeat(TENANT_ID_BYTES_MAX)] {
            assert_eq!(good.parse::<TenantId>().map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "a-", "Clinic", "a_b", "a.b", "é", &"x".repeat(TENANT_ID_BYTES_MAX + 1)] {
            assert_eq!(bad.parse::<TenantId>(), Err(InvalidId), "{bad}");
        }
        assert_eq!("system".parse(), Ok(TenantId::SYSTEM));
    }
}
