//! The border to whatever keeps the master key: a file, the environment, or a token.

use std::{fmt, pin::Pin, str::FromStr};

use media_model::TenantId;

use super::{KeyFault, KeyMaterial, KeyVersion};
use crate::limits::{MASTER_NAME_BYTES_MAX, WRAPPED_KEY_BYTES_MAX};

/// A future on the heap: what an object-safe async method returns.
pub type KeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyFault>> + Send + 'a>>;

/// Wraps tenants' keys. The master key itself never crosses this border.
///
/// An implementation over a service answers [`KeyFault::MasterUnavailable`] when the service does not, within a time
/// of its own, and hands [`KeyName::fields`] over as the service's encryption context.
pub trait MasterKeys: fmt::Debug + Send + Sync {
    /// The name of the master key that wraps now.
    fn newest(&self) -> MasterName;

    /// The names of all keys that unwrap, the newest first.
    fn names(&self) -> Vec<MasterName>;

    /// Wraps a key under the newest master key. It unwraps under the same name only.
    fn wrap<'a>(&'a self, name: KeyName, key: &'a KeyMaterial) -> KeyFuture<'a, Wrapped>;

    /// The key that was wrapped under this name, by any master key that is still known.
    fn unwrap<'a>(&'a self, name: KeyName, wrapped: &'a Wrapped) -> KeyFuture<'a, KeyMaterial>;

    /// Whether the keys are as they have to be, and answer.
    fn check(&self) -> KeyFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Whether nobody answered when they were needed last.
    fn is_away(&self) -> bool {
        false
    }

    /// Whether the key was wrapped by a master key that has a successor.
    fn needs_rewrap(&self, wrapped: &Wrapped) -> bool {
        wrapped.master != self.newest()
    }
}

/// What a tenant's key is for. The two are drawn apart, so that one can be given away without the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// Wraps people's keys and seals what belongs to no person.
    Sealing,
    /// Makes the hashes by which external ids are found.
    Index,
}

impl Purpose {
    /// The purpose's name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sealing => "sealing",
            Self::Index => "index",
        }
    }
}

impl FromStr for Purpose {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<Self, KeyFault> {
        let known = [Self::Sealing, Self::Index].into_iter().find(|purpose| purpose.as_str() == text);
        known.ok_or(KeyFault::Malformed { what: "the purpose of a tenant's key" })
    }
}

/// Which key is wrapped. A wrapped key that is moved under another name does not unwrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyName {
    /// Whose key.
    pub tenant: TenantId,
    /// What for.
    pub purpose: Purpose,
    /// Which of them.
    pub version: KeyVersion,
}

impl KeyName {
    /// The name as pairs.
    pub fn fields(&self) -> [(&'static str, String); 3] {
        [
            ("tenant", self.tenant.to_string()),
            ("purpose", self.purpose.as_str().to_owned()),
            ("version", self.version.to_string()),
        ]
    }

    /// What is bound to the key where a key of our own, or one in a token, wraps it.
    pub(super) fn bound_to(&self, master: &MasterName) -> [String; 4] {
        let [tenant, purpose, version] = self.fields().map(|(_, value)| value);
        [tenant, purpose, version, master.to_string()]
    }

    /// What it is, for an error.
    pub(super) fn what(&self) -> String {
        format!("a tenant's {} key", self.purpose.as_str())
    }
}

/// The name of one master key: of a local one `local:` and 16 hexadecimal digits, of a service's what the service
/// calls it. No secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MasterName(String);

impl MasterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MasterName {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<Self, KeyFault> {
        let good =
            (1..=MASTER_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Self(text.to_owned())).ok_or(KeyFault::Malformed { what: "the name of a master key" })
    }
}

impl fmt::Display for MasterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant's key as a master key wrapped it; says by which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    master: MasterName,
    bytes: Vec<u8>,
}

impl Wrapped {
    /// What a master key made, or a table kept.
    pub fn new(master: MasterName, bytes: Vec<u8>) -> Result<Self, KeyFault> {
        let fits = (1..=WRAPPED_KEY_BYTES_MAX).contains(&bytes.len());
        fits.then_some(Self { master, bytes }).ok_or(KeyFault::Malformed { what: "a tenant's wrapped key" })
    }

    /// Which master key unwraps it.
    pub const fn master(&self) -> &MasterName {
        &self.master
    }

    /// The wrapped bytes, in the master key's own form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wrapped_keys_from_a_table_are_bounded() {
        for bad in ["", "a b", "ä", &"a".repeat(MASTER_NAME_BYTES_MAX + 1)] {
            assert!(bad.parse::<MasterName>().is_err(), "{bad}");
        }
        let name: MasterName = "arn:aws:kms:eu-central-1:1:key/x".parse().expect("a name");
        assert!(Wrapped::new(name.clone(), Vec::new()).is_err());
        assert!(Wrapped::new(name.clone(), vec![0; WRAPPED_KEY_BYTES_MAX + 1]).is_err());
        assert_eq!(Wrapped::new(name.clone(), vec![1]).map(|w| w.master().clone()), Ok(name));
    }

    #[test]
    fn a_purpose_reads_back_what_it_wrote() {
        for purpose in [Purpose::Sealing, Purpose::Index] {
            assert_eq!(purpose.as_str().parse(), Ok(purpose));
        }
        assert!("other".parse::<Purpose>().is_err());
    }
}
