//! What the caller may not do is refused, and that is put down.

use media_model::Pii;

use super::{ControlApi, by, record};
use crate::{
    StoreError,
    audit::{Action, Entry, Outcome},
    auth::Caller,
    ids::PersonId,
    permissions::{Act, Ground, Reason, Relation, Verdict, may},
    problem::Problem,
    store::{self, TenantTx},
};

impl ControlApi {
    /// Refuses what the caller may not do, standing to the tenant as everybody does.
    pub(super) async fn permit(&self, caller: &Caller, act: Act) -> Result<(), Problem> {
        let relation = Relation::to_tenant();
        match may(&caller.subject, act, &relation) {
            Verdict::Granted(_) => {
                caller.note_allowed(act, &relation);
                Ok(())
            }
            Verdict::Refused(reason) => Err(self.refuse(caller, act, &relation, reason).await?),
        }
    }

    /// Refuses what the caller may not do, standing to what it is about as the transaction's facts have it. What is refused is
    /// undone.
    pub(super) async fn permit_in(
        &self,
        tx: TenantTx,
        caller: &Caller,
        act: Act,
        relation: &Relation,
    ) -> Result<TenantTx, Problem> {
        let (tx, ground) = self.permit_on(tx, caller, act, relation).await?;
        match ground.break_glass() {
            None => Ok(tx),
            // Nothing is done under a broken glass that does not name it.
            Some(_) => {
                drop(tx);
                Err(self.refuse(caller, act, relation, Reason::FactsDoNotFit).await?)
            }
        }
    }

    /// Likewise; and on which ground, so that the act's entry can name a broken glass.
    pub(super) async fn permit_on(
        &self,
        tx: TenantTx,
        caller: &Caller,
        act: Act,
        relation: &Relation,
    ) -> Result<(TenantTx, Ground), Problem> {
        match may(&caller.subject, act, relation) {
            Verdict::Granted(ground) => {
                caller.note_allowed(act, relation);
                Ok((tx, ground))
            }
            Verdict::Refused(reason) => {
                drop(tx);
                Err(self.refuse(caller, act, relation, reason).await?)
            }
        }
    }

    /// Puts down that the rules refuse what the table grants: nobody who is booked, no consent. What was begun is undone, and who was
    /// made known by it is not.
    pub(super) async fn refuse_by_rule(
        &self,
        tx: TenantTx,
        entry: Entry,
        problem: Problem,
    ) -> Result<Problem, StoreError> {
        if !matches!(problem, Problem::NotBooked | Problem::ConsentMissing) {
            return Ok(problem);
        }
        let tenant = tx.tenant();
        drop(tx);
        let mut tx = self.store.begin(tenant).await?;
        let patient = known(&mut tx, entry.patient).await?;
        let person = entry.person_id.as_ref().and_then(|id| id.reveal().parse().ok());
        let person_id = known(&mut tx, person).await?.map(|id| Pii::new(id.to_string()));
        let (outcome, detail) = (Outcome::Refused, Some(problem.code()));
        record(&mut tx, &Entry { outcome, detail, patient, person_id, ..entry }).await?;
        self.commit(tx).await?;
        Ok(problem)
    }

    /// Puts a refusal down; what to answer.
    pub(super) async fn refuse(
        &self,
        caller: &Caller,
        act: Act,
        relation: &Relation,
        reason: Reason,
    ) -> Result<Problem, StoreError> {
        let mut tx = self.store.begin(caller.tenant).await?;
        let entry = Entry {
            outcome: Outcome::Refused,
            detail: Some(reason.as_str()),
            patient: relation.patient(),
            consult: relation.consult(),
            ..by(caller, Action::Asked(act))
        };
        record(&mut tx, &entry).await?;
        self.commit(tx).await?;
        Ok(Problem::Forbidden(reason))
    }
}

/// Nobody, where there is none of this id.
async fn known(tx: &mut TenantTx, person: Option<PersonId>) -> Result<Option<PersonId>, StoreError> {
    match person {
        Some(id) if store::people::is_known(tx, id).await? => Ok(Some(id)),
        _ => Ok(None),
    }
}
