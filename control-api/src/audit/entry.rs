//! What an audit entry says.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use media_model::{ConsultId, ParticipantNumber, Pii, Role};

/// One line of the audit log. The store adds its place in the order.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it happened.
    pub at: SystemTime,
    /// What was done or tried.
    pub action: Action,
    /// Whether it was allowed.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: Actor,
    /// In which consult.
    pub consult: Option<ConsultId>,
    /// Which participant it is about, by number.
    pub participant: Option<ParticipantNumber>,
    /// The same person, by the EHR's opaque identifier.
    pub person_id: Option<Pii<String>>,
    /// Their role.
    pub role: Option<Role>,
    /// A code that says more: why refused, why left, which transport.
    pub detail: Option<&'static str>,
}

impl Entry {
    /// An act of the server's own that was carried out now; set what else is known.
    pub fn of(action: Action) -> Self {
        Self {
            at: SystemTime::now(),
            action,
            outcome: Outcome::Granted,
            actor: Actor::Server,
            consult: None,
            participant: None,
            person_id: None,
            role: None,
            detail: None,
        }
    }
}

/// Milliseconds since 1970, as times are kept.
pub(crate) fn unix_ms(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What was done or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An API key was made.
    ApiKeyCreated,
    /// A consult was created.
    ConsultCreated,
    /// A consult was ended by the API.
    ConsultEnded,
    /// A ticket was given out.
    TicketMinted,
    /// A ticket was taken back.
    TicketRevoked,
    /// Somebody came in, or tried to.
    Joined,
    /// Somebody came to the waiting room.
    Waited,
    /// Somebody was let in from the waiting room.
    Admitted,
    /// Somebody left or was sent away.
    Left,
}

impl Action {
    /// The action's name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKeyCreated => "api_key_created",
            Self::ConsultCreated => "consult_created",
            Self::ConsultEnded => "consult_ended",
            Self::TicketMinted => "ticket_minted",
            Self::TicketRevoked => "ticket_revoked",
            Self::Joined => "joined",
            Self::Waited => "waited",
            Self::Admitted => "admitted",
            Self::Left => "left",
        }
    }
}

/// Whether it was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was, and it was done.
    Granted,
    /// It was not, and nothing was done.
    Refused,
}

impl Outcome {
    /// The outcome's name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A back end, by the id of its key.
    ApiKey(String),
    /// The participant whom the entry names.
    Participant,
    /// Another participant of the same consult.
    Staff(ParticipantNumber),
    /// The node itself.
    Server,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::Participant => f.write_str("participant"),
            Self::Staff(number) => write!(f, "participant:{number}"),
            Self::Server => f.write_str("server"),
        }
    }
}
