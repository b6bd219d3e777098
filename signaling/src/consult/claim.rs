//! What a ticket or a resume token comes to, once it is believed.

use media_model::{ConsultId, ParticipantNumber, Pii, Role, TenantId};
use signaling_protocol::ticket::{Glass, ResumeToken, Ticket, TicketId};

use super::{Moment, member::Coming};
use crate::journal::{Call, Who};

/// A person who stands at the door.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) tenant: TenantId,
    pub(crate) consult: ConsultId,
    pub(crate) person: Pii<String>,
    pub(crate) role: Role,
    pub(crate) display_name: Pii<String>,
    pub(crate) ticket: TicketId,
    /// Has to be let in by somebody.
    pub(crate) waits: bool,
    /// Came by break-glass.
    pub(crate) glass: Option<Glass>,
    pub(crate) expires_unix_s: u64,
    /// Was here before.
    pub(crate) resumes: Option<Resumes>,
    /// By which connection.
    pub(crate) call: Option<Call>,
}

impl Claim {
    /// The person as the journal sees them who is not let in.
    pub(crate) fn as_who(&self) -> Who {
        Who {
            participant: self.resumes.map(|resumes| resumes.participant),
            person: self.person.clone(),
            role: self.role,
            break_glass: self.glass.map(|glass| glass.id),
        }
    }

    /// Their coming now.
    pub(crate) fn coming(&self, now: Moment) -> Coming {
        Coming { call: self.call.clone(), since: now.steady }
    }
}

/// The place that a resume token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resumes {
    pub(crate) participant: ParticipantNumber,
    pub(crate) generation: u32,
}

impl From<Ticket> for Claim {
    fn from(ticket: Ticket) -> Self {
        Self {
            tenant: ticket.tenant,
            consult: ticket.consult,
            person: ticket.person,
            role: ticket.role,
            display_name: ticket.display_name,
            ticket: ticket.id,
            waits: ticket.waits,
            glass: ticket.break_glass,
            expires_unix_s: ticket.expires_at_unix_s,
            resumes: None,
            call: None,
        }
    }
}

impl From<ResumeToken> for Claim {
    fn from(token: ResumeToken) -> Self {
        Self {
            tenant: token.tenant,
            consult: token.consult,
            person: token.person,
            role: token.role,
            display_name: token.display_name,
            ticket: token.ticket,
            waits: token.waits,
            glass: token.break_glass,
            expires_unix_s: token.expires_at_unix_s,
            resumes: Some(Resumes { participant: token.participant, generation: token.generation }),
            call: None,
        }
    }
}
