//! What signaling saw: who came and went, and what was written.

use std::{borrow::Cow, collections::HashMap, net::IpAddr};

use media_model::{ConsultId, Pii, TenantId};
use signaling_protocol::ticket::TicketId;

use super::{ControlApi, chat::NewLine, now_ms, webhooks};
use crate::{
    StoreError,
    audit::{Entry, EntryId, StoredEntry, unix_ms},
    ids::PersonId,
    keys::Whose,
    store::{self, TenantTx},
};

/// One thing that signaling saw.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Whose consult it was.
    pub tenant: TenantId,
    /// The entry's id, however often it is handed in.
    pub id: EntryId,
    /// What the audit log says of it. Whom its consult is about is looked up.
    pub entry: Entry,
    /// The line of chat that was written, which the audit log does not have.
    pub line: Option<Pii<String>>,
    /// From where, to be sealed for the entry.
    pub address: Option<Pii<IpAddr>>,
    /// The ticket that was taken back with it, and with it all that the person had been given to that consult until then.
    pub revoked: Option<TicketId>,
}

impl Seen {
    /// Something of which the entry tells all.
    pub const fn new(tenant: TenantId, id: EntryId, entry: Entry) -> Self {
        Self { tenant, id, entry, line: None, address: None, revoked: None }
    }
}

/// Whom consults are about, as far as it was looked up for what is written together.
type Patients = HashMap<(TenantId, ConsultId), Option<PersonId>>;

impl ControlApi {
    /// Writes what signaling saw: who joined, left or was turned away, and what was written. Returns when all of it is on
    /// disk; after an error none of it counts.
    pub async fn record(&self, seen: &[Seen]) -> Result<(), StoreError> {
        self.record_those(seen, false).await
    }

    /// The same, for what may have been written already, under the same ids.
    pub async fn record_unless_there(&self, seen: &[Seen]) -> Result<(), StoreError> {
        self.record_those(seen, true).await
    }

    /// The same, where what can never be written must not hold up the rest: tenant by tenant then, and one by one. Gives the
    /// places of those that it was, and why.
    pub async fn record_what_can_be(&self, seen: &[Seen]) -> Result<Vec<(usize, StoreError)>, StoreError> {
        match self.record_unless_there(seen).await {
            Ok(()) => return Ok(Vec::new()),
            Err(error) if is_for_good(&error) => {}
            Err(error) => return Err(error),
        }
        let mut tenants: Vec<_> = seen.iter().map(|one| one.tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let mut hopeless = Vec::new();
        for tenant in tenants {
            let places = seen.iter().enumerate().filter(|(_, one)| one.tenant == tenant);
            let (places, theirs): (Vec<_>, Vec<_>) = places.map(|(place, one)| (place, one.clone())).unzip();
            if self.record_unless_there(&theirs).await.is_ok() {
                continue;
            }
            for (place, one) in places.into_iter().zip(&theirs) {
                match self.record_unless_there(std::slice::from_ref(one)).await {
                    Ok(()) => {}
                    Err(error) if is_for_good(&error) => hopeless.push((place, error)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(hopeless)
    }

    async fn record_those(&self, seen: &[Seen], may_be_there: bool) -> Result<(), StoreError> {
        let Some(first) = seen.first() else { return Ok(()) };
        let mut act = self.store.begin(first.tenant).await?;
        let mut patients = Patients::new();
        for one in seen {
            if act.tenant() != one.tenant {
                act.turn_to(one.tenant).await?;
            }
            if may_be_there && store::audit::has(&mut act, one.id).await? {
                continue;
            }
            let entry = self.with_line(&mut act, one, may_be_there).await?;
            let entry = self.with_patient(&mut act, entry, &mut patients).await?;
            let entry = self.with_address(&mut act, entry, one.address.as_ref()).await?;
            store::audit::insert(&mut act, &[StoredEntry::of(&entry, one.id)]).await?;
            take_back(&mut act, one.revoked, &entry).await?;
            if let Some(event) = webhooks::event_of(&entry) {
                self.tell(&mut act, &event, unix_ms(entry.at)).await?;
            }
        }
        self.commit(act).await
    }

    /// With whom the consult is about, where it says which.
    async fn with_patient<'a>(
        &self,
        act: &mut TenantTx,
        entry: Cow<'a, Entry>,
        patients: &mut Patients,
    ) -> Result<Cow<'a, Entry>, StoreError> {
        let (None, Some(consult)) = (entry.patient, entry.consult) else { return Ok(entry) };
        let key = (act.tenant(), consult);
        let patient = match patients.get(&key) {
            Some(known) => *known,
            None => *patients.entry(key).or_insert(store::tickets::patient_of(act, consult).await?),
        };
        Ok(match patient {
            None => entry,
            patient => Cow::Owned(Entry { patient, ..entry.into_owned() }),
        })
    }

    /// With from where it was done. What belongs to no tenant has no key to seal that with.
    async fn with_address<'a>(
        &self,
        act: &mut TenantTx,
        entry: Cow<'a, Entry>,
        address: Option<&Pii<IpAddr>>,
    ) -> Result<Cow<'a, Entry>, StoreError> {
        let (Some(address), Some(request)) = (address, entry.request) else { return Ok(entry) };
        if act.tenant() == TenantId::SYSTEM {
            return Ok(entry);
        }
        match self.sealed_address(act, request, address).await {
            Ok(address) => Ok(Cow::Owned(Entry { address: Some(address), ..entry.into_owned() })),
            // A key service that is away comes back; keys that do not open stay as they are.
            Err(StoreError::Keys(fault)) if fault.whose() != Whose::KeyService => {
                tracing::error!(tenant = %act.tenant(), %fault, "an audit entry is kept without its address");
                Ok(entry)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the line that was written, if one was; the entry, which names the patient then.
    async fn with_line<'a>(
        &self,
        act: &mut TenantTx,
        seen: &'a Seen,
        has_waited: bool,
    ) -> Result<Cow<'a, Entry>, StoreError> {
        let entry = &seen.entry;
        let Some(text) = &seen.line else { return Ok(Cow::Borrowed(entry)) };
        let person = entry.person_id.as_ref().and_then(|person| person.reveal().parse().ok());
        let kept = match (entry.consult, person, entry.role) {
            (Some(consult), Some(person), Some(role)) => {
                let at_ms = unix_ms(entry.at);
                let kept =
                    self.keep_line(act, &NewLine { id: seen.id, consult, person, role, at_ms, text }).await;
                match kept {
                    Err(StoreError::Keys(fault)) if has_waited && fault.whose() == Whose::Stored => None,
                    kept => kept?,
                }
            }
            _ => None,
        };
        let Some(kept) = kept else {
            // The database is older than what the node saw, or damaged. One line must not hold up all that follows.
            tracing::error!(entry = %seen.id, "a line of chat is dropped: its consult or person is not there");
            return Ok(Cow::Borrowed(entry));
        };
        Ok(Cow::Owned(Entry { patient: kept.patient, ..entry.clone() }))
    }
}

/// Takes back what whoever was sent out had come with, or could have: as of now, so that other processes hear of it however long the
/// entry has waited.
async fn take_back(act: &mut TenantTx, revoked: Option<TicketId>, entry: &Entry) -> Result<(), StoreError> {
    let (Some(ticket), Some(consult)) = (revoked, entry.consult) else { return Ok(()) };
    let now_ms = now_ms();
    store::tickets::set_revoked(act, consult, ticket, now_ms).await?;
    let person: Option<PersonId> = entry.person_id.as_ref().and_then(|person| person.reveal().parse().ok());
    match person {
        Some(person) => {
            store::tickets::revoke_of_person(act, (consult, person), unix_ms(entry.at), now_ms).await
        }
        None => Ok(()),
    }
}

/// Whether what could not be written never can be as things are, and it is not the database that is away.
pub(super) fn is_for_good(error: &StoreError) -> bool {
    match error {
        StoreError::Keys(fault) => fault.whose() != Whose::KeyService,
        StoreError::Malformed(_) => true,
        StoreError::Failed(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            // Data and integrity (PostgreSQL, appendix A), and what a trigger of SQLite's refuses.
            let is_of_entry = code.len() == 5 && (code.starts_with("22") || code.starts_with("23"));
            is_of_entry || code == "1811" || error.kind() != sqlx::error::ErrorKind::Other
        }
        _ => false,
    }
}
