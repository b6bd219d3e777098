//! Who is signed in, and when that ends.

use media_model::TenantId;

use super::{ControlApi, erasing::about, new_entry_id, now_ms, record};
use crate::{
    StoreError,
    audit::{Action, Actor, Entry, Outcome, StoredEntry},
    auth::{Caller, Request, SessionCookie},
    ids::PersonId,
    limits::{SESSION_SEEN_STEP, SESSION_SWEEP_INTERVAL, SESSION_SWEEP_MAX},
    permissions::{Act, Person},
    problem::Problem,
    store::{self, TenantTx, sessions::Session},
};

/// Why whoever signed in with one factor is signed out, once their tenant asks for two.
pub(super) const MFA_REQUIRED: &str = "mfa_required";

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub tenant: TenantId,
    pub person: Person,
    pub signed_in_at_ms: i64,
    /// When they are logged off if nothing more comes from them.
    pub idle_at_ms: i64,
    /// In how many minutes that is, rounded up.
    pub idle_in_min: i64,
    /// When they are signed out whatever comes.
    pub expires_at_ms: i64,
}

impl ControlApi {
    /// Who is signed in by this cookie. Asking that alone is no sign of somebody being there.
    pub(crate) async fn current_session(
        &self,
        cookie: &SessionCookie,
        request: &Request,
    ) -> Result<Current, Problem> {
        let (session, person) = self.living_session(cookie, request).await?;
        let idle_at_ms = session.idle_at_ms().min(session.expires_at_ms);
        Ok(Current {
            tenant: cookie.tenant(),
            person,
            signed_in_at_ms: session.signed_in_at_ms,
            idle_at_ms,
            idle_in_min: (idle_at_ms - now_ms() + 59_999) / 60_000,
            expires_at_ms: session.expires_at_ms,
        })
    }

    /// The person behind a request with a cookie. One that changes something has to come from a page of this server's own.
    pub(crate) async fn caller_by_session(
        &self,
        cookie: &SessionCookie,
        request: Request,
        act: Act,
        is_from_elsewhere: bool,
    ) -> Result<Caller, Problem> {
        let (session, person) = self.living_session(cookie, &request).await?;
        let tenant = cookie.tenant();
        let actor = Actor::Person(person.id);
        if is_from_elsewhere {
            let mut tx = self.store.begin(tenant).await?;
            let entry = self.asked_by(&mut tx, actor, Action::Asked(act), Some(&request)).await?;
            let (outcome, detail) = (Outcome::Refused, Some(Problem::OriginRefused.code()));
            record(&mut tx, &Entry { outcome, detail, ..entry }).await?;
            self.commit(tx).await?;
            return Err(Problem::OriginRefused);
        }
        let now_ms = now_ms();
        if now_ms - session.seen_at_ms >= SESSION_SEEN_STEP.as_millis() as i64 {
            let mut tx = self.store.begin(tenant).await?;
            store::sessions::touch(&mut tx, &session.cookie_hash, now_ms).await?;
            self.store.commit(tx).await?;
        }
        let mut tx = self.store.read(tenant).await?;
        let asked = self.asked(&mut tx, &request).await?;
        Ok(Caller::signed_in(tenant, person, asked))
    }

    /// Signs somebody out; nothing happens where nobody is signed in.
    pub(crate) async fn sign_out(&self, cookie: &SessionCookie, request: &Request) -> Result<(), Problem> {
        let mut act = self.store.begin(cookie.tenant()).await?;
        if self.end_session(&mut act, &cookie.hash(), "asked_to", Some(request)).await? {
            self.commit(act).await?;
        }
        Ok(())
    }

    async fn living_session(
        &self,
        cookie: &SessionCookie,
        request: &Request,
    ) -> Result<(Session, Person), Problem> {
        let mut tx = self.store.read(cookie.tenant()).await?;
        let session = store::sessions::find(&mut tx, &cookie.hash()).await?.ok_or(Problem::SignedOut)?;
        let person = store::people::person(&mut tx, session.person).await?.ok_or(Problem::SignedOut)?;
        drop(tx);
        if let Some(why) = end_of(&session, now_ms()) {
            let mut act = self.store.begin(cookie.tenant()).await?;
            if self.end_session(&mut act, &session.cookie_hash, why, Some(request)).await? {
                self.commit(act).await?;
            }
            return Err(Problem::SignedOut);
        }
        let mfa = session.mfa;
        Ok((session, Person { mfa, ..person }))
    }

    /// Ends a session and puts down why; false if there is none.
    pub(super) async fn end_session(
        &self,
        act: &mut TenantTx,
        cookie_hash: &[u8],
        why: &'static str,
        request: Option<&Request>,
    ) -> Result<bool, StoreError> {
        let Some(session) = store::sessions::find(act, cookie_hash).await? else { return Ok(false) };
        if !store::sessions::delete(act, cookie_hash).await? {
            return Ok(false);
        }
        let actor = Actor::Person(session.person);
        let entry = self.asked_by(act, actor, Action::SignedOut, request).await?;
        record(act, &about(session.person, Entry { detail: Some(why), ..entry })).await?;
        Ok(true)
    }

    /// Ends all of a person's sessions; `ended` tells by whom.
    pub(super) async fn end_sessions_of(
        &self,
        act: &mut TenantTx,
        person: PersonId,
        why: &'static str,
        ended: &Entry,
    ) -> Result<(), StoreError> {
        let sessions = store::sessions::delete_about(act, person).await?;
        let whose: Vec<_> = (0..sessions).map(|_| person).collect();
        note_ended(act, &whose, why, ended).await
    }

    /// Logs off whoever was idle for too long, for as long as the process lives: also where no request comes any more that
    /// could find out.
    pub async fn keep_logging_off(self) {
        loop {
            tokio::time::sleep(SESSION_SWEEP_INTERVAL).await;
            if let Err(error) = self.log_off_idle().await {
                tracing::warn!(%error, "idle people cannot be logged off");
            }
        }
    }

    /// Logs off whoever was idle for too long until now; how many that were.
    pub async fn log_off_idle(&self) -> Result<usize, StoreError> {
        let mut logged_off = 0;
        for tenant in self.store.tenants().await? {
            let mut tx = self.store.read(tenant).await?;
            let over = store::sessions::run_out(&mut tx, now_ms(), SESSION_SWEEP_MAX).await?;
            drop(tx);
            if over.is_empty() {
                continue;
            }
            let mut act = self.store.begin(tenant).await?;
            for session in &over {
                // They may have come back since.
                let session = store::sessions::find(&mut act, &session.cookie_hash).await?;
                let Some(session) = session else { continue };
                let Some(why) = end_of(&session, now_ms()) else { continue };
                logged_off += usize::from(self.end_session(&mut act, &session.cookie_hash, why, None).await?);
            }
            self.commit(act).await?;
        }
        Ok(logged_off)
    }
}

/// Puts down whose sessions were ended and why, an entry for each; `ended` tells by whom.
pub(super) async fn note_ended(
    act: &mut TenantTx,
    whose: &[PersonId],
    why: &'static str,
    ended: &Entry,
) -> Result<(), StoreError> {
    let entry = |person: &PersonId| about(*person, Entry { detail: Some(why), ..ended.clone() });
    let entries: Vec<_> = whose.iter().map(|one| StoredEntry::of(&entry(one), new_entry_id())).collect();
    store::audit::insert(act, &entries).await
}

/// Why a session is over, if it is.
fn end_of(session: &Session, now_ms: i64) -> Option<&'static str> {
    if session.lacks_factor {
        return Some(MFA_REQUIRED);
    }
    if now_ms >= session.expires_at_ms {
        return Some("expired");
    }
    (now_ms >= session.idle_at_ms()).then_some("idle")
}
