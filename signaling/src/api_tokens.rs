//! What whoever is welcomed shows the control API: signaling asks for it here, the binary makes it.

use media_model::{ConsultId, Pii, Role, TenantId};
use signaling_protocol::ticket::{ResumeToken, TicketId};

/// Makes tokens for the control API. It is asked at each `welcome` and must not wait for anything: people come in while the
/// database is away.
pub trait ApiTokens: Send + Sync {
    /// A token that is good for this visit alone; none where the control API does not know the visitor.
    fn issue(&self, visitor: &Visitor<'_>) -> Option<Pii<String>>;
}

/// Somebody who is let into a visit now.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    /// Whose consult it is.
    pub tenant: TenantId,
    /// The visit's consult.
    pub consult: ConsultId,
    /// What they came in with: when that is taken back, so is the token.
    pub ticket: TicketId,
    /// Who, as the ticket has it.
    pub person: &'a Pii<String>,
    /// As what.
    pub role: Role,
    /// When, in seconds since 1970.
    pub now_unix_s: u64,
}

impl<'a> Visitor<'a> {
    pub(crate) const fn of(token: &'a ResumeToken) -> Self {
        Self {
            tenant: token.tenant,
            consult: token.consult,
            ticket: token.ticket,
            person: &token.person,
            role: token.role,
            now_unix_s: token.issued_at_unix_s,
        }
    }
}
