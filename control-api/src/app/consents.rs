//! Patients' consents.

use super::{ControlApi, by, facts, now_ms, record};
use crate::{
    audit::{Action, Entry},
    auth::Caller,
    ids::PersonId,
    permissions::Act,
    problem::Problem,
    store,
};

pub(crate) use crate::store::consents::Consent;

impl ControlApi {
    /// What a person agreed to; that it was read is on disk before it is told.
    pub(crate) async fn read_consents(
        &self,
        caller: Caller,
        person: PersonId,
    ) -> Result<Vec<Consent>, Problem> {
        let mut tx = self.store.read(caller.tenant).await?;
        let relation = facts::to_patient(&mut tx, &caller, person).await?;
        let (mut tx, ground) = self.permit_on(tx, &caller, Act::ReadConsents, &relation).await?;
        store::people::load(&mut tx, person).await?.ok_or(Problem::NotFound)?;
        let consents = store::consents::of(&mut tx, person).await?;
        drop(tx);
        let asked = by(&caller, Action::Asked(Act::ReadConsents));
        let entry = Entry { patient: Some(person), break_glass: ground.break_glass(), ..asked };
        self.note_read(caller.tenant, &entry).await?;
        Ok(consents)
    }

    /// Notes that a patient consents to be treated from afar, or no longer does: then nobody comes into a visit of theirs,
    /// nor back into it, with what was given out before. Who is in one stays until it is ended, for the patient's sake.
    pub(crate) async fn record_consent(
        &self,
        caller: Caller,
        person: PersonId,
        is_given: bool,
    ) -> Result<(), Problem> {
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_patient(&mut act, &caller, person).await?;
        let mut act = self.permit_in(act, &caller, Act::RecordConsent, &relation).await?;
        let kept = store::people::load(&mut act, person).await?.ok_or(Problem::NotFound)?;
        if kept.erased_at_ms.is_some() {
            return Err(Problem::NotFound);
        }
        let now_ms = now_ms();
        let is_there = if is_given {
            store::consents::give(&mut act, person, now_ms).await?;
            true
        } else {
            store::consents::withdraw(&mut act, person, now_ms).await?
        };
        if !is_there {
            return Err(Problem::NotFound);
        }
        let detail = Some(if is_given { "given" } else { "withdrawn" });
        let asked = by(&caller, Action::Asked(Act::RecordConsent));
        record(&mut act, &Entry { patient: Some(person), detail, ..asked }).await?;
        let barred = match is_given {
            true => Vec::new(),
            false => store::tickets::bar_of_patient(&mut act, person, now_ms).await?,
        };
        self.keep(act, &caller, ()).await?;
        for (consult, ticket) in barred {
            self.running.bar_ticket(consult, ticket);
        }
        Ok(())
    }
}
