//! Which of a holder's keys: 1 is the first.

use std::{fmt, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use super::KeyFault;

/// A key's number among the keys of its holder. The highest seals; all open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyVersion(NonZeroU32);

impl KeyVersion {
    /// The first.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// `None` for zero, which is no version.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// The one after.
    pub fn next(self) -> Result<Self, KeyFault> {
        self.0.checked_add(1).map(Self).ok_or(KeyFault::VersionsUsedUp)
    }
}

/// As a database column has it.
impl TryFrom<i64> for KeyVersion {
    type Error = KeyFault;

    fn try_from(column: i64) -> Result<Self, KeyFault> {
        let number = u32::try_from(column).ok().and_then(Self::new);
        number.ok_or(KeyFault::Malformed { what: "a key version" })
    }
}

impl From<KeyVersion> for i64 {
    fn from(version: KeyVersion) -> Self {
        version.number().into()
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_and_end_at_the_last() {
        assert_eq!(KeyVersion::FIRST.next().map(KeyVersion::number), Ok(2));
        let last = KeyVersion::new(u32::MAX).expect("not zero");
        assert_eq!(last.next(), Err(KeyFault::VersionsUsedUp));
        assert_eq!(KeyVersion::try_from(i64::from(last)), Ok(last));
        for bad in [0, -1, i64::from(u32::MAX) + 1] {
            assert!(KeyVersion::try_from(bad).is_err(), "{bad}");
        }
    }
}
