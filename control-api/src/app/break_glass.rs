//! Break-glass: opening one, and looking into it. What it opens is decided by `facts.rs` and the permissions.

use media_model::{Pii, TenantId};

use super::{ControlApi, by, now_ms, random_bytes, record};
use crate::{
    StoreError,
    audit::{Action, Entry},
    auth::Caller,
    ids::{BreakGlassId, PersonId},
    keys::Place,
    permissions::{Act, BreakGlass, BreakGlassReason, CloseError, GlassState, Relation},
    problem::Problem,
    store::{self, TenantTx, break_glasses::Kept},
    webhooks::{Event, EventKind},
};

/// A break-glass, for whoever may see it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub glass: BreakGlass,
    pub state: GlassState,
    /// Opened; `None` once the patient was erased.
    pub reason: Option<Pii<String>>,
}

/// Which of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which {
    /// Older than this one.
    pub after: Option<BreakGlassId>,
    pub state: Option<GlassState>,
    pub rows_max: i64,
}

/// Where a reason is sealed.
fn reason_of(tenant: TenantId, row: &str) -> Place<'_> {
    Place { tenant, table: "break_glasses", row, column: "reason" }
}

impl ControlApi {
    /// Opens one patient's door to the caller for an hour. It may be done again: each is looked into by itself.
    pub(crate) async fn open_break_glass(
        &self,
        caller: Caller,
        patient: PersonId,
        reason: BreakGlassReason,
    ) -> Result<Told, Problem> {
        let (id, now_ms) = (BreakGlassId::from_bytes(random_bytes()), now_ms());
        let glass = match BreakGlass::open(id, &caller.subject, patient, now_ms) {
            Ok(glass) => glass,
            Err(why) => {
                let relation = Relation::to_patient(patient, None);
                return Err(self.refuse(&caller, Act::OpenBreakGlass, &relation, why).await?);
            }
        };
        caller.note_allowed(Act::OpenBreakGlass, &Relation::to_patient(patient, None));
        let mut act = self.begin(&caller).await?;
        let row = id.to_string();
        let sealed =
            self.seal_about(&mut act, patient, &reason_of(caller.tenant, &row), reason.text()).await?;
        store::break_glasses::insert(&mut act, &glass, &sealed).await?;
        record(&mut act, &about(&glass, by(&caller, Action::Asked(Act::OpenBreakGlass)))).await?;
        self.tell(&mut act, &event(EventKind::BreakGlassOpened, &glass, glass.by), now_ms).await?;
        let told = Told { glass, state: glass.state(now_ms), reason: Some(reason.text().clone()) };
        self.keep(act, &caller, told).await
    }

    /// Some of them, the newest first; that they were read is on disk before they are told.
    pub(crate) async fn break_glasses(&self, caller: Caller, which: Which) -> Result<Vec<Told>, Problem> {
        self.permit(&caller, Act::SeeBreakGlass).await?;
        let (mut tx, now_ms) = (self.store.read(caller.tenant).await?, now_ms());
        let after = match which.after {
            None => None,
            Some(id) => Some(store::break_glasses::find(&mut tx, id).await?.ok_or(Problem::NotFound)?.glass),
        };
        let rows =
            store::break_glasses::list(&mut tx, after.as_ref(), which.state, now_ms, which.rows_max).await?;
        let mut told = Vec::with_capacity(rows.len());
        for kept in rows {
            told.push(self.glass_as_told(&mut tx, kept, now_ms).await?);
        }
        drop(tx);
        self.note_read(caller.tenant, &by(&caller, Action::Asked(Act::SeeBreakGlass))).await?;
        Ok(told)
    }

    /// One of them; likewise.
    pub(crate) async fn break_glass(&self, caller: Caller, id: BreakGlassId) -> Result<Told, Problem> {
        self.permit(&caller, Act::SeeBreakGlass).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let kept = store::break_glasses::find(&mut tx, id).await?.ok_or(Problem::NotFound)?;
        let told = self.glass_as_told(&mut tx, kept, now_ms()).await?;
        drop(tx);
        let entry = about(&told.glass, by(&caller, Action::Asked(Act::SeeBreakGlass)));
        self.note_read(caller.tenant, &entry).await?;
        Ok(told)
    }

    /// Puts down that an auditor has looked into one. What it opened is shut from now on, and whoever came into a consult by it leaves.
    pub(crate) async fn close_break_glass(&self, caller: Caller, id: BreakGlassId) -> Result<Told, Problem> {
        let now_ms = now_ms();
        let mut act = self.begin(&caller).await?;
        let Some(mut kept) = store::break_glasses::find(&mut act, id).await? else {
            // Nobody's doing: who may close none is told so before that there is none.
            let relation = Relation::to_tenant().of(PersonId::from_bytes(random_bytes()));
            drop(self.permit_in(act, &caller, Act::CloseBreakGlass, &relation).await?);
            return Err(Problem::NotFound);
        };
        match kept.glass.close(&caller.subject, now_ms) {
            Ok(()) => caller.note_allowed(Act::CloseBreakGlass, &Relation::to_tenant().of(kept.glass.by)),
            Err(CloseError::Closed) => return Err(Problem::ClosedAlready),
            Err(CloseError::Refused(why)) => {
                drop(act);
                let relation = Relation::to_tenant();
                return Err(self.refuse(&caller, Act::CloseBreakGlass, &relation, why).await?);
            }
        }
        let closed = kept.glass.closed.ok_or(Problem::StoredValueDamaged)?;
        if !store::break_glasses::set_closed(&mut act, id, closed).await? {
            return Err(Problem::ClosedAlready);
        }
        let tickets = store::break_glasses::tickets(&mut act, id).await?;
        for (consult, ticket) in &tickets {
            store::tickets::set_revoked(&mut act, *consult, *ticket, now_ms).await?;
        }
        record(&mut act, &about(&kept.glass, by(&caller, Action::Asked(Act::CloseBreakGlass)))).await?;
        self.tell(&mut act, &event(EventKind::BreakGlassClosed, &kept.glass, closed.1), now_ms).await?;
        let told = self.glass_as_told(&mut act, kept, now_ms).await?;
        let told = self.keep(act, &caller, told).await?;
        for (consult, ticket) in tickets {
            self.running.revoke_ticket(consult, ticket);
        }
        Ok(told)
    }

    async fn glass_as_told(&self, tx: &mut TenantTx, kept: Kept, now_ms: i64) -> Result<Told, StoreError> {
        let Kept { glass, reason } = kept;
        let (tenant, row) = (tx.tenant(), glass.id.to_string());
        let reason = self.open_about(tx, glass.patient, &reason_of(tenant, &row), &reason).await?;
        Ok(Told { glass, state: glass.state(now_ms), reason })
    }
}

fn about(glass: &BreakGlass, entry: Entry) -> Entry {
    Entry { patient: Some(glass.patient), break_glass: Some(glass.id), ..entry }
}

fn event(kind: EventKind, glass: &BreakGlass, by: PersonId) -> Event {
    let (break_glass, patient, person) = (Some(glass.id), Some(glass.patient), Some(by));
    Event { break_glass, patient, person, ..Event::of(kind) }
}
