//! What the caller may not do is refused, and that is put down.

use super::{ControlApi, by, record};
use crate::{
    StoreError,
    audit::{Action, Entry, Outcome},
    auth::Caller,
    permissions::{Act, Ground, Reason, Relation, Verdict, may},
    problem::Problem,
    store::TenantTx,
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
