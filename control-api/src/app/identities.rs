//! Who people are where they sign in: (issuer, subject), linked by somebody who knows. Nobody becomes anybody by an e-mail
//! address that happens to match.

use media_model::{Pii, TenantId};

use super::{
    BootstrapError, ControlApi, by, erasing::about, now_ms, people::is_external_id, random_bytes, record,
    tenants::from_shell,
};
use crate::{
    StoreError,
    audit::{Action, Entry},
    auth::Caller,
    ids::{IdentityId, PersonId},
    limits::{IDENTITIES_MAX, PROVIDER_URL_BYTES_MAX, SUBJECT_BYTES_MAX},
    permissions::{Act, Relation},
    problem::Problem,
    store::{self, TenantTx},
};

pub(crate) use crate::store::identities::Identity;

/// Which act it is to link an account to somebody: whoever links one to an admin or an auditor can be them, which is as good as
/// making somebody one.
fn act_of(person: &crate::permissions::Person) -> (Act, Relation) {
    match person.tenant_role {
        None => (Act::ManagePeople, Relation::to_tenant()),
        Some(_) => (Act::GrantRole, Relation::to_tenant().of(person.id)),
    }
}

/// Whether these could be an issuer and a subject.
pub(crate) fn is_account(issuer: &str, subject: &str) -> bool {
    let is_text = |text: &str, bytes_max: usize| {
        (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    let is_url = issuer.starts_with("https://") || issuer.starts_with("http://");
    is_url && is_text(issuer, PROVIDER_URL_BYTES_MAX) && is_text(subject, SUBJECT_BYTES_MAX)
}

impl ControlApi {
    /// How an issuer's subject is found.
    pub(super) async fn subject_hash(
        &self,
        tx: &mut TenantTx,
        issuer: &str,
        subject: &Pii<String>,
    ) -> Result<[u8; 32], StoreError> {
        let keys = self.vault.keys(tx).await?;
        Ok(keys.index().of_parts("identity", &[issuer, subject.reveal()]))
    }

    /// Links an account to a person from the shell, by the EHR's id of them. Whoever is not known yet is made known.
    pub async fn link_from_shell(
        &self,
        tenant: TenantId,
        external_id: Pii<String>,
        issuer: &str,
        subject: Pii<String>,
    ) -> Result<PersonId, BootstrapError> {
        if !is_external_id(external_id.reveal()) {
            return Err(BootstrapError::ExternalId);
        }
        if !is_account(issuer, subject.reveal()) {
            return Err(BootstrapError::Account);
        }
        let mut act = self.store.begin(tenant).await?;
        if store::tenants::find(&mut act).await?.is_none() {
            return Err(BootstrapError::NoTenant(tenant));
        }
        if !self.is_issuer(&mut act, issuer).await? {
            return Err(BootstrapError::OtherIssuer);
        }
        let person = self.person_of(&mut act, &external_id).await?;
        let identity = new_identity(person);
        let hash = self.subject_hash(&mut act, issuer, &subject).await?;
        match store::identities::find(&mut act, &hash).await? {
            Some(linked) if linked.person == person => return Ok(person),
            Some(_) => return Err(BootstrapError::LinkedElsewhere),
            None => {}
        }
        if !store::identities::insert(&mut act, &identity, &hash).await? {
            return Err(BootstrapError::LinkedElsewhere);
        }
        let entry = from_shell(Action::Asked(Act::ManagePeople));
        record(&mut act, &about(person, Entry { detail: Some("identity_linked"), ..entry })).await?;
        self.commit(act).await?;
        Ok(person)
    }

    /// Links an account to a person.
    pub(crate) async fn link_identity(
        &self,
        caller: Caller,
        person: PersonId,
        issuer: &str,
        subject: Pii<String>,
    ) -> Result<Identity, Problem> {
        let act = self.permit_for(&caller, person).await?;
        let mut tx = self.begin(&caller).await?;
        if !self.is_issuer(&mut tx, issuer).await? {
            return Err(Problem::FieldInvalid("issuer"));
        }
        if store::identities::of(&mut tx, person).await?.len() >= IDENTITIES_MAX {
            return Err(Problem::TooMany);
        }
        let identity = new_identity(person);
        let hash = self.subject_hash(&mut tx, issuer, &subject).await?;
        if !store::identities::insert(&mut tx, &identity, &hash).await? {
            return Err(Problem::LinkedAlready);
        }
        let entry = Entry { detail: Some("identity_linked"), ..by(&caller, Action::Asked(act)) };
        record(&mut tx, &about(person, entry)).await?;
        self.keep(tx, &caller, identity).await
    }

    /// How a person signs in.
    pub(crate) async fn identities(
        &self,
        caller: Caller,
        person: PersonId,
    ) -> Result<Vec<Identity>, Problem> {
        let act = self.permit_for(&caller, person).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let identities = store::identities::of(&mut tx, person).await?;
        drop(tx);
        self.note_read(caller.tenant, &about(person, by(&caller, Action::Asked(act)))).await?;
        Ok(identities)
    }

    /// Unlinks an account. Whoever is signed in as that person is signed out.
    pub(crate) async fn unlink_identity(
        &self,
        caller: Caller,
        person: PersonId,
        identity: IdentityId,
    ) -> Result<(), Problem> {
        let act = self.permit_for(&caller, person).await?;
        let mut tx = self.begin(&caller).await?;
        if !store::identities::delete(&mut tx, person, identity).await? {
            return Err(Problem::NotFound);
        }
        let signed_out = by(&caller, Action::SignedOut);
        self.end_sessions_of(&mut tx, person, "unlinked", &signed_out).await?;
        let entry = Entry { detail: Some("identity_unlinked"), ..by(&caller, Action::Asked(act)) };
        record(&mut tx, &about(person, entry)).await?;
        self.keep(tx, &caller, ()).await
    }

    /// Refuses whoever may not say how this person signs in.
    async fn permit_for(&self, caller: &Caller, person: PersonId) -> Result<Act, Problem> {
        let mut tx = self.store.read(caller.tenant).await?;
        let known = store::people::person(&mut tx, person).await?;
        // Who may not manage people is not told who there is.
        let (act, relation) = known.as_ref().map_or((Act::ManagePeople, Relation::to_tenant()), act_of);
        drop(self.permit_in(tx, caller, act, &relation).await?);
        known.map(|_| act).ok_or(Problem::NotFound)
    }

    /// Whether people sign in there, or nobody has said yet where they do.
    async fn is_issuer(&self, tx: &mut TenantTx, issuer: &str) -> Result<bool, StoreError> {
        let settings = store::sign_in::find(tx).await?;
        Ok(settings.is_none_or(|settings| settings.issuer == issuer))
    }
}

fn new_identity(person: PersonId) -> Identity {
    Identity { id: IdentityId::from_bytes(random_bytes()), person, created_at_ms: now_ms() }
}
