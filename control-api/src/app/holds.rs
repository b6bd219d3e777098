//! Legal hold: nothing of a tenant's audit log goes while somebody needs it. And for how long it is kept otherwise.

use media_model::{Pii, TenantId};

use super::{BootstrapError, ControlApi, by, now_ms, record, tenants::from_shell};
use crate::{
    StoreError,
    audit::{Action, Entry},
    auth::Caller,
    keys::Place,
    permissions::Act,
    problem::Problem,
    retention::{HoldReason, RetentionMonths},
    store::{self, TenantTx, holds},
};

/// Why a log is held, as an auditor is told.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub reason: Pii<String>,
    /// As the audit log calls them.
    pub held_by: String,
    pub since_ms: i64,
}

const fn place(tenant: TenantId) -> Place<'static> {
    Place { tenant, table: "audit_holds", row: "", column: "reason" }
}

impl ControlApi {
    /// Whether the log of the caller's tenant is held, and why.
    pub(crate) async fn hold(&self, caller: Caller) -> Result<Option<Hold>, Problem> {
        self.permit(&caller, Act::HoldRecords).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let hold = self.told(&mut tx).await?;
        drop(tx);
        let entry = Entry { detail: Some("hold_read"), ..by(&caller, Action::Asked(Act::HoldRecords)) };
        self.note_read(caller.tenant, &entry).await?;
        Ok(hold)
    }

    /// Holds it from now on; answered for once nothing more is dropped.
    pub(crate) async fn set_hold(&self, caller: Caller, reason: &HoldReason) -> Result<Hold, Problem> {
        self.permit(&caller, Act::HoldRecords).await?;
        let mut act = self.begin(&caller).await?;
        let held_by = caller.actor.to_string();
        let hold = self.hold_in(&mut act, reason, held_by).await?;
        let entry = Entry { detail: Some("hold_set"), ..by(&caller, Action::Asked(Act::HoldRecords)) };
        record(&mut act, &entry).await?;
        self.keep(act, &caller, hold).await
    }

    /// Lets it go, if it is held.
    pub(crate) async fn lift_hold(&self, caller: Caller) -> Result<(), Problem> {
        self.permit(&caller, Act::HoldRecords).await?;
        let mut act = self.begin(&caller).await?;
        let detail = Some(if holds::lift(&mut act).await? { "hold_lifted" } else { "not_held" });
        record(&mut act, &Entry { detail, ..by(&caller, Action::Asked(Act::HoldRecords)) }).await?;
        self.keep(act, &caller, ()).await
    }

    /// Holds a tenant's log from the shell.
    pub async fn hold_from_shell(&self, tenant: TenantId, reason: &HoldReason) -> Result<(), BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        store::tenants::find(&mut act).await?.ok_or(BootstrapError::NoTenant(tenant))?;
        let entry = Entry { detail: Some("hold_set"), ..from_shell(Action::Asked(Act::HoldRecords)) };
        self.hold_in(&mut act, reason, entry.actor.to_string()).await?;
        record(&mut act, &entry).await?;
        Ok(self.commit(act).await?)
    }

    /// Lets it go from the shell; false if it was not held, and nothing was done.
    pub async fn release_from_shell(&self, tenant: TenantId) -> Result<bool, BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        store::tenants::find(&mut act).await?.ok_or(BootstrapError::NoTenant(tenant))?;
        if !holds::lift(&mut act).await? {
            return Ok(false);
        }
        let entry = Entry { detail: Some("hold_lifted"), ..from_shell(Action::Asked(Act::HoldRecords)) };
        record(&mut act, &entry).await?;
        self.commit(act).await?;
        Ok(true)
    }

    /// Says for how long a tenant's log is kept. What was dropped does not come back.
    pub async fn set_retention(
        &self,
        tenant: TenantId,
        months: RetentionMonths,
    ) -> Result<(), BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        if !holds::set_retention(&mut act, months).await? {
            return Err(BootstrapError::NoTenant(tenant));
        }
        let entry = Entry { detail: Some("retention_set"), ..from_shell(Action::Asked(Act::ManageTenant)) };
        record(&mut act, &entry).await?;
        Ok(self.commit(act).await?)
    }

    async fn hold_in(
        &self,
        act: &mut TenantTx,
        reason: &HoldReason,
        held_by: String,
    ) -> Result<Hold, StoreError> {
        let (place, text) = (place(act.tenant()), reason.text());
        let sealed = self.vault.with_keys(act, |keys| keys.seal(&place, text.reveal().as_bytes())).await?;
        let since_ms = holds::find(act).await?.map_or_else(now_ms, |earlier| earlier.since_ms);
        holds::set(act, &holds::Hold { reason: sealed, held_by: held_by.clone(), since_ms }).await?;
        Ok(Hold { reason: text.clone(), held_by, since_ms })
    }

    async fn told(&self, tx: &mut TenantTx) -> Result<Option<Hold>, StoreError> {
        let Some(row) = holds::find(tx).await? else { return Ok(None) };
        let place = place(tx.tenant());
        let reason = self.vault.with_keys(tx, |keys| keys.open_text(&place, &row.reason)).await?;
        Ok(Some(Hold { reason, held_by: row.held_by, since_ms: row.since_ms }))
    }
}
