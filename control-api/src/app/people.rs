//! People: an EHR's opaque id stands for one person of a tenant, and only the keyed hash of it is looked up.

use media_model::{Pii, TenantId};
use signaling_protocol::limits::PERSON_ID_BYTES_MAX;

use super::{ControlApi, by, erasing::about, facts, now_ms, random_bytes, record};
use crate::{
    StoreError,
    audit::{Action, Entry},
    auth::Caller,
    ids::PersonId,
    keys::{Opened, Place, StoredPersonKey, TenantKeys},
    permissions::Act,
    problem::Problem,
    store::{self, TenantTx, people::NewPerson},
};

/// What is told of a person.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub id: PersonId,
    /// `None` once erased.
    pub external_id: Option<Pii<String>>,
    pub display_name: Option<Pii<String>>,
    pub created_at_ms: i64,
    pub erased_at_ms: Option<i64>,
}

/// Whether this could be an EHR's opaque id of a person.
pub(crate) fn is_external_id(text: &str) -> bool {
    (1..=PERSON_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Where a person's id of the EHR's is sealed.
fn external_id_of(tenant: TenantId, row: &str) -> Place<'_> {
    Place { tenant, table: "people", row, column: "external_id" }
}

/// Where the name is sealed by which others know somebody.
fn name_of(tenant: TenantId, row: &str) -> Place<'_> {
    Place { tenant, table: "people", row, column: "display_name" }
}

impl ControlApi {
    /// The person of this id of the EHR's; made on first sight.
    pub(crate) async fn person_of(
        &self,
        tx: &mut TenantTx,
        external_id: &Pii<String>,
    ) -> Result<PersonId, StoreError> {
        let keys = self.vault.keys(tx).await?;
        let external_hash = keys.index().of("person", external_id.reveal());
        if let Some(id) = store::people::find(tx, &external_hash).await? {
            return Ok(id);
        }
        let id = PersonId::from_bytes(random_bytes());
        let row = id.to_string();
        let (person, key) = keys.draw_person(id)?;
        let sealed = person.seal(&external_id_of(keys.tenant(), &row), external_id.reveal().as_bytes())?;
        let new = NewPerson { id, external_hash: &external_hash, external_id: &sealed, key: &key };
        if store::people::insert(tx, &new, now_ms()).await? {
            return Ok(id);
        }
        // Another transaction has committed the same person since we looked.
        store::people::find(tx, &external_hash)
            .await?
            .ok_or(StoreError::Malformed("a person who was just seen"))
    }

    /// Seals a value under a person's key. Of who was erased nothing is put down any more.
    pub(super) async fn seal_about(
        &self,
        act: &mut TenantTx,
        person: PersonId,
        place: &Place<'_>,
        text: &Pii<String>,
    ) -> Result<Vec<u8>, Problem> {
        let kept = store::people::load(act, person).await?.ok_or(Problem::NotFound)?;
        let sealed = self.seal_unless_erased(act, person, &kept, place, text).await?;
        sealed.ok_or(Problem::NotFound)
    }

    /// The same of somebody who was looked up; nothing if they were erased.
    pub(super) async fn seal_unless_erased(
        &self,
        act: &mut TenantTx,
        person: PersonId,
        kept: &store::people::Person,
        place: &Place<'_>,
        text: &Pii<String>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if kept.erased_at_ms.is_some() {
            return Ok(None);
        }
        let bytes = text.reveal().as_bytes();
        let seal = |keys: &TenantKeys| keys.person(person, &kept.keys)?.seal(place, bytes);
        self.vault.with_keys(act, seal).await.map(Some)
    }

    /// Opens a value that is sealed under a person's key; nothing once they were erased.
    pub(super) async fn open_about(
        &self,
        tx: &mut TenantTx,
        person: PersonId,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<Option<Pii<String>>, StoreError> {
        let kept = store::people::load(tx, person).await?.ok_or(StoreError::Malformed("a person"))?;
        self.open_by(tx, (person, &kept.keys), place, sealed).await
    }

    async fn open_by(
        &self,
        tx: &mut TenantTx,
        (person, stored): (PersonId, &[StoredPersonKey]),
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<Option<Pii<String>>, StoreError> {
        let open = |keys: &TenantKeys| keys.person(person, stored)?.open_text(place, sealed);
        self.vault.with_keys(tx, open).await.map(Opened::value)
    }

    /// What is kept of a person; that it was read is on disk before it is told.
    pub(crate) async fn read_person(&self, caller: Caller, id: PersonId) -> Result<Person, Problem> {
        let mut tx = self.store.read(caller.tenant).await?;
        let relation = facts::to_patient(&mut tx, &caller, id).await?;
        let (mut tx, ground) = self.permit_on(tx, &caller, Act::ReadPerson, &relation).await?;
        let person = self.person_as_kept(&mut tx, id).await?;
        // Its connection is free before the entry waits for one.
        drop(tx);
        let entry = about(id, by(&caller, Action::PersonRead));
        self.note_read(caller.tenant, &Entry { break_glass: ground.break_glass(), ..entry }).await?;
        Ok(person)
    }

    /// What is kept of a person. To be told only once the audit log says so.
    pub(crate) async fn person_as_kept(&self, tx: &mut TenantTx, id: PersonId) -> Result<Person, Problem> {
        let kept = store::people::load(tx, id).await?.ok_or(Problem::NotFound)?;
        let (tenant, row) = (tx.tenant(), id.to_string());
        let open = |keys: &TenantKeys| {
            let person = keys.person(id, &kept.keys)?;
            let name = kept.display_name.as_deref();
            let name = name.map(|sealed| person.open_text(&name_of(tenant, &row), sealed)).transpose()?;
            Ok((person.open_text(&external_id_of(tenant, &row), &kept.external_id)?.value(), name))
        };
        let (external_id, name) = self.vault.with_keys(tx, open).await?;
        let (created_at_ms, erased_at_ms) = (kept.created_at_ms, kept.erased_at_ms);
        let display_name = name.and_then(Opened::value);
        Ok(Person { id, external_id, display_name, created_at_ms, erased_at_ms })
    }

    /// Makes the person of an id of the EHR's known, or finds who is.
    pub(crate) async fn register_person(
        &self,
        caller: Caller,
        external_id: Pii<String>,
        display_name: Option<Pii<String>>,
    ) -> Result<Person, Problem> {
        self.permit(&caller, Act::ManagePeople).await?;
        let mut act = self.begin(&caller).await?;
        let id = self.person_of(&mut act, &external_id).await?;
        if display_name.is_some() {
            self.put_name(&mut act, id, display_name.as_ref()).await?;
        }
        let kept = store::people::load(&mut act, id).await?.ok_or(Problem::NotFound)?;
        let entry = about(id, by(&caller, Action::PersonRegistered));
        record(&mut act, &entry).await?;
        let external_id = Some(external_id);
        let (created_at_ms, erased_at_ms) = (kept.created_at_ms, kept.erased_at_ms);
        let told = Person { id, external_id, display_name, created_at_ms, erased_at_ms };
        self.keep(act, &caller, told).await
    }

    /// Says by which name others know somebody from now on; nothing takes it away.
    pub(crate) async fn set_display_name(
        &self,
        caller: Caller,
        id: PersonId,
        name: Option<Pii<String>>,
    ) -> Result<(), Problem> {
        self.permit(&caller, Act::ManagePeople).await?;
        let mut act = self.begin(&caller).await?;
        self.put_name(&mut act, id, name.as_ref()).await?;
        let detail = Some(if name.is_some() { "display_name_set" } else { "display_name_taken_away" });
        let entry = Entry { detail, ..by(&caller, Action::Asked(Act::ManagePeople)) };
        record(&mut act, &about(id, entry)).await?;
        self.keep(act, &caller, ()).await
    }

    async fn put_name(
        &self,
        act: &mut TenantTx,
        id: PersonId,
        name: Option<&Pii<String>>,
    ) -> Result<(), Problem> {
        let (tenant, row) = (act.tenant(), id.to_string());
        let sealed = match name {
            None => None,
            Some(name) => Some(self.seal_about(act, id, &name_of(tenant, &row), name).await?),
        };
        let is_there = store::people::set_display_name(act, id, sealed.as_deref()).await?;
        is_there.then_some(()).ok_or(Problem::NotFound)
    }

    /// What the others see of somebody: the name that was said now, or else the one by which they are known.
    pub(super) async fn shown_name(
        &self,
        act: &mut TenantTx,
        id: PersonId,
        said: Option<Pii<String>>,
    ) -> Result<Pii<String>, Problem> {
        if let Some(name) = said {
            return Ok(name);
        }
        let kept = store::people::load(act, id).await?.ok_or(Problem::NotFound)?;
        let (tenant, row) = (act.tenant(), id.to_string());
        let name = match &kept.display_name {
            None => None,
            Some(sealed) => self.open_by(act, (id, &kept.keys), &name_of(tenant, &row), sealed).await?,
        };
        name.ok_or(Problem::FieldInvalid("display_name"))
    }
}
