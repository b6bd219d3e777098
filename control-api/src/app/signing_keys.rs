//! Public keys of nodes, which nodes on one database tell each other.
//!
//! They are sealed under a key of the system's own, which only the master key opens: whoever can write rows can take keys away, and add none.

use media_model::TenantId;

use super::{BootstrapError, ControlApi, now_ms, record, renewal::rotated, tenants::from_shell};
use crate::{
    KeyUse, PublishedKey, StoreError,
    audit::{Action, Actor, Entry, Surface},
    keys::{Place, TenantKeys, Whose},
    permissions::Act,
    store::{
        self, TenantTx,
        signing_keys::{self, StoredKey},
    },
};

const TABLE: &str = "signing_keys";

impl ControlApi {
    /// The public keys of all nodes that are good now.
    pub async fn published_keys(&self) -> Result<Vec<PublishedKey>, StoreError> {
        let mut tx = self.store.read(TenantId::SYSTEM).await?;
        let rows = signing_keys::good_after(&mut tx, now_ms()).await?;
        let mut published = Vec::with_capacity(rows.len());
        for row in rows {
            // One that was not sealed by us for this place is no key; so is one whose key is gone.
            match self.vault.with_keys(&mut tx, |keys| keys.open_text(&place(&row.name), &row.sealed)).await {
                Ok(line) => published
                    .extend(line.reveal().parse::<PublishedKey>().ok().filter(|key| key.name() == row.name)),
                // A key service that is away comes back, and says nothing of the key.
                Err(StoreError::Keys(fault)) if fault.whose() != Whose::KeyService => {
                    tracing::error!(key = row.name, %fault, "a published key does not open")
                }
                Err(error) => return Err(error),
            }
        }
        Ok(published)
    }

    /// Tells all nodes of a key. The owner signs with it when they know it.
    pub async fn publish_key(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let mut act = self.store.begin(TenantId::SYSTEM).await?;
        let keys = self.system_keys(&mut act).await?;
        let name = key.name();
        let sealed = keys.seal(&place(&name), key.to_string().as_bytes())?;
        signing_keys::put(&mut act, &StoredKey { name, sealed }, key.good_until_ms()).await?;
        signing_keys::delete_past(&mut act, now_ms()).await?;
        record(&mut act, &rotated(Actor::Server, Surface::Server, "signing_key_published")).await?;
        // Keys that were made in an act that was not kept are nobody's.
        self.commit(act).await.inspect_err(|_| self.vault.forget(TenantId::SYSTEM))
    }

    /// Takes a key back from the shell, by its kid: within seconds no node believes it, and its owner makes another.
    pub async fn revoke_signing_key(&self, kid: &str) -> Result<(), BootstrapError> {
        let mut act = self.store.begin(TenantId::SYSTEM).await?;
        let mut is_there = false;
        for signs in KeyUse::ALL {
            is_there |= signing_keys::delete(&mut act, &PublishedKey::name_of(*signs, kid)).await?;
        }
        if !is_there {
            return Err(BootstrapError::NoSigningKey);
        }
        let detail = Some("signing_key_revoked");
        record(&mut act, &Entry { detail, ..from_shell(Action::Asked(Act::RotateKeys)) }).await?;
        Ok(self.commit(act).await?)
    }

    /// The keys of [`TenantId::SYSTEM`], which are made when they are needed first.
    async fn system_keys(&self, act: &mut TenantTx) -> Result<TenantKeys, StoreError> {
        if store::tenant_keys::all(act).await?.is_empty() {
            for key in self.vault.draw(act.tenant()).await? {
                store::tenant_keys::insert(act, &key, now_ms()).await?;
            }
            self.vault.forget(act.tenant());
        }
        self.vault.keys(act).await
    }
}

fn place(name: &str) -> Place<'_> {
    Place { tenant: TenantId::SYSTEM, table: TABLE, row: name, column: "sealed" }
}
