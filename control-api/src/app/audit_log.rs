//! Reading the audit log, and taking it out of the house. Both are put down in it.

use media_model::{Pii, TenantId};

use super::{ControlApi, by};
use crate::{
    audit::{Action, Entry, RequestId, SealedRow, StoredEntry},
    auth::Caller,
    ids::PersonId,
    keys::TenantKeys,
    permissions::Act,
    problem::Problem,
    store,
};

use super::requests::address_of;

/// Which part of the log: sealed entries after this number, so many at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub after: i64,
    pub entries_max: i64,
}

/// An entry, for whoever may see it.
#[derive(Debug)]
pub(crate) struct Told {
    pub seq: i64,
    pub stored: StoredEntry,
    /// From where, opened.
    pub address: Option<Pii<String>>,
}

impl ControlApi {
    /// Part of the log, or of what is in it about one person.
    pub(crate) async fn read_audit(
        &self,
        caller: Caller,
        part: Part,
        person: Option<PersonId>,
    ) -> Result<Vec<Told>, Problem> {
        self.permit(&caller, Act::SeeAudit).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let rows = match person {
            None => store::audit::sealed_after(&mut tx, part.after, part.entries_max).await?,
            Some(person) => store::audit::sealed_about(&mut tx, person, part.after, part.entries_max).await?,
        };
        let keys = self.vault.keys(&mut tx).await?;
        drop(tx);
        let told = rows.into_iter().filter_map(|row| told(caller.tenant, &keys, row)).collect();
        let asked = by(&caller, Action::Asked(Act::SeeAudit));
        self.note_read(caller.tenant, &Entry { patient: person, ..asked }).await?;
        Ok(told)
    }

    /// Part of the log as it is stored and sealed, so that it can be verified elsewhere without a key.
    pub(crate) async fn export_audit(&self, caller: Caller, part: Part) -> Result<Vec<SealedRow>, Problem> {
        self.permit(&caller, Act::ExportAudit).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let rows = store::audit::sealed_after(&mut tx, part.after, part.entries_max).await?;
        drop(tx);
        self.note_read(caller.tenant, &by(&caller, Action::Asked(Act::ExportAudit))).await?;
        Ok(rows)
    }
}

/// An entry with its address. One that is missing is what verification finds; one whose address does not open is told without.
fn told(tenant: TenantId, keys: &TenantKeys, row: SealedRow) -> Option<Told> {
    let stored = row.stored?;
    let address = stored.address.as_deref().zip(stored.request.as_deref()).and_then(|(sealed, request)| {
        let request: RequestId = request.parse().ok()?;
        let opened = keys.open_text(&address_of(tenant, &request.to_string()), sealed);
        opened.inspect_err(|error| tracing::warn!(%error, "the address of an audit entry does not open")).ok()
    });
    Some(Told { seq: row.seq, stored, address })
}
