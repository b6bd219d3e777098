//! What connects crates that do not know each other: the control API's orders and running consults, tenants' portals and
//! signaling's door.

use std::sync::Arc;

use control_api::{RunningConsults, Said};
use media_model::{ConsultId, ParticipantNumber, Pii, TenantId};
use signaling::{Portals, Signaling};
use signaling_protocol::{server::LineId, ticket::TicketId};

/// Tells signaling which pages are tenants' own.
pub struct TenantPortals(pub control_api::Portals);

impl Portals for TenantPortals {
    fn is_any(&self, origin: &str) -> bool {
        self.0.is_any(origin)
    }

    fn is_of(&self, tenant: TenantId, origin: &str) -> bool {
        self.0.is_of(tenant, origin)
    }
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

    fn bar_ticket(&self, _consult: ConsultId, ticket: TicketId) {
        self.signaling.bar_ticket(ticket);
    }

    fn pass_on_chat(&self, said: &Said<'_>) {
        let line = LineId::from_bytes(said.id.to_bytes());
        self.signaling.pass_on_chat(said.consult, line, said.person, said.text, said.at);
    }

    fn number_of(&self, consult: ConsultId, person: &Pii<String>) -> Option<ParticipantNumber> {
        self.signaling.number_of(consult, person)
    }

    fn is_in(&self, consult: ConsultId, person: &Pii<String>) -> bool {
        self.signaling.is_in(consult, person)
    }

    fn is_revoked(&self, ticket: TicketId) -> bool {
        self.signaling.is_revoked(ticket)
    }
}

/// For commands that run beside a node, or before one.
pub struct NothingRuns;

impl RunningConsults for NothingRuns {
    fn end(&self, _consult: ConsultId) {}

    fn revoke_ticket(&self, _consult: ConsultId, _ticket: TicketId) {}

    fn bar_ticket(&self, _consult: ConsultId, _ticket: TicketId) {}

    fn pass_on_chat(&self, _said: &Said<'_>) {}
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

    fn bar_ticket(&self, consult: ConsultId, ticket: TicketId) {
        if let Some(orders) = self.0.get() {
            orders.bar_ticket(consult, ticket);
        }
    }

    fn pass_on_chat(&self, said: &Said<'_>) {
        if let Some(orders) = self.0.get() {
            orders.pass_on_chat(said);
        }
    }

    fn number_of(&self, consult: ConsultId, person: &Pii<String>) -> Option<ParticipantNumber> {
        self.0.get()?.number_of(consult, person)
    }

    fn is_in(&self, consult: ConsultId, person: &Pii<String>) -> bool {
        self.0.get().is_some_and(|orders| orders.is_in(consult, person))
    }

    fn is_revoked(&self, ticket: TicketId) -> bool {
        self.0.get().is_some_and(|orders| orders.is_revoked(ticket))
    }
}
