//! What signaling saw: who came and went, and what was written.

use std::borrow::Cow;

use media_model::{Pii, TenantId};

use super::{ControlApi, chat::NewLine, webhooks};
use crate::{
    StoreError,
    audit::{Entry, EntryId, StoredEntry, unix_ms},
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
    /// What the audit log says of it.
    pub entry: Entry,
    /// The line of chat that was written, which the audit log does not have.
    pub line: Option<Pii<String>>,
}

impl Seen {
    /// Something of which the entry tells all.
    pub const fn new(tenant: TenantId, id: EntryId, entry: Entry) -> Self {
        Self { tenant, id, entry, line: None }
    }
}

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

    async fn record_those(&self, seen: &[Seen], may_be_there: bool) -> Result<(), StoreError> {
        let Some(first) = seen.first() else { return Ok(()) };
        let mut act = self.store.begin(first.tenant).await?;
        for one in seen {
            if act.tenant() != one.tenant {
                act.turn_to(one.tenant).await?;
            }
            if may_be_there && store::audit::has(&mut act, one.id).await? {
                continue;
            }
            let entry = self.with_line(&mut act, one, may_be_there).await?;
            store::audit::insert(&mut act, &[StoredEntry::of(&entry, one.id)]).await?;
            if let Some(event) = webhooks::event_of(&entry) {
                self.tell(&mut act, &event, unix_ms(entry.at)).await?;
            }
        }
        self.commit(act).await?;
        seen.iter().for_each(|one| self.unsealed.note(one.tenant));
        Ok(())
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
