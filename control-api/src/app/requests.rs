//! Requests: who asks, from where, and whether it was asked before.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::digest;
use media_model::{Pii, TenantId};

use super::{ControlApi, by, erasing::about, facts, now_ms, record};
use crate::{
    ApiKey, StoreError,
    answer::Answer,
    audit::{Action, Actor, Entry, RequestId},
    auth::{Allowed, Asked, Caller, Repeatable, Request},
    ids::PersonId,
    keys::{Place, TenantKeys},
    limits::{ANSWER_KEPT, ANSWER_SWEEP_INTERVAL},
    permissions::{Act, Reason, Relation, Subject},
    problem::Problem,
    store::{self, TenantTx, api_clients::ApiClient},
};

/// What a repeated request is answered with.
#[derive(Debug)]
pub(crate) struct Again {
    pub status: u16,
    pub json: Option<Pii<String>>,
}

impl ControlApi {
    /// The back end behind a request.
    pub(crate) async fn caller(&self, key: &ApiKey, request: Request) -> Result<Caller, Problem> {
        let mut tx = self.store.read(key.tenant()).await?;
        let client = store::api_clients::find_by_secret(&mut tx, &key.hash()).await?;
        self.caller_of(tx, client.ok_or(Problem::Unauthorized)?, request).await
    }

    /// The caller that a client is, in this request.
    pub(super) async fn caller_of(
        &self,
        mut tx: TenantTx,
        client: ApiClient,
        request: Request,
    ) -> Result<Caller, Problem> {
        let tenant = tx.tenant();
        let asked = self.asked(&mut tx, &request).await?;
        let actor = Actor::ApiClient(client.id);
        let subject = Subject::Client(client.scopes);
        Ok(Caller { tenant, actor, subject, asked: Some(asked), repeatable: None })
    }

    /// The same back end, acting for a person of its tenant. For somebody who is not there, or was erased, nobody acts.
    pub(crate) async fn acting_for(
        &self,
        caller: Caller,
        person: Option<PersonId>,
        act: Act,
    ) -> Result<Caller, Problem> {
        let found = match person {
            None => None,
            Some(person) => {
                let mut tx = self.store.read(caller.tenant).await?;
                store::people::person(&mut tx, person).await?
            }
        };
        let (Some(person), Subject::Client(scopes), Actor::ApiClient(client)) =
            (found, caller.subject, &caller.actor)
        else {
            return Err(self.refuse(&caller, act, &Relation::to_nothing(act), Reason::PersonUnknown).await?);
        };
        let actor = Actor::Asserted { client: client.clone(), person: person.id };
        Ok(Caller { actor, subject: Subject::Asserted { scopes, person }, ..caller })
    }

    /// What the audit log says of a request.
    pub(super) async fn asked(&self, tx: &mut TenantTx, request: &Request) -> Result<Asked, StoreError> {
        let address = match &request.address {
            None => None,
            Some(address) => Some(self.sealed_address(tx, request.id, address).await?),
        };
        Ok(Asked { id: request.id, started: request.started, address })
    }

    /// The address that an audit entry has sealed, for whoever may see the audit log: by the entry's request.
    pub async fn open_address(
        &self,
        tenant: TenantId,
        request: RequestId,
        sealed: &[u8],
    ) -> Result<Option<Pii<IpAddr>>, StoreError> {
        let mut tx = self.store.read(tenant).await?;
        let row = request.to_string();
        let open = |keys: &TenantKeys| keys.open_text(&address_of(tenant, &row), sealed);
        let text = self.vault.with_keys(&mut tx, open).await?;
        Ok(text.reveal().parse().ok().map(Pii::new))
    }

    /// Makes the caller's act one that is done once, however often it is asked for with this key.
    pub(crate) async fn make_repeatable(
        &self,
        caller: &mut Caller,
        route: &str,
        key: &str,
        body: &[u8],
        status: u16,
    ) -> Result<(), Problem> {
        let mut tx = self.store.read(caller.tenant).await?;
        let keys = self.vault.keys(&mut tx).await?;
        let body = digest::digest(&digest::SHA256, body);
        let body: String = body.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let (actor, asserted_by) = (caller.actor.to_string(), caller.actor.asserted_by().unwrap_or_default());
        let key_hash = keys.index().of_parts("idempotency", &[&actor, &asserted_by, route, key]);
        let body_hash = keys.index().of("idempotent body", &body);
        caller.repeatable = Some(Repeatable { key_hash, body_hash, status, allowed: Arc::default() });
        Ok(())
    }

    /// How the act was answered if it was done before, for whoever may do it still; that it was told again is on disk before it is.
    pub(crate) async fn answer_again(&self, caller: &Caller, act: Act) -> Result<Option<Again>, Problem> {
        let Some(repeatable) = &caller.repeatable else { return Ok(None) };
        let mut tx = self.store.begin(caller.tenant).await?;
        let kept = store::kept_answers::find(&mut tx, &repeatable.key_hash, now_ms()).await?;
        let Some(kept) = kept else { return Ok(None) };
        if kept.body_hash != repeatable.body_hash {
            return Err(Problem::IdempotencyKeyReused);
        }
        let (act, relation) = stands(&mut tx, caller, act, kept.allowed.as_ref()).await?;
        let (mut tx, ground) = self.permit_on(tx, caller, act, &relation).await?;
        let json = match &kept.answer {
            None => None,
            Some(sealed) => {
                let (tenant, row) = (caller.tenant, row_of(repeatable));
                let open = |keys: &TenantKeys| keys.open_text(&answer_of(tenant, &row), sealed);
                Some(self.vault.with_keys(&mut tx, open).await?)
            }
        };
        let (detail, break_glass) = (Some("repeated"), ground.break_glass());
        let (patient, consult) = (relation.patient(), relation.consult());
        let entry = Entry { detail, break_glass, patient, consult, ..by(caller, Action::Asked(act)) };
        let entry = match kept.about.or(relation.whose()) {
            None => entry,
            Some(person) => about(person, entry),
        };
        record(&mut tx, &entry).await?;
        self.commit(tx).await?;
        let status = u16::try_from(kept.status).map_err(|_| Problem::StoredValueDamaged)?;
        Ok(Some(Again { status, json }))
    }

    /// A transaction for an act of the caller's. Where the request can be repeated, only one that has its key gets this far.
    pub(super) async fn begin(&self, caller: &Caller) -> Result<TenantTx, Problem> {
        let mut act = self.store.begin(caller.tenant).await?;
        let Some(repeatable) = &caller.repeatable else { return Ok(act) };
        let now_ms = now_ms();
        let expires_at_ms = now_ms + ANSWER_KEPT.as_millis() as i64;
        let Repeatable { key_hash, body_hash, .. } = repeatable;
        if store::kept_answers::claim(&mut act, key_hash, body_hash, now_ms, expires_at_ms).await? {
            return Ok(act);
        }
        Err(Problem::IdempotencyKeyInUse)
    }

    /// Keeps an act that [`ControlApi::begin`] began for good, and with it what it is answered with.
    pub(super) async fn keep<T: Answer>(
        &self,
        mut act: TenantTx,
        caller: &Caller,
        answer: T,
    ) -> Result<T, Problem> {
        if let Some(repeatable) = &caller.repeatable {
            let sealed = match answer.json() {
                None => None,
                Some(json) => {
                    let (tenant, row) = (caller.tenant, row_of(repeatable));
                    let seal = |keys: &TenantKeys| keys.seal(&answer_of(tenant, &row), json.as_bytes());
                    Some(self.vault.with_keys(&mut act, seal).await?)
                }
            };
            let (status, about) = (repeatable.status.into(), answer.about());
            let key_hash = &repeatable.key_hash;
            let allowed = repeatable.allowed.get();
            store::kept_answers::fill(&mut act, key_hash, status, sealed.as_deref(), about, allowed).await?;
        }
        self.commit(act).await?;
        Ok(answer)
    }

    /// Deletes answers that have been kept for long enough, for as long as the process lives.
    pub async fn keep_forgetting_answers(self) {
        loop {
            if let Err(error) = self.forget_answers().await {
                tracing::warn!(%error, "answers that were kept long enough cannot be deleted");
            }
            tokio::time::sleep(ANSWER_SWEEP_INTERVAL).await;
        }
    }

    /// Deletes answers that have been kept for long enough now; how many that were.
    pub async fn forget_answers(&self) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for tenant in self.store.tenants().await? {
            let mut tx = self.store.begin(tenant).await?;
            deleted += store::kept_answers::delete_expired(&mut tx, now_ms()).await?;
            self.store.commit(tx).await?;
        }
        Ok(deleted)
    }
}

/// How the caller stands now to what an act is about that was done before. Where nobody noted what that was, to nothing.
async fn stands(
    tx: &mut TenantTx,
    caller: &Caller,
    act: Act,
    allowed: Option<&Allowed>,
) -> Result<(Act, Relation), StoreError> {
    let Some(&Allowed { act, consult, patient, whose }) = allowed else {
        return Ok((act, Relation::to_nothing(act)));
    };
    let relation = match (consult, patient) {
        (Some(consult), _) => facts::to_consult(tx, caller, act, consult).await?,
        (None, Some(patient)) => facts::to_patient(tx, caller, patient).await?,
        (None, None) if act == Act::CreateConsult => facts::to_direct_consults(tx).await?,
        (None, None) => Relation::to_nothing(act),
    };
    Ok((act, whose.map_or(relation, |whose| relation.of(whose))))
}

/// Where the address of a request is sealed: the entry has the request's id beside it.
pub(super) fn address_of(tenant: TenantId, request: &str) -> Place<'_> {
    Place { tenant, table: "audit", row: request, column: "address" }
}

/// Where the answer to a request is sealed.
fn answer_of(tenant: TenantId, row: &str) -> Place<'_> {
    Place { tenant, table: "kept_answers", row, column: "answer" }
}

fn row_of(repeatable: &Repeatable) -> String {
    repeatable.key_hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
