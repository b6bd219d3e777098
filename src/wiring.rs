//! What connects crates that do not know each other: signaling's journal and the audit log, the control API's orders
//! and running consults.

use std::sync::Arc;

use control_api::{
    ControlApi, RunningConsults,
    audit::{Action, Actor, Entry, Outcome, Surface},
};
use media_model::{ConsultId, TenantId};
use signaling::{BoxFuture, Journal, JournalUnavailable, Signaling, What};
use signaling_protocol::ticket::TicketId;

/// Writes what signaling saw to the audit log.
pub struct AuditJournal {
    pub api: ControlApi,
}

impl Journal for AuditJournal {
    fn record(&self, entries: Vec<signaling::Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>> {
        Box::pin(async move {
            let entries: Vec<(TenantId, Entry)> = entries.into_iter().map(audit_entry).collect();
            self.api.record(&entries).await.map_err(|error| {
                tracing::error!(%error, "the audit log cannot be written");
                JournalUnavailable
            })
        })
    }
}

fn audit_entry(entry: signaling::Entry) -> (TenantId, Entry) {
    let (action, outcome, actor, detail) = match entry.what {
        What::Joined(way) => (Action::Joined, Outcome::Granted, Actor::Participant, way.as_str()),
        What::Waited => (Action::Waited, Outcome::Granted, Actor::Participant, "waiting_room"),
        What::Admitted { by } => (Action::Admitted, Outcome::Granted, Actor::Staff(by), "waiting_room"),
        What::Left(departure) => (Action::Left, Outcome::Granted, Actor::Participant, departure.as_str()),
        What::Refused(code) => (Action::Joined, Outcome::Refused, Actor::Participant, code.as_str()),
    };
    let (participant, person_id, role) =
        entry.who.map_or((None, None, None), |who| (Some(who.participant), Some(who.person), Some(who.role)));
    let (tenant, consult) = (entry.tenant.unwrap_or(TenantId::SYSTEM), entry.consult);
    let (at, surface, detail) = (entry.at, Surface::Signaling, Some(detail));
    let known = Entry::of(action);
    (tenant, Entry { at, outcome, actor, surface, consult, participant, person_id, role, detail, ..known })
}

/// Passes the control API's orders to running consults.
pub struct SignalingOrders {
    pub signaling: Signaling,
}

impl RunningConsults for SignalingOrders {
    fn end(&self, consult: ConsultId) {
        self.signaling.end_consult(consult);
    }

    fn revoke_ticket(&self, _consult: ConsultId, ticket: TicketId) {
        self.signaling.revoke_ticket(ticket);
    }
}

/// For commands that run beside a node, or before one.
pub struct NothingRuns;

impl RunningConsults for NothingRuns {
    fn end(&self, _consult: ConsultId) {}

    fn revoke_ticket(&self, _consult: ConsultId, _ticket: TicketId) {}
}

/// A line to running consults that is connected once they exist: control API and signaling each need the other.
#[derive(Clone, Default)]
pub struct LateOrders(Arc<std::sync::OnceLock<SignalingOrders>>);

impl LateOrders {
    /// Connects the line.
    pub fn connect(&self, signaling: Signaling) {
        let _ = self.0.set(SignalingOrders { signaling });
    }
}

impl RunningConsults for LateOrders {
    fn end(&self, consult: ConsultId) {
        if let Some(orders) = self.0.get() {
            orders.end(consult);
        }
    }

    fn revoke_ticket(&self, consult: ConsultId, ticket: TicketId) {
        if let Some(orders) = self.0.get() {
            orders.revoke_ticket(consult, ticket);
        }
    }
}
