//! One tenant's keys.

use std::{collections::BTreeMap, sync::Arc};

use media_model::{Pii, TenantId};

use super::{
    IndexKey, KeyFault, KeyMaterial, KeyName, KeyVersion, MasterKeys, PersonKeys, Place, Purpose,
    StoredPersonKey, Wrapped,
    envelope::{self, Envelope, Kind},
    padding,
    person::text,
};
use crate::ids::PersonId;

const SEALING_KEY: &str = "the tenant's sealing key";
const INDEX_KEY: &str = "the tenant's index key";

/// A row of the table of tenants' keys. Tenant, purpose and version together are unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTenantKey {
    /// What for.
    pub purpose: Purpose,
    /// Which of them.
    pub version: KeyVersion,
    /// The key, wrapped by a master key.
    pub wrapped: Wrapped,
}

/// One tenant's unwrapped keys. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TenantKeys(Arc<Keys>);

#[derive(Debug)]
struct Keys {
    tenant: TenantId,
    sealing: BTreeMap<KeyVersion, Arc<KeyMaterial>>,
    index: Arc<IndexKey>,
}

impl TenantKeys {
    /// Draws the keys of a new tenant. Nothing may be sealed with them before the rows are committed.
    pub async fn draw(
        master: &dyn MasterKeys,
        tenant: TenantId,
    ) -> Result<(Self, Vec<StoredTenantKey>), KeyFault> {
        let (sealing, index) = (KeyMaterial::draw(), KeyMaterial::draw());
        let rows = vec![
            wrapped(master, tenant, Purpose::Sealing, KeyVersion::FIRST, &sealing).await?,
            wrapped(master, tenant, Purpose::Index, KeyVersion::FIRST, &index).await?,
        ];
        let index = Arc::new(IndexKey::new(tenant, KeyVersion::FIRST, index));
        let sealing = BTreeMap::from([(KeyVersion::FIRST, Arc::new(sealing))]);
        Ok((Self(Arc::new(Keys { tenant, sealing, index })), rows))
    }

    /// Unwraps a tenant's keys: all rows of the tenant, in any order.
    pub async fn unwrap(
        master: &dyn MasterKeys,
        tenant: TenantId,
        rows: &[StoredTenantKey],
    ) -> Result<Self, KeyFault> {
        let (mut sealing, mut index) = (BTreeMap::new(), None);
        for row in rows {
            let name = KeyName { tenant, purpose: row.purpose, version: row.version };
            let key = master.unwrap(name, &row.wrapped).await?;
            let is_second = match row.purpose {
                Purpose::Sealing => sealing.insert(row.version, Arc::new(key)).is_some(),
                Purpose::Index => index.replace(Arc::new(IndexKey::new(tenant, row.version, key))).is_some(),
            };
            if is_second {
                return Err(KeyFault::Malformed { what: "the list of a tenant's keys" });
            }
        }
        if sealing.is_empty() {
            return Err(KeyFault::NoKey { whose: SEALING_KEY });
        }
        let index = index.ok_or(KeyFault::NoKey { whose: INDEX_KEY })?;
        Ok(Self(Arc::new(Keys { tenant, sealing, index })))
    }

    /// Adds a sealing key, which seals from now on; the older ones go on opening. These keys stay as they are: use
    /// the new ones once the row is committed. Two nodes that rotate at once make the same version, so that the
    /// table's unique key lets one of them win.
    pub async fn rotate(&self, master: &dyn MasterKeys) -> Result<(Self, StoredTenantKey), KeyFault> {
        let (newest, _) = self.newest()?;
        let (version, key) = (newest.next()?, KeyMaterial::draw());
        let row = wrapped(master, self.tenant(), Purpose::Sealing, version, &key).await?;
        let mut sealing = self.0.sealing.clone();
        sealing.insert(version, Arc::new(key));
        let keys = Keys { tenant: self.0.tenant, sealing, index: self.0.index.clone() };
        Ok((Self(Arc::new(keys)), row))
    }

    /// The row wrapped again by the newest master key; `None` if it already is.
    pub async fn rewrap(
        master: &dyn MasterKeys,
        tenant: TenantId,
        row: &StoredTenantKey,
    ) -> Result<Option<StoredTenantKey>, KeyFault> {
        if !master.needs_rewrap(&row.wrapped) {
            return Ok(None);
        }
        let name = KeyName { tenant, purpose: row.purpose, version: row.version };
        let key = master.unwrap(name, &row.wrapped).await?;
        wrapped(master, tenant, row.purpose, row.version, &key).await.map(Some)
    }

    /// Whose keys these are.
    pub fn tenant(&self) -> TenantId {
        self.0.tenant
    }

    /// The key under which external ids are found.
    pub fn index(&self) -> &IndexKey {
        &self.0.index
    }

    /// Seals a value that belongs to no person, at most `SEALED_PLAINTEXT_BYTES_MAX` long.
    pub fn seal(&self, place: &Place<'_>, value: &[u8]) -> Result<Vec<u8>, KeyFault> {
        self.own(place)?;
        let (version, key) = self.newest()?;
        Ok(envelope::seal(Kind::TenantValue, version, key, &place.fields(), &padding::pad(value)?))
    }

    /// The value that [`TenantKeys::seal`] sealed for this place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Pii<Vec<u8>>, KeyFault> {
        self.own(place)?;
        let envelope = Envelope::parse(Kind::TenantValue, sealed)?;
        let key = self.sealing(envelope.version())?;
        let padded = envelope.open(key, &place.fields(), || place.name())?;
        Ok(Pii::new(padding::unpad(&padded)?.to_vec()))
    }

    /// As [`TenantKeys::open`], of a value that was text.
    pub fn open_text(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Pii<String>, KeyFault> {
        text(self.open(place, sealed)?)
    }

    /// The value sealed again under the newest key; `None` if it already is.
    pub fn reseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, KeyFault> {
        if Envelope::parse(Kind::TenantValue, sealed)?.version() == self.newest()?.0 {
            return Ok(None);
        }
        self.seal(place, self.open(place, sealed)?.reveal()).map(Some)
    }

    /// Draws the first key of a new person. They have none yet.
    pub fn draw_person(&self, person: PersonId) -> Result<(PersonKeys, StoredPersonKey), KeyFault> {
        self.rotate_person(&PersonKeys::new(self.tenant(), person, BTreeMap::new()))
    }

    /// Unwraps a person's keys: all rows of the person, in any order.
    pub fn person(&self, person: PersonId, rows: &[StoredPersonKey]) -> Result<PersonKeys, KeyFault> {
        let mut keys = BTreeMap::new();
        for row in rows {
            let key = match &row.wrapped {
                Some(wrapped) => Some(Arc::new(self.unwrap_person(person, row.version, wrapped)?)),
                None => None,
            };
            if keys.insert(row.version, key).is_some() {
                return Err(KeyFault::Malformed { what: "the list of a person's keys" });
            }
        }
        Ok(PersonKeys::new(self.tenant(), person, keys))
    }

    /// Adds a key to a person, which seals from now on; the older ones go on opening. So a person who was erased and
    /// comes back begins anew.
    pub fn rotate_person(&self, person: &PersonKeys) -> Result<(PersonKeys, StoredPersonKey), KeyFault> {
        if person.tenant() != self.tenant() {
            return Err(KeyFault::ForeignTenant);
        }
        let version = person.newest().map_or(Ok(KeyVersion::FIRST), KeyVersion::next)?;
        let key = KeyMaterial::draw();
        let wrapped = Some(self.wrap_person(person.person(), version, &key)?);
        Ok((person.with(version, key), StoredPersonKey { version, wrapped }))
    }

    /// The row wrapped again under the newest sealing key; `None` if it already is, or is erased.
    pub fn rewrap_person(
        &self,
        person: PersonId,
        row: &StoredPersonKey,
    ) -> Result<Option<StoredPersonKey>, KeyFault> {
        let Some(wrapped) = &row.wrapped else { return Ok(None) };
        if Envelope::parse(Kind::PersonKey, wrapped)?.version() == self.newest()?.0 {
            return Ok(None);
        }
        let key = self.unwrap_person(person, row.version, wrapped)?;
        let wrapped = Some(self.wrap_person(person, row.version, &key)?);
        Ok(Some(StoredPersonKey { version: row.version, wrapped }))
    }

    /// The version that seals.
    pub fn newest_version(&self) -> Result<KeyVersion, KeyFault> {
        self.newest().map(|(version, _)| version)
    }

    /// How everything begins that a sealing key of this version has sealed: values, and people's keys.
    pub fn headers(&self, version: KeyVersion) -> ([u8; 6], [u8; 6]) {
        (envelope::header(Kind::TenantValue, version), envelope::header(Kind::PersonKey, version))
    }

    /// Whether these are the tenant's keys still: all rows of the tenant, in any order.
    pub fn are(&self, rows: &[StoredTenantKey]) -> bool {
        let sealing = rows.iter().filter(|row| row.purpose == Purpose::Sealing);
        let mut versions: Vec<_> = sealing.map(|row| row.version).collect();
        versions.sort_unstable();
        self.0.sealing.keys().copied().eq(versions)
    }

    fn wrap_person(
        &self,
        person: PersonId,
        version: KeyVersion,
        key: &KeyMaterial,
    ) -> Result<Vec<u8>, KeyFault> {
        let (newest, wrapping) = self.newest()?;
        let fields = person_key_fields(self.tenant(), person, version);
        let fields = fields.each_ref().map(String::as_str);
        Ok(envelope::seal(Kind::PersonKey, newest, wrapping, &fields, key.reveal()))
    }

    fn unwrap_person(
        &self,
        person: PersonId,
        version: KeyVersion,
        wrapped: &[u8],
    ) -> Result<KeyMaterial, KeyFault> {
        let envelope = Envelope::parse(Kind::PersonKey, wrapped)?;
        let fields = person_key_fields(self.tenant(), person, version);
        let fields = fields.each_ref().map(String::as_str);
        let wrapping = self.sealing(envelope.version())?;
        let mut bytes = envelope.open(wrapping, &fields, || "a person's wrapped key".to_owned())?;
        KeyMaterial::take(&mut bytes)
    }

    fn own(&self, place: &Place<'_>) -> Result<(), KeyFault> {
        if place.tenant == self.tenant() { Ok(()) } else { Err(KeyFault::ForeignTenant) }
    }

    fn newest(&self) -> Result<(KeyVersion, &KeyMaterial), KeyFault> {
        let newest = self.0.sealing.last_key_value().ok_or(KeyFault::NoKey { whose: SEALING_KEY })?;
        Ok((*newest.0, newest.1))
    }

    fn sealing(&self, version: KeyVersion) -> Result<&KeyMaterial, KeyFault> {
        let key = self.0.sealing.get(&version).map(AsRef::as_ref);
        key.ok_or(KeyFault::UnknownVersion { whose: SEALING_KEY, version })
    }
}

/// What is bound to a person's wrapped key.
fn person_key_fields(tenant: TenantId, person: PersonId, version: KeyVersion) -> [String; 3] {
    [tenant.to_string(), person.to_string(), version.to_string()]
}

async fn wrapped(
    master: &dyn MasterKeys,
    tenant: TenantId,
    purpose: Purpose,
    version: KeyVersion,
    key: &KeyMaterial,
) -> Result<StoredTenantKey, KeyFault> {
    let wrapped = master.wrap(KeyName { tenant, purpose, version }, key).await?;
    Ok(StoredTenantKey { purpose, version, wrapped })
}
