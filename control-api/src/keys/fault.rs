//! What can go wrong with keys and sealed values, and whose fault it was.

use std::fmt::Display;

use super::{KeyVersion, MasterName};

/// Why a key or a value could not be had. Nothing in it is secret or personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The bytes were sealed somewhere else, under another key, or changed since. Somebody wrote to the database
    /// beside us, or rows of two backups were mixed.
    #[error("{what} was changed, or moved from another place")]
    NotAuthentic {
        /// What was to be opened: table and column, or the kind of key.
        what: String,
    },
    /// The bytes have not the form that this binary writes.
    #[error("{what} is malformed")]
    Malformed {
        /// What was to be read.
        what: &'static str,
    },
    /// A line of a list has not the form that this binary writes.
    #[error("line {line} is malformed")]
    MalformedLine {
        /// Which, from 1.
        line: u64,
    },
    /// A list could not be read to its end.
    #[error("unreadable: {reason}")]
    Unreadable {
        /// What the system said.
        reason: String,
    },
    /// A newer binary wrote this.
    #[error("format {format} of sealed bytes is not known to this version of the program")]
    UnknownFormat {
        /// The first byte.
        format: u8,
    },
    /// Sealed under a version that was not among the keys given. Read the keys again, once: another node may have
    /// rotated them.
    #[error("version {version} of {whose} is not there")]
    UnknownVersion {
        /// Whose key.
        whose: &'static str,
        /// Which version.
        version: KeyVersion,
    },
    /// There is no key of this kind at all.
    #[error("{whose} is not there")]
    NoKey {
        /// Whose key.
        whose: &'static str,
    },
    /// All 2³² − 1 versions were used.
    #[error("no version number is left")]
    VersionsUsedUp,
    /// The person's key was erased: nothing can be sealed for them. (What was sealed opens to `Opened::Erased`.)
    #[error("the person was erased")]
    Erased,
    /// Longer than may be sealed.
    #[error("{bytes} bytes are too long to be sealed")]
    TooLong {
        /// How long it was.
        bytes: usize,
    },
    /// The place or the row belongs to another tenant than the key.
    #[error("a key of one tenant was used for another")]
    ForeignTenant,
    /// Wrapped by a master key that is not configured.
    #[error("master key {master} is not configured here")]
    UnknownMaster {
        /// Its name.
        master: MasterName,
    },
    /// The configured master keys cannot be used.
    #[error("master keys: {reason}")]
    MasterMisconfigured {
        /// What to mend; never a part of a key.
        reason: String,
    },
    /// The key service did not answer. Try again.
    #[error("the master key is unavailable: {reason}")]
    MasterUnavailable {
        /// What it said.
        reason: String,
    },
}

/// Whose fault it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Our own code, or what a request carried.
    Caller,
    /// Whoever wrote to the database: damage, tampering, a newer binary.
    Stored,
    /// This node's view of the keys is old, or rows of keys are missing.
    Missing,
    /// The configuration of the master keys.
    Operator,
    /// The key service.
    KeyService,
    /// Nobody's: the person was erased.
    Nobody,
}

impl KeyFault {
    /// Whose fault it was.
    pub const fn whose(&self) -> Whose {
        match self {
            Self::NotAuthentic { .. }
            | Self::Malformed { .. }
            | Self::MalformedLine { .. }
            | Self::Unreadable { .. }
            | Self::UnknownFormat { .. } => Whose::Stored,
            Self::UnknownVersion { .. } | Self::NoKey { .. } => Whose::Missing,
            Self::TooLong { .. } | Self::ForeignTenant | Self::VersionsUsedUp => Whose::Caller,
            Self::UnknownMaster { .. } | Self::MasterMisconfigured { .. } => Whose::Operator,
            Self::MasterUnavailable { .. } => Whose::KeyService,
            Self::Erased => Whose::Nobody,
        }
    }
}

/// That master keys cannot be used: where they come from, and what is wrong with it.
pub(super) fn misconfigured(origin: &dyn Display, problem: &str) -> KeyFault {
    KeyFault::MasterMisconfigured { reason: format!("{origin} {problem}") }
}
