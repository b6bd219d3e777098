//! Signing in: where a tenant's people do it, and what comes of it.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use media_model::{Pii, TenantId};
use url::Url;

use super::{
    BootstrapError, ControlApi,
    erasing::about,
    now, now_ms, record,
    sessions::{MFA_REQUIRED, note_ended},
    tenants::from_shell,
};
use crate::{
    StoreError,
    audit::{Action, Actor, Entry, Outcome, Surface},
    auth::{Request, SessionCookie},
    keys::{Place, TenantKeys},
    limits::{CALLBACK_PARAMETER_BYTES_MAX, SESSION_LIFETIME},
    permissions::Act,
    problem::Problem,
    sign_in::{
        Attempt, Exchange, Expected, Providers, ReturnPath, SignInCounts, SignInRefusal, SignInSettings,
        SignedIn, Started,
    },
    store::{self, TenantTx, sessions::Session},
};

/// Why somebody was not signed in.
#[derive(Debug)]
pub(crate) enum NotSignedIn {
    /// The rules say no. With the account that is linked to nobody, for its owner to show to the administrator.
    Refused(SignInRefusal, Option<Pii<Account>>),
    /// The store failed.
    Failed(Problem),
}

/// Who somebody is at a provider.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub issuer: String,
    pub subject: String,
}

impl From<SignInRefusal> for NotSignedIn {
    fn from(refusal: SignInRefusal) -> Self {
        Self::Refused(refusal, None)
    }
}

impl From<Problem> for NotSignedIn {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl NotSignedIn {
    /// Why, where nobody knows who it was: that is put down with others (`anonymous.rs`).
    pub fn of_nobody(&self) -> Option<&'static str> {
        match self {
            // Somebody showed the provider who they are: each has an entry of its own.
            Self::Refused(SignInRefusal::NobodyLinked | SignInRefusal::MfaNeeded, _) | Self::Failed(_) => {
                None
            }
            Self::Refused(refusal, _) => Some(refusal.as_str()),
        }
    }
}

impl From<StoreError> for NotSignedIn {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// A sign-in that was begun.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The provider's page.
    pub location: Url,
    /// What the browser keeps until it comes back.
    pub cookie: Pii<String>,
}

/// What the provider sends a browser back with.
#[derive(Debug, Default)]
pub(crate) struct Callback {
    pub state: Option<String>,
    pub code: Option<String>,
    pub error: Option<String>,
    pub issuer: Option<String>,
}

/// A sign-in that is done.
#[derive(Debug)]
pub(crate) struct Done {
    pub cookie: SessionCookie,
    /// Where to go now, if somebody said.
    pub return_to: Option<String>,
}

/// Where a client's secret is sealed.
fn secret_of(tenant: TenantId) -> Place<'static> {
    Place { tenant, table: "sign_in", row: "", column: "secret" }
}

/// Where a sign-in on its way is sealed: it opens with its own state alone.
fn attempt_of(tenant: TenantId, state: &str) -> Place<'_> {
    Place { tenant, table: "sign_in", row: state, column: "attempt" }
}

impl ControlApi {
    /// Has a tenant's people sign in there from now on. Whoever is signed in stays so unless the provider
    /// is another, or there was one factor and two are asked for.
    pub async fn set_sign_in(
        &self,
        tenant: TenantId,
        settings: &SignInSettings,
    ) -> Result<(), BootstrapError> {
        settings.check(self.providers.allowed())?;
        let mut act = self.store.begin(tenant).await?;
        if store::tenants::find(&mut act).await?.is_none() {
            return Err(BootstrapError::NoTenant(tenant));
        }
        let secret = match &settings.secret {
            None => None,
            Some(secret) => {
                let seal = |keys: &TenantKeys| keys.seal(&secret_of(tenant), secret.reveal().as_bytes());
                Some(self.vault.with_keys(&mut act, seal).await?)
            }
        };
        let before = store::sign_in::find(&mut act).await?;
        let signed_out = from_shell(Action::SignedOut);
        if before.is_some_and(|before| before.issuer != settings.issuer) {
            let ended = store::sessions::delete_all(&mut act).await?;
            note_ended(&mut act, &ended, "other_provider", &signed_out).await?;
        } else if settings.mfa_required {
            let ended = store::sessions::delete_one_factor(&mut act).await?;
            note_ended(&mut act, &ended, MFA_REQUIRED, &signed_out).await?;
        }
        let row = store::sign_in::SignIn {
            issuer: settings.issuer.clone(),
            client_id: settings.client_id.clone(),
            secret,
            mfa_required: settings.mfa_required,
            mfa_acr: settings.mfa_acr.join(" "),
            idle_s: settings.idle.as_secs() as i64,
            return_to: settings.return_to.clone(),
        };
        store::sign_in::set(&mut act, &row, now_ms()).await?;
        let detail = Some(if settings.mfa_required { "sign_in_with_mfa" } else { "sign_in" });
        let entry = Entry { detail, ..from_shell(Action::Asked(Act::ManageTenant)) };
        record(&mut act, &entry).await?;
        Ok(self.commit(act).await?)
    }

    /// Has nobody of a tenant sign in any more; whoever is signed in is signed out.
    pub async fn remove_sign_in(&self, tenant: TenantId) -> Result<(), BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        store::sign_in::remove(&mut act).await?;
        let ended = store::sessions::delete_all(&mut act).await?;
        note_ended(&mut act, &ended, "no_sign_in", &from_shell(Action::SignedOut)).await?;
        let entry = Entry { detail: Some("no_sign_in"), ..from_shell(Action::Asked(Act::ManageTenant)) };
        record(&mut act, &entry).await?;
        Ok(self.commit(act).await?)
    }

    /// How sign-ins went.
    pub fn sign_in_counts(&self) -> &SignInCounts {
        &self.sign_in_counts
    }

    pub(super) async fn sign_in_settings(
        &self,
        tx: &mut TenantTx,
    ) -> Result<Option<SignInSettings>, StoreError> {
        let Some(row) = store::sign_in::find(tx).await? else { return Ok(None) };
        let tenant = tx.tenant();
        let secret = match &row.secret {
            None => None,
            Some(sealed) => {
                let open = |keys: &TenantKeys| keys.open_text(&secret_of(tenant), sealed);
                Some(self.vault.with_keys(tx, open).await?)
            }
        };
        let idle_s = u64::try_from(row.idle_s).map_err(|_| StoreError::Malformed("an idle time"))?;
        Ok(Some(SignInSettings {
            issuer: row.issuer,
            client_id: row.client_id,
            secret,
            mfa_required: row.mfa_required,
            mfa_acr: row.mfa_acr.split(' ').filter(|acr| !acr.is_empty()).map(str::to_owned).collect(),
            idle: Duration::from_secs(idle_s),
            return_to: row.return_to,
        }))
    }

    /// Begins a sign-in: where the browser goes, and what it keeps until it comes back.
    pub(crate) async fn begin_sign_in(
        &self,
        tenant: TenantId,
        redirect_uri: String,
        return_to: Option<ReturnPath>,
    ) -> Result<Begun, NotSignedIn> {
        let mut tx = self.store.read(tenant).await?;
        let settings = self.sign_in_settings(&mut tx).await?.ok_or(SignInRefusal::NotConfigured)?;
        let keys = self.vault.keys(&mut tx).await?;
        drop(tx);
        let known = self.providers.known(&settings.issuer).await?;
        let started = Attempt::start(&settings, &known.metadata, redirect_uri, return_to, now_ms());
        let Started { state, location, attempt } = started;
        let text = serde_json::to_vec(&attempt).unwrap_or_default();
        let sealed = keys.seal(&attempt_of(tenant, &state), &text).map_err(StoreError::from)?;
        Ok(Begun { location, cookie: Pii::new(URL_SAFE_NO_PAD.encode(sealed)) })
    }

    /// Puts down that a sign-in was refused: counted always, written where the browser had begun one here.
    pub(crate) fn count_refused_sign_in(&self, refusal: SignInRefusal) {
        self.sign_in_counts.note_refused(refusal);
    }

    /// Takes a browser that comes back from the provider. `before` is what it was signed in by until now, which ends.
    pub(crate) async fn finish_sign_in(
        &self,
        tenant: TenantId,
        callback: &Callback,
        cookie: Option<&Pii<String>>,
        before: Option<&SessionCookie>,
        request: &Request,
    ) -> Result<Done, NotSignedIn> {
        let mut tx = self.store.read(tenant).await?;
        let settings = self.sign_in_settings(&mut tx).await?.ok_or(SignInRefusal::NotConfigured)?;
        let state = callback.state.as_deref().ok_or(SignInRefusal::OtherBrowser)?;
        let keys = self.vault.keys(&mut tx).await?;
        drop(tx);
        let attempt = cookie.and_then(|cookie| opened(&keys, tenant, state, cookie));
        let attempt = attempt.filter(|attempt| now_ms() < attempt.expires_at_ms());
        let attempt = attempt.ok_or(SignInRefusal::OtherBrowser)?;
        let signed_in = self.claim_and_exchange(tenant, &settings, callback, state, &attempt).await?;
        let cookie = self.let_in(tenant, &settings, &signed_in, before, request).await?;
        self.sign_in_counts.note_done();
        Ok(Done { cookie, return_to: attempt.return_to.or(settings.return_to) })
    }

    /// Exchanges the code of a sign-in, which comes back once.
    async fn claim_and_exchange(
        &self,
        tenant: TenantId,
        settings: &SignInSettings,
        callback: &Callback,
        state: &str,
        attempt: &Attempt,
    ) -> Result<SignedIn, NotSignedIn> {
        let mut act = self.store.begin(tenant).await?;
        store::sign_in::forget_states(&mut act, now_ms()).await?;
        let state_hash = digest::digest(&digest::SHA256, state.as_bytes());
        if !store::sign_in::claim_state(&mut act, state_hash.as_ref(), attempt.expires_at_ms()).await? {
            return Err(SignInRefusal::CameTwice.into());
        }
        self.store.commit(act).await?;
        let known = self.providers.known(&settings.issuer).await?;
        // RFC 9207 §2.4: what another provider gave is not taken to this one.
        match callback.issuer.as_deref() {
            Some(issuer) if issuer != settings.issuer => return Err(SignInRefusal::IssuerMismatch.into()),
            None if known.metadata.names_itself => return Err(SignInRefusal::IssuerMismatch.into()),
            _ => {}
        }
        let code = callback.code.as_deref().filter(|_| callback.error.is_none());
        let code = code.ok_or(SignInRefusal::ProviderRefused)?;
        let exchange = Exchange { code, verifier: &attempt.verifier, redirect_uri: &attempt.redirect_uri };
        let expected = Expected {
            issuer: &settings.issuer,
            client_id: &settings.client_id,
            nonce: &attempt.nonce,
            max_age_s: settings.idle.as_secs(),
            mfa_acr: &settings.mfa_acr,
            now_s: now().as_secs(),
        };
        Ok(self.providers.exchange(&known, settings, &exchange, &expected).await?)
    }

    /// Signs in whoever the account is linked to.
    async fn let_in(
        &self,
        tenant: TenantId,
        settings: &SignInSettings,
        signed_in: &SignedIn,
        before: Option<&SessionCookie>,
        request: &Request,
    ) -> Result<SessionCookie, NotSignedIn> {
        let mut act = self.store.begin(tenant).await?;
        let hash = self.subject_hash(&mut act, &settings.issuer, &signed_in.subject).await?;
        let identity = store::identities::find(&mut act, &hash).await?;
        let person = match &identity {
            None => None,
            Some(identity) => store::people::person(&mut act, identity.person).await?,
        };
        let refusal = match person {
            None => Some(SignInRefusal::NobodyLinked),
            Some(_) if settings.mfa_required && !signed_in.mfa => Some(SignInRefusal::MfaNeeded),
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            drop(act);
            let account =
                Account { issuer: settings.issuer.clone(), subject: signed_in.subject.reveal().clone() };
            let account = (refusal == SignInRefusal::NobodyLinked).then(|| Pii::new(account));
            let who = person.map(|person| Actor::Person(person.id));
            return Err(self.note_refused(tenant, refusal, who, account, request).await?);
        }
        let Some(person) = person else { return Err(SignInRefusal::NobodyLinked.into()) };
        let (cookie, now_ms) = (SessionCookie::generate(tenant), now_ms());
        let session = Session {
            cookie_hash: cookie.hash(),
            person: person.id,
            mfa: signed_in.mfa,
            signed_in_at_ms: now_ms,
            seen_at_ms: now_ms,
            idle_ms: settings.idle.as_millis() as i64,
            expires_at_ms: now_ms + SESSION_LIFETIME.as_millis() as i64,
            lacks_factor: false,
        };
        if let Some(before) = before.filter(|before| before.tenant() == tenant) {
            self.end_session(&mut act, &before.hash(), "signed_in_again", Some(request)).await?;
        }
        store::sessions::insert(&mut act, &session).await?;
        let detail = Some(if signed_in.mfa { "mfa" } else { "one_factor" });
        let entry =
            self.asked_by(&mut act, Actor::Person(person.id), Action::SignedIn, Some(request)).await?;
        record(&mut act, &about(person.id, Entry { detail, role: person.standing, ..entry })).await?;
        self.commit(act).await?;
        Ok(cookie)
    }

    /// Puts down that somebody was not signed in, and gives that back.
    async fn note_refused(
        &self,
        tenant: TenantId,
        refusal: SignInRefusal,
        who: Option<Actor>,
        account: Option<Pii<Account>>,
        request: &Request,
    ) -> Result<NotSignedIn, StoreError> {
        let mut act = self.store.begin(tenant).await?;
        let actor = who.unwrap_or(Actor::Anonymous);
        let entry = self.asked_by(&mut act, actor, Action::SignedIn, Some(request)).await?;
        let (outcome, detail) = (Outcome::Refused, Some(refusal.as_str()));
        record(&mut act, &Entry { outcome, detail, ..entry }).await?;
        self.commit(act).await?;
        Ok(NotSignedIn::Refused(refusal, account))
    }

    /// What somebody did by a request that has no caller yet.
    pub(super) async fn asked_by(
        &self,
        tx: &mut TenantTx,
        actor: Actor,
        action: Action,
        request: Option<&Request>,
    ) -> Result<Entry, StoreError> {
        let Some(request) = request else { return Ok(Entry { actor, ..Entry::of(action) }) };
        let asked = self.asked(tx, request).await?;
        Ok(Entry {
            actor,
            surface: Surface::Api,
            address: asked.address,
            request: Some(asked.id),
            duration: Some(asked.started.elapsed()),
            ..Entry::of(action)
        })
    }

    /// Where providers may be besides the world.
    #[must_use]
    pub fn with_sign_in_networks(self, networks: crate::Networks) -> Self {
        Self { providers: std::sync::Arc::new(Providers::new(networks)), ..self }
    }
}

/// What a browser kept, if it is that of this sign-in.
fn opened(keys: &TenantKeys, tenant: TenantId, state: &str, cookie: &Pii<String>) -> Option<Attempt> {
    if cookie.reveal().len() > CALLBACK_PARAMETER_BYTES_MAX {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(cookie.reveal()).ok()?;
    let text = keys.open_text(&attempt_of(tenant, state), &sealed).ok()?;
    serde_json::from_str(text.reveal()).ok()
}
