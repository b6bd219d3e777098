//! Whether a tenant has consults without an appointment.

use media_model::TenantId;

use super::{BootstrapError, ControlApi, by, record, tenants::from_shell};
use crate::{
    audit::{Action, Entry},
    auth::Caller,
    permissions::Act,
    problem::Problem,
    store,
};

/// Whether it has, from now on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DirectConsults {
    pub allowed: bool,
}

impl ControlApi {
    /// Whether the caller's tenant has consults without an appointment.
    pub(crate) async fn direct_consults(&self, caller: Caller) -> Result<DirectConsults, Problem> {
        self.permit(&caller, Act::ManageTenant).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let tenant = store::tenants::find(&mut tx).await?.ok_or(Problem::NotFound)?;
        drop(tx);
        let asked = by(&caller, Action::Asked(Act::ManageTenant));
        self.note_read(caller.tenant, &Entry { detail: Some("direct_consults_read"), ..asked }).await?;
        Ok(DirectConsults { allowed: tenant.direct_consults })
    }

    /// Says whether it has, from now on. Consults that there are go on.
    pub(crate) async fn set_direct_consults(
        &self,
        caller: Caller,
        allowed: bool,
    ) -> Result<DirectConsults, Problem> {
        self.permit(&caller, Act::ManageTenant).await?;
        let mut act = self.begin(&caller).await?;
        if !store::tenants::set_direct_consults(&mut act, allowed).await? {
            return Err(Problem::NotFound);
        }
        record(&mut act, &switched(allowed, by(&caller, Action::Asked(Act::ManageTenant)))).await?;
        self.keep(act, &caller, DirectConsults { allowed }).await
    }

    /// The same from the shell.
    pub async fn set_direct_consults_from_shell(
        &self,
        tenant: TenantId,
        allowed: bool,
    ) -> Result<(), BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        if !store::tenants::set_direct_consults(&mut act, allowed).await? {
            return Err(BootstrapError::NoTenant(tenant));
        }
        record(&mut act, &switched(allowed, from_shell(Action::Asked(Act::ManageTenant)))).await?;
        Ok(self.commit(act).await?)
    }
}

fn switched(allowed: bool, entry: Entry) -> Entry {
    Entry { detail: Some(if allowed { "direct_consults_on" } else { "direct_consults_off" }), ..entry }
}
