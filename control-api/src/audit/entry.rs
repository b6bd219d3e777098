//! What an audit entry says.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use media_model::RequestId;
use media_model::{ConsultId, ParticipantNumber, Pii, Role, random_id};
use signaling_protocol::ticket::TicketId;

use super::Object;
use crate::{
    ids::{BreakGlassId, PersonId},
    named::named,
    permissions::Act,
    shell_user::ShellUser,
};

random_id! {
    /// One audit entry. It has no number until it is sealed into the chain.
    EntryId, "entry"
}

impl EntryId {
    /// The id of an entry that is added at this time, which the first 48 of its bits tell: entries that come together stand together
    /// in every index that has their ids, and a batch of them goes to a few pages of the disk. The next 16 count those of one
    /// millisecond, so that ids of one process have its entries' order; `last` keeps the 64 of the last one. The rest is random.
    pub fn next(last: &AtomicU64, now_ms: i64, random: [u8; 16]) -> Self {
        let now = now_ms.unsigned_abs() << 16;
        let following = |last: u64| now.max(last.saturating_add(1));
        let before = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(following(last)));
        let mut bytes = random;
        bytes[..8].copy_from_slice(&following(before.unwrap_or_default()).to_be_bytes());
        Self::from_bytes(bytes)
    }
}

/// The address that a request came from, sealed under the tenant's keys for the place that its request id names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAddress(Vec<u8>);

impl SealedAddress {
    /// What was sealed.
    pub const fn new(sealed: Vec<u8>) -> Self {
        Self(sealed)
    }

    /// The bytes that are kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How many refusals an entry stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Requests.
    pub times: u64,
    /// Different addresses that they came from, where nothing else is known of who asked.
    pub addresses: Option<usize>,
}

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
    /// On which surface.
    pub surface: Surface,
    /// Which patient it is about, by the internal id.
    pub patient: Option<PersonId>,
    /// In which consult.
    pub consult: Option<ConsultId>,
    /// Which participant it is about, by number.
    pub participant: Option<ParticipantNumber>,
    /// The same person, by the id that the control API gave them.
    pub person_id: Option<Pii<String>>,
    /// Their role.
    pub role: Option<Role>,
    /// A code that says more: why refused, why left, which transport.
    pub detail: Option<&'static str>,
    /// Which break-glass it is about, or opened the door: it stands in the place of the code.
    pub break_glass: Option<BreakGlassId>,
    /// What else it is about, which stands behind the code.
    pub object: Option<Object>,
    /// How often it happened, beside the code; once where absent.
    pub tally: Option<Tally>,
    /// From where.
    pub address: Option<SealedAddress>,
    /// By which request.
    pub request: Option<RequestId>,
    /// How long it took until the answer was ready; of who has left, how long they were there.
    pub duration: Option<Duration>,
}

impl Entry {
    /// An act of the server's own that was carried out now; set what else is known.
    pub fn of(action: Action) -> Self {
        Self {
            at: SystemTime::now(),
            action,
            outcome: Outcome::Granted,
            actor: Actor::Server,
            surface: Surface::Server,
            patient: None,
            consult: None,
            participant: None,
            person_id: None,
            role: None,
            detail: None,
            break_glass: None,
            object: None,
            tally: None,
            address: None,
            request: None,
            duration: None,
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
    /// A tenant was made.
    TenantCreated,
    /// An API client was made.
    ApiClientCreated,
    /// An API client was revoked.
    ApiClientRevoked,
    /// A person was made known, or found by an id of the EHR's.
    PersonRegistered,
    /// What is kept of a person was read.
    PersonRead,
    /// A person's keys were erased.
    PersonErased,
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
    /// Somebody signed in, or tried to.
    SignedIn,
    /// Somebody signed out, or was idle for too long.
    SignedOut,
    /// A back end got an access token.
    TokenIssued,
    /// A guest link was redeemed.
    GuestLinkRedeemed,
    /// Somebody was refused, or many were, of whom nothing is known.
    AnonymousRefused,
    /// Retention dropped the log's beginning.
    AuditDropped,
    /// What a node had kept while the database was away is not all there any more.
    SpoolCut,
    /// Everything was copied.
    BackedUp,
    /// The database was made from a copy.
    Restored,
    /// An act that the table of permissions knows, under the name that it has there.
    Asked(Act),
}

impl Action {
    /// The action's name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantCreated => "tenant_created",
            Self::ApiClientCreated => "api_client_created",
            Self::ApiClientRevoked => "api_client_revoked",
            Self::PersonRegistered => "person_registered",
            Self::PersonRead => "person_read",
            Self::PersonErased => "person_erased",
            Self::ConsultCreated => "consult_created",
            Self::ConsultEnded => "consult_ended",
            Self::TicketMinted => "ticket_minted",
            Self::TicketRevoked => "ticket_revoked",
            Self::Joined => "joined",
            Self::Waited => "waited",
            Self::Admitted => "admitted",
            Self::Left => "left",
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
            Self::TokenIssued => "token_issued",
            Self::GuestLinkRedeemed => "guest_link_redeemed",
            Self::AnonymousRefused => "anonymous_refused",
            Self::AuditDropped => "audit_dropped",
            Self::SpoolCut => "spool_cut",
            Self::BackedUp => "backed_up",
            Self::Restored => "restored",
            Self::Asked(act) => act.as_str(),
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
    /// A back end, by the id of its client.
    ApiClient(String),
    /// The participant whom the entry names.
    Participant,
    /// Another participant of the same consult.
    Staff(ParticipantNumber),
    /// A person who signed in.
    Person(PersonId),
    /// A person for whom a back end said that it acts; the server did not see them sign in.
    Asserted {
        /// The back end, by the id of its client.
        client: String,
        /// For whom.
        person: PersonId,
    },
    /// Somebody who is in a visit, by the token that `welcome` gave them for it alone.
    Visitor {
        /// Who.
        person: PersonId,
        /// What they came in with.
        ticket: TicketId,
    },
    /// Nobody knows: they did not get far enough to say.
    Anonymous,
    /// The node itself.
    Server,
    /// Somebody with a shell on the server.
    Shell(ShellUser),
}

impl Actor {
    /// The back end that vouches for the actor, or the ticket, if one does.
    pub fn asserted_by(&self) -> Option<String> {
        match self {
            Self::Asserted { client, .. } => Some(client.clone()),
            Self::Visitor { ticket, .. } => Some(format!("ticket:{ticket}")),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiClient(id) => write!(f, "api_client:{id}"),
            Self::Participant => f.write_str("participant"),
            Self::Staff(number) => write!(f, "participant:{number}"),
            // Found under the person's name either way; who vouches for it stands in a column of its own.
            Self::Person(id) | Self::Asserted { person: id, .. } | Self::Visitor { person: id, .. } => {
                write!(f, "person:{id}")
            }
            Self::Anonymous => f.write_str("anonymous"),
            Self::Server => f.write_str("server"),
            Self::Shell(user) => write!(f, "{user}"),
        }
    }
}

named! {
    /// Where it was done or tried.
    pub enum Surface {
        /// The HTTP API.
        Api = "api",
        /// Joining a consult, and what goes on in it.
        Signaling = "signaling",
        /// Recording.
        Recording = "recording",
        /// The pages for admins and auditors.
        Admin = "admin",
        /// A command on the server.
        Cli = "cli",
        /// Nowhere: the server did it on its own account.
        Server = "server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_have_its_entries_order_also_while_its_clock_stands_still_or_goes_back() {
        let (last, now_ms) = (AtomicU64::new(0), 1_800_000_000_000);
        let times = [0, 0, 1, 1, -5, -5, 2].into_iter().chain(std::iter::repeat_n(2, 70_000)).chain([3]);
        let ids: Vec<_> = times.map(|by| EntryId::next(&last, now_ms + by, [7; 16])).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ids[0].to_bytes()[..6], now_ms.to_be_bytes()[2..], "they begin with the time");
    }
}
