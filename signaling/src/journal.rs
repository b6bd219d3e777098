//! Who joined, was admitted, left and was refused, and what was written: signaling says it here, the binary keeps it.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    time::{Duration, SystemTime},
};

use media_engine::api::Quality;
use media_model::{BreakGlassId, ConsultId, ParticipantNumber, Pii, RequestId, Role, Source, TenantId};
use signaling_protocol::{error::ErrorCode, server::LineId, ticket::TicketId};

/// Keeps entries for good.
pub trait Journal: Send + Sync {
    /// Resolves when the entries would survive a crash of this process: all of them, or none. There are 256 at most, and
    /// [`CHAT_BATCH_MAX`](crate::limits::CHAT_BATCH_MAX) if there are lines of chat among them.
    fn record(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>>;

    /// How the next line of chat is called, here and by everybody who is told of it.
    fn next_line(&self) -> LineId;

    /// Counts somebody who was turned away and of whom nothing is known. It must not wait, and anybody can have it called.
    fn turned_away(&self, _code: ErrorCode, _address: Option<Pii<IpAddr>>) {}
}

/// A future on the heap: what an object-safe async method returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The entry could not be kept. A join is refused then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct JournalUnavailable;

/// One line of the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it happened.
    pub at: SystemTime,
    /// Whose consult it is, where that is known.
    pub tenant: Option<TenantId>,
    /// In which consult, where that is known.
    pub consult: Option<ConsultId>,
    /// Whose doing it was, where that is known.
    pub who: Option<Who>,
    /// By which connection, where there was one: of a departure, the one that they came by.
    pub call: Option<Call>,
    /// Of a departure: how long they were here. Who was gone already and is sent out for good was not.
    pub lasted: Option<Duration>,
    /// What happened.
    pub what: What,
}

impl Entry {
    /// Of nobody's doing; set what else is known.
    pub const fn of(at: SystemTime, what: What) -> Self {
        Self { at, tenant: None, consult: None, who: None, call: None, lasted: None, what }
    }
}

/// One connection to this node: a WebSocket, or a request of WHIP's or WHEP's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it is called.
    pub request: RequestId,
    /// From where, where that is known.
    pub address: Option<Pii<IpAddr>>,
}

/// A person of a consult, or at its door.
#[derive(Debug, Clone)]
pub struct Who {
    /// Number in the consult; of somebody who was turned away, none.
    pub participant: Option<ParticipantNumber>,
    /// The EHR's identifier.
    pub person: Pii<String>,
    /// Role in the consult.
    pub role: Role,
    /// What they broke to come in, if that is how they came.
    pub break_glass: Option<BreakGlassId>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Came in, and may see and be seen.
    Joined(Way),
    /// Came to the waiting room.
    Waited,
    /// Was let in from the waiting room.
    Admitted {
        /// By whom.
        by: ParticipantNumber,
    },
    /// Wrote this line of chat, which the others get once it is kept.
    Wrote(LineId, Pii<String>),
    /// Had one of their sources muted by somebody of the staff.
    Muted {
        /// By whom.
        by: ParticipantNumber,
        /// Which.
        source: Source,
    },
    /// Asked for what they may not do, so many times, and it was not done.
    Forbade(Forbidden, u64),
    /// Is gone.
    Left(Departure),
    /// One of their connections is over; told once its shard has let go of it. It is no access, so that no audit log needs it.
    Measured(Measured),
    /// Was turned away.
    Refused(ErrorCode),
}

/// How well somebody was connected, of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// What both sides reported.
    pub quality: Quality,
    /// Whether it broke or had to be made anew, and nobody had ended it.
    pub broke: bool,
}

/// What somebody in a consult asked for who may not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// To write in the chat.
    Chat,
    /// To let somebody in.
    Admission,
    /// To send somebody out.
    Removal,
    /// To mute somebody.
    Muting,
}

impl Forbidden {
    /// Its name in a file of the node's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Admission => "admission",
            Self::Removal => "removal",
            Self::Muting => "muting",
        }
    }
}

/// How somebody comes into a consult.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// `/v1/signal`
    WebSocket,
    /// `/v1/whip`: publishes only.
    Whip,
    /// `/v1/whep`: receives only.
    Whep,
}

impl Way {
    /// The way's name in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Whip => "whip",
            Self::Whep => "whep",
        }
    }
}

/// Why somebody is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// Said goodbye.
    Left,
    /// The connection broke and nobody came back in time.
    Lost,
    /// The same person came in anew, with a ticket, and this presence gave way.
    Replaced,
    /// The consult was ended.
    ConsultEnded,
    /// The ticket was taken back.
    Revoked,
    /// Somebody of the staff sent them out.
    Removed {
        /// Who.
        by: ParticipantNumber,
        /// What was taken back.
        ticket: TicketId,
    },
    /// The node went down.
    Shutdown,
    /// The node stopped without a word; they were here until then.
    NodeLost,
}

impl Departure {
    /// The reason's name in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::ConsultEnded => "consult_ended",
            Self::Revoked => "revoked",
            Self::Removed { .. } => "removed",
            Self::Shutdown => "shutdown",
            Self::NodeLost => "node_lost",
        }
    }
}
