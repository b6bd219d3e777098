//! One person's keys, and what is left of someone who was erased.

use std::{collections::BTreeMap, sync::Arc};

use media_model::{Pii, TenantId};

use super::{
    Erasure, KeyFault, KeyMaterial, KeyVersion, Place,
    envelope::{self, Envelope, Kind},
    padding,
};
use crate::ids::PersonId;

/// A row of the table of people's keys. Tenant, person and version together are unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPersonKey {
    /// Which of them.
    pub version: KeyVersion,
    /// The key, wrapped by the tenant's sealing key; `None` once it was erased. The row outlives the key, so that
    /// what was erased is not mistaken for what was lost.
    pub wrapped: Option<Vec<u8>>,
}

/// One person's unwrapped keys. Cheap to clone; not for keeping, see the module's page.
#[derive(Debug, Clone)]
pub struct PersonKeys {
    tenant: TenantId,
    person: PersonId,
    /// `None`: erased.
    keys: BTreeMap<KeyVersion, Option<Arc<KeyMaterial>>>,
}

/// What a person's sealed value opens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened<T> {
    /// What was sealed.
    Value(Pii<T>),
    /// Nothing any more: the key that sealed it was erased.
    Erased,
}

impl<T> Opened<T> {
    /// The value, where there is one.
    pub fn value(self) -> Option<Pii<T>> {
        match self {
            Self::Value(value) => Some(value),
            Self::Erased => None,
        }
    }
}

impl PersonKeys {
    pub(super) fn new(
        tenant: TenantId,
        person: PersonId,
        keys: BTreeMap<KeyVersion, Option<Arc<KeyMaterial>>>,
    ) -> Self {
        Self { tenant, person, keys }
    }

    pub(super) fn with(&self, version: KeyVersion, key: KeyMaterial) -> Self {
        let mut longer = self.clone();
        longer.keys.insert(version, Some(Arc::new(key)));
        longer
    }

    pub(super) fn newest(&self) -> Option<KeyVersion> {
        self.keys.last_key_value().map(|(version, _)| *version)
    }

    /// Whose patient it is.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Our own id of the person.
    pub const fn person(&self) -> PersonId {
        self.person
    }

    /// Whether the person was erased and has not come back since.
    pub fn is_erased(&self) -> bool {
        self.keys.last_key_value().is_some_and(|(_, key)| key.is_none())
    }

    /// What to list, commit and apply in order to erase this person; `None` if there is nothing left to erase.
    pub fn erasure(&self, at_ms: i64) -> Option<Erasure> {
        let up_to_version =
            self.keys.iter().rev().find(|(_, key)| key.is_some()).map(|(version, _)| *version)?;
        Some(Erasure { tenant: self.tenant, person: self.person, up_to_version, at_ms })
    }

    /// Seals a value about this person, at most `SEALED_PLAINTEXT_BYTES_MAX` long.
    pub fn seal(&self, place: &Place<'_>, value: &[u8]) -> Result<Vec<u8>, KeyFault> {
        self.own(place)?;
        let newest = self.keys.last_key_value().ok_or(KeyFault::NoKey { whose: "the person's key" })?;
        let key = newest.1.as_ref().ok_or(KeyFault::Erased)?;
        Ok(envelope::seal(Kind::PersonValue, *newest.0, key, &place.fields(), &padding::pad(value)?))
    }

    /// The value that [`PersonKeys::seal`] sealed for this place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Opened<Vec<u8>>, KeyFault> {
        self.own(place)?;
        let envelope = Envelope::parse(Kind::PersonValue, sealed)?;
        let version = envelope.version();
        let key = self.keys.get(&version);
        let key = key.ok_or(KeyFault::UnknownVersion { whose: "the person's key", version })?;
        let Some(key) = key else { return Ok(Opened::Erased) };
        let padded = envelope.open(key, &place.fields(), || place.name())?;
        Ok(Opened::Value(Pii::new(padding::unpad(&padded)?.to_vec())))
    }

    /// As [`PersonKeys::open`], of a value that was text.
    pub fn open_text(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Opened<String>, KeyFault> {
        Ok(match self.open(place, sealed)? {
            Opened::Value(bytes) => Opened::Value(text(bytes)?),
            Opened::Erased => Opened::Erased,
        })
    }

    /// The value sealed again under the newest key; `None` if it already is, or was erased.
    pub fn reseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, KeyFault> {
        if self.newest() == Some(Envelope::parse(Kind::PersonValue, sealed)?.version()) {
            return Ok(None);
        }
        match self.open(place, sealed)? {
            Opened::Value(value) => self.seal(place, value.reveal()).map(Some),
            Opened::Erased => Ok(None),
        }
    }

    fn own(&self, place: &Place<'_>) -> Result<(), KeyFault> {
        if place.tenant == self.tenant { Ok(()) } else { Err(KeyFault::ForeignTenant) }
    }
}

/// Text as it was before sealing.
pub(super) fn text(bytes: Pii<Vec<u8>>) -> Result<Pii<String>, KeyFault> {
    let text = String::from_utf8(bytes.into_revealed()).map(Pii::new);
    text.map_err(|_| KeyFault::Malformed { what: "the text of a sealed value" })
}
