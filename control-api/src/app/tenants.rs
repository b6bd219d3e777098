//! What an operator does from the shell before anybody can call: a tenant. And why not.

use media_model::TenantId;
use signaling_protocol::limits::PERSON_ID_BYTES_MAX;

use super::{ControlApi, Seen, new_entry_id, now_ms, record};
use crate::{
    ShellUser, StoreError,
    audit::{Action, Actor, Entry, Object, Surface},
    keys::MasterName,
    limits::{API_CLIENT_NAME_BYTES_MAX, PORTAL_ORIGINS_MAX, SUBJECT_BYTES_MAX},
    named::named,
    permissions::Act,
    sign_in::InvalidSignIn,
    store::{self, tenants::Tenant},
};

/// What was asked for from the shell and not done.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The name cannot stand in an id.
    #[error("a client's name is 1 to {API_CLIENT_NAME_BYTES_MAX} letters, digits and hyphens")]
    ClientName,
    /// There is no such tenant.
    #[error("there is no tenant {0}: make one with `consilium tenant create`")]
    NoTenant(TenantId),
    /// There is no such client, or it was revoked before.
    #[error("the tenant has no client {0} that is good: see `consilium client list`")]
    NoClient(String),
    /// There is one already.
    #[error("there is a tenant {0} already")]
    TenantExists(TenantId),
    /// The EHR's id cannot be one.
    #[error(
        "an EHR's id of a person is 1 to {PERSON_ID_BYTES_MAX} printable ASCII characters without spaces"
    )]
    ExternalId,
    /// The issuer or the subject cannot be one.
    #[error(
        "an account is an issuer's URL and a subject of 1 to {SUBJECT_BYTES_MAX} printable ASCII characters"
    )]
    Account,
    /// People of this tenant sign in elsewhere.
    #[error("people of this tenant sign in at another issuer: see `consilium tenant sign-in`")]
    OtherIssuer,
    /// The account is somebody else's.
    #[error("the account is linked to somebody else")]
    LinkedElsewhere,
    /// There is no such key, or it was taken back before.
    #[error("no node signs with such a key: see `consilium signing-key list`")]
    NoSigningKey,
    /// There are as many portals as there may be.
    #[error("a tenant has at most {PORTAL_ORIGINS_MAX} portals' origins")]
    TooManyOrigins,
    /// A setting cannot be used.
    #[error(transparent)]
    SignIn(#[from] InvalidSignIn),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

named! {
    /// What was done with a master key.
    pub enum MasterKeyChange {
        /// A file was made with it.
        Created = "master_key_created",
        /// It was put before the others.
        Rotated = "master_key_rotated",
        /// It was taken out.
        Retired = "master_key_retired",
    }
}

impl ControlApi {
    /// Makes a tenant.
    pub async fn create_tenant(&self, tenant: TenantId) -> Result<(), BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        if !store::tenants::insert(&mut act, Tenant { direct_consults: true }, now_ms()).await? {
            return Err(BootstrapError::TenantExists(tenant));
        }
        for key in self.vault.draw(tenant).await? {
            store::tenant_keys::insert(&mut act, &key, now_ms()).await?;
        }
        record(&mut act, &from_shell(Action::TenantCreated)).await?;
        self.commit(act).await?;
        self.portals.learn([(tenant, 0, Vec::new())]);
        Ok(())
    }

    /// Puts down that everything is about to be copied.
    pub async fn note_backup(&self) -> Result<(), StoreError> {
        self.record(&[Seen::new(TenantId::SYSTEM, new_entry_id(), from_shell(Action::BackedUp))]).await
    }

    /// Puts down what was done with a master key in its file.
    pub async fn note_master_key(&self, change: MasterKeyChange, name: MasterName) -> Result<(), StoreError> {
        let (detail, object) = (Some(change.as_str()), Some(Object::MasterKey(name)));
        let entry = Entry { detail, object, ..from_shell(Action::Asked(Act::RotateKeys)) };
        self.record(&[Seen::new(TenantId::SYSTEM, new_entry_id(), entry)]).await
    }

    /// Puts down that the database was made from a copy.
    pub async fn note_restore(&self) -> Result<(), StoreError> {
        self.record(&[Seen::new(TenantId::SYSTEM, new_entry_id(), from_shell(Action::Restored))]).await
    }
}

pub(super) fn from_shell(action: Action) -> Entry {
    Entry { actor: Actor::Shell(ShellUser::of_process()), surface: Surface::Cli, ..Entry::of(action) }
}
