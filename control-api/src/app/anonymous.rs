//! Who cannot show who they are: tried less and less often, and put down together.

use std::{
    net::IpAddr,
    time::{Instant, SystemTime},
};

use media_model::{Pii, TenantId};

use super::{ControlApi, Seen, new_entry_id, random_bytes, requests::address_of};
use crate::{
    StoreError,
    anonymous::{Counted, Kind},
    audit::{Action, Actor, Entry, Outcome, RequestId, SealedAddress, Surface, Tally},
    auth::Request,
    failures::{Claimant, Failures},
    keys::TenantKeys,
    limits::ANONYMOUS_INTERVAL,
    problem::Problem,
    store::TenantTx,
};

/// Why a try is not looked at.
const TOO_MANY_FAILURES: &str = "too_many_failures";

/// Somebody is about to show who they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub request: &'a Request,
    /// Whose door it is, as they say.
    pub tenant: Option<TenantId>,
    /// Which client they say they are.
    pub client: Option<&'a str>,
    /// What shows it, where that is good for more than once.
    pub credential: Option<&'a str>,
}

impl ControlApi {
    /// Takes so many failures to show who asks a second from each address.
    #[must_use]
    pub fn with_failures_per_s(self, failures_per_s: u32) -> Self {
        Self { failures: std::sync::Arc::new(Failures::new(failures_per_s)), ..self }
    }

    /// Tries that were not looked at because too many before them had failed.
    pub fn failures_limited(&self) -> u64 {
        self.failures.refused()
    }

    /// Looks whether somebody is who they say, unless too many have failed before; `reason` tells which errors mean that they are not.
    pub(crate) async fn identify<T, E: From<Problem>>(
        &self,
        attempt: Attempt<'_>,
        work: impl Future<Output = Result<T, E>>,
        reason: impl Fn(&E) -> Option<&'static str>,
    ) -> Result<T, E> {
        let address = attempt.request.address.as_ref().map(|address| *address.reveal());
        let who = Claimant { address, client: attempt.client, credential: attempt.credential };
        if let Err(wait) = self.failures.may_try(&who, Instant::now()) {
            self.turned_away(attempt.tenant, TOO_MANY_FAILURES, attempt.request);
            return Err(Problem::too_fast(wait).into());
        }
        let done = work.await;
        match (&done, attempt.credential) {
            (Ok(_), Some(credential)) => self.failures.note_good(credential, Instant::now()),
            (Ok(_), None) => {}
            (Err(error), _) => {
                if let Some(reason) = reason(error) {
                    self.failures.note_failed(&who, Instant::now());
                    self.turned_away(attempt.tenant, reason, attempt.request);
                }
            }
        }
        done
    }

    /// This was just given out, and is good.
    pub(super) fn note_good(&self, credential: &str) {
        self.failures.note_good(credential, Instant::now());
    }

    /// Counts a request that was refused before anybody knew whose it is.
    pub(crate) fn turned_away(&self, tenant: Option<TenantId>, reason: &'static str, request: &Request) {
        let address = request.address.as_ref().map(|address| *address.reveal());
        self.note_anonymous(tenant, Surface::Api, reason, address, Some(request.id));
    }

    /// Counts somebody whom signaling turned away without knowing whose consult it is about.
    pub fn turned_away_at_signaling(&self, reason: &'static str, address: Option<Pii<IpAddr>>) {
        let address = address.map(Pii::into_revealed);
        self.note_anonymous(None, Surface::Signaling, reason, address, None);
    }

    fn note_anonymous(
        &self,
        tenant: Option<TenantId>,
        surface: Surface,
        reason: &'static str,
        address: Option<IpAddr>,
        request: Option<RequestId>,
    ) {
        // Anybody can make up a name: what no tenant has is nobody's.
        let tenant = tenant.filter(|tenant| self.portals.of(*tenant).is_some());
        let kind = Kind { tenant: tenant.unwrap_or(TenantId::SYSTEM), surface, reason };
        self.anonymous.note(kind, address, request, SystemTime::now());
    }

    /// Puts down each minute who was turned away, for as long as the process lives.
    pub async fn keep_noting_anonymous(self) {
        loop {
            tokio::time::sleep(ANONYMOUS_INTERVAL).await;
            self.tell_anonymous().await;
        }
    }

    /// Puts it down now, and how often people in visits were refused again; how many entries it takes. What cannot be written waits
    /// for the next time.
    pub async fn tell_anonymous(&self) -> usize {
        let mut told = 0;
        for (kind, counted) in self.anonymous.take() {
            match self.tell_one(kind, &counted).await {
                Ok(()) => told += 1,
                Err(error) => {
                    tracing::warn!(tenant = %kind.tenant, %error, "who was turned away is not put down yet");
                    self.anonymous.put(kind, counted);
                }
            }
        }
        told + self.tell_refused_visitors().await
    }

    async fn tell_one(&self, kind: Kind, counted: &Counted) -> Result<(), StoreError> {
        let request = counted.request.unwrap_or_else(|| RequestId::from_bytes(random_bytes()));
        let address = match counted.only_address() {
            // What belongs to no tenant has no key to be sealed with.
            Some(address) if kind.tenant != TenantId::SYSTEM => {
                let mut tx = self.store.read(kind.tenant).await?;
                Some(self.sealed_address(&mut tx, request, &address).await?)
            }
            _ => None,
        };
        let addresses = counted.addresses.reveal().len();
        let entry = Entry {
            at: counted.first_at,
            outcome: Outcome::Refused,
            actor: Actor::Anonymous,
            surface: kind.surface,
            detail: Some(kind.reason),
            tally: Some(Tally { times: counted.times, addresses: Some(addresses) }),
            request: address.is_some().then_some(request).or(counted.request),
            address,
            ..Entry::of(Action::AnonymousRefused)
        };
        self.record(&[Seen::new(kind.tenant, new_entry_id(), entry)]).await
    }

    /// An address as the audit log keeps it.
    pub(super) async fn sealed_address(
        &self,
        tx: &mut TenantTx,
        request: RequestId,
        address: &Pii<IpAddr>,
    ) -> Result<SealedAddress, StoreError> {
        let (text, place) = (address.reveal().to_string(), request.to_string());
        let place = address_of(tx.tenant(), &place);
        let seal = |keys: &TenantKeys| keys.seal(&place, text.as_bytes());
        Ok(SealedAddress::new(self.vault.with_keys(tx, seal).await?))
    }
}
