//! Changing keys while the service runs: tenants' keys are wrapped anew under the newest master key, people's under their tenant's
//! newest sealing key.
//!
//! A row is changed only if it is still as it was read. So an erasure that happens meanwhile stays one, and of two processes that
//! renew at once one changes nothing.

use media_model::TenantId;

use super::{ControlApi, now_ms, record};
use crate::{
    ShellUser, StoreError,
    audit::{Action, Actor, Entry, Surface},
    keys::{MasterName, TenantKeys},
    limits::RENEWAL_PAGE_KEYS,
    permissions::Act,
    store,
};

/// How many keys were wrapped anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Tenants' keys.
    pub of_tenants: usize,
    /// People's keys.
    pub of_people: usize,
}

impl ControlApi {
    /// Wraps anew what an older key wraps, of all tenants. One that fails is reported and holds up nobody else.
    pub async fn renew_keys(&self) -> Result<Renewed, StoreError> {
        // Nothing can be wrapped while a token is away: nobody has to wait for that tenant by tenant.
        self.vault.master().check().await?;
        let mut renewed = Renewed::default();
        for tenant in self.store.tenants_and_system().await? {
            match self.renew_keys_of(tenant).await {
                Ok(Renewed { of_tenants, of_people }) => {
                    renewed.of_tenants += of_tenants;
                    renewed.of_people += of_people;
                }
                Err(error) => tracing::error!(%tenant, %error, "keys were not wrapped anew"),
            }
        }
        Ok(renewed)
    }

    /// Gives a tenant a new sealing key, which seals from now on, and wraps its people's keys under it. Older values open as before.
    pub async fn rotate_tenant_key(&self, tenant: TenantId) -> Result<Renewed, StoreError> {
        self.vault.doubt(tenant);
        let mut act = self.store.begin(tenant).await?;
        let keys = self.vault.keys(&mut act).await?;
        let (_, row) = keys.rotate(self.vault.master()).await?;
        store::tenant_keys::insert(&mut act, &row, now_ms()).await?;
        record(&mut act, &rotated(Actor::Shell(ShellUser::of_process()), Surface::Cli, "new_key")).await?;
        self.commit(act).await?;
        self.renew_keys_of(tenant).await
    }

    /// Whether nobody answered when master keys were needed last.
    pub fn master_keys_are_away(&self) -> bool {
        self.vault.master().is_away()
    }

    /// Master keys by name, each with the number of tenants' keys that it wraps.
    pub async fn master_keys_in_use(
        &self,
    ) -> Result<std::collections::BTreeMap<MasterName, usize>, StoreError> {
        let mut in_use = std::collections::BTreeMap::new();
        for tenant in self.store.tenants_and_system().await? {
            let mut tx = self.store.read(tenant).await?;
            for row in store::tenant_keys::all(&mut tx).await? {
                *in_use.entry(row.wrapped.master().clone()).or_default() += 1;
            }
        }
        Ok(in_use)
    }

    pub(super) async fn renew_keys_of(&self, tenant: TenantId) -> Result<Renewed, StoreError> {
        // The newest that there are, not those that this process remembers.
        self.vault.doubt(tenant);
        let mut act = self.store.begin(tenant).await?;
        let mut of_tenants = 0;
        let rows = store::tenant_keys::all(&mut act).await?;
        if rows.is_empty() {
            // The system has keys once a node has published its own.
            return Ok(Renewed::default());
        }
        for row in rows {
            if let Some(again) = TenantKeys::rewrap(self.vault.master(), tenant, &row).await? {
                of_tenants += usize::from(store::tenant_keys::replace(&mut act, &row, &again).await?);
            }
        }
        if of_tenants > 0 {
            record(&mut act, &rotated(Actor::Server, Surface::Server, "master_key")).await?;
        }
        let keys = self.vault.keys(&mut act).await?;
        self.commit(act).await?;
        let of_people = self.renew_people(&keys).await?;
        Ok(Renewed { of_tenants, of_people })
    }

    /// A page a transaction, so that acts do not wait for long.
    async fn renew_people(&self, keys: &TenantKeys) -> Result<usize, StoreError> {
        let (mut renewed, mut after) = (0, None);
        loop {
            let mut tx = self.store.read(keys.tenant()).await?;
            let page = store::people::keys_after(&mut tx, after, RENEWAL_PAGE_KEYS).await?;
            drop(tx);
            let Some((last, key)) = page.last() else { return Ok(renewed) };
            after = Some((*last, key.version));
            let again = page.iter().filter_map(|(person, row)| {
                keys.rewrap_person(*person, row).transpose().map(|again| Ok((*person, row, again?)))
            });
            let again: Vec<_> = again.collect::<Result<_, StoreError>>()?;
            if again.is_empty() {
                continue;
            }
            let mut act = self.store.begin(keys.tenant()).await?;
            for (person, row, again) in &again {
                renewed += usize::from(store::people::replace_key(&mut act, *person, row, again).await?);
            }
            record(&mut act, &rotated(Actor::Server, Surface::Server, "people_keys")).await?;
            self.commit(act).await?;
        }
    }
}

pub(super) fn rotated(actor: Actor, surface: Surface, detail: &'static str) -> Entry {
    Entry { actor, surface, detail: Some(detail), ..Entry::of(Action::Asked(Act::RotateKeys)) }
}
