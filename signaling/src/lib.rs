//! Signaling: the WebSocket, WHIP and WHEP in front of the media engine, and who is in which consult.
//!
//! [`Signaling`] is given a media plane, its events, a journal and keys, and gives back an [`axum::Router`]. What is
//! decided stands in pure code (`session/`, `consult/`, `sdp/`); what waits, sends and reads clocks stands in the shells
//! around it. It knows nothing of the control API: the binary passes on what that wants ([`Signaling::revoke_ticket`],
//! [`Signaling::end_consult`]).
//!
//! | file | holds |
//! |---|---|
//! | `session/` | one WebSocket connection as a pure state machine |
//! | `websocket.rs`, `frames.rs` | its shell: `GET /v1/signal`; how little it keeps in memory |
//! | `consult/` | who is in which consult: numbers, waiting room, transports |
//! | `chat.rs` | lines of chat are kept, in order, and then passed on |
//! | `door.rs` | from a ticket to a place in a consult, by way of the journal |
//! | `negotiation.rs` | from an offer to an answer, by way of the shard |
//! | `sdp/` | SDP to plain parameters and back |
//! | `whip.rs`, `whep.rs`, `resource.rs`, `fragment.rs` | RFC 9725 and its counterpart for receivers |
//! | `api_tokens.rs` | what whoever is welcomed shows the control API |
//! | `origin.rs`, `problem.rs` | which web pages may call; HTTP errors |
//! | `dispatcher.rs` | takes the shards' events to their consults |
//! | `media.rs`, `journal.rs` | what is asked of the media plane and of the audit log |
//! | `scribe.rs` | how the journal is written: awaited, or behind a backlog |
//! | `counters.rs`, `limits.rs` | what is counted and what is bounded |

mod api_tokens;
mod chat;
mod consult;
mod counters;
mod dispatcher;
mod door;
mod fragment;
mod frames;
mod journal;
pub mod limits;
mod media;
mod negotiation;
mod origin;
mod problem;
mod resource;
mod scribe;
pub mod sdp;
mod session;
mod websocket;
mod whep;
mod whip;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use media_engine::api::Event;
use media_model::{ConsultId, ParticipantNumber, Pii};
use node_log::NodeLog;
use signaling_protocol::{
    limits::SDP_BYTES_MAX,
    server::LineId,
    ticket::{InvalidKey, ResumeSigner, ResumeVerifier, TicketId, TicketVerifier},
};
use tokio::sync::{Semaphore, mpsc, watch};

pub use self::{
    api_tokens::{ApiTokens, Visitor},
    consult::{Headcount, TicketLog, TicketLogError},
    counters::Counters,
    journal::{
        BoxFuture, Call, Departure, Entry, Forbidden, Journal, JournalUnavailable, Measured, Way, What, Who,
    },
    media::{MediaPlane, Overloaded, Shard},
    origin::{Address, OriginPolicy, Portals},
};
use self::{
    consult::{Line, Moment, Registry, Tickets},
    limits::{
        CHAT_BACKLOG_MAX, CONNECTIONS_MAX, GOODBYE_TIMEOUT, LATE_ENTRIES_BURST_MAX,
        LATE_ENTRIES_PER_SECOND_MAX, PARTINGS_INTERVAL,
    },
    resource::Resources,
    scribe::Scribe,
    session::TokenBucket,
};

/// What signaling has to be told.
pub struct Config {
    /// Keys whose tickets open.
    pub tickets: TicketVerifier,
    /// The node's own key for resume tokens.
    pub resume: ResumeSigner,
    /// Which web pages may call for every tenant.
    pub origins: OriginPolicy,
    /// Which may for their own.
    pub portals: Arc<dyn Portals>,
    /// Makes what whoever is welcomed shows the control API.
    pub api_tokens: Arc<dyn ApiTokens>,
    /// People who may be in one consult at a time; at most
    /// [`CONSULT_TRANSPORTS_MAX`](media_model::limits::CONSULT_TRANSPORTS_MAX), whatever is said here.
    pub consult_participants_max: usize,
    /// Where the node remembers tickets that were used or taken back; without it, only until it stops.
    pub ticket_log: Option<TicketLog>,
}

/// The signaling of one node. Clones are handles to the same thing.
#[derive(Clone)]
pub struct Signaling {
    shared: Arc<Shared>,
}

impl fmt::Debug for Signaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signaling").finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    registry: Mutex<Registry>,
    /// Where a ticket's use is written down before it opens a door.
    pub(crate) ticket_log: Option<NodeLog>,
    resources: Mutex<Resources>,
    pub(crate) media: Arc<dyn MediaPlane>,
    pub(crate) scribe: Scribe,
    pub(crate) journal: Arc<dyn Journal>,
    /// Lines of chat that are to be kept.
    pub(crate) lines: mpsc::Sender<Line>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tickets: TicketVerifier,
    pub(crate) resume_signer: ResumeSigner,
    pub(crate) resume_verifier: ResumeVerifier,
    pub(crate) origins: OriginPolicy,
    pub(crate) portals: Arc<dyn Portals>,
    pub(crate) api_tokens: Arc<dyn ApiTokens>,
    /// One permit a WebSocket connection.
    pub(crate) connections: Arc<Semaphore>,
    /// Limits the journal's entries about tickets that came too late.
    late_entries: Mutex<TokenBucket>,
    /// Turns true when the node goes down.
    pub(crate) closing: watch::Sender<bool>,
}

impl Shared {
    /// The consults. The guard must not be held across an `await`.
    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The WHIP and WHEP sessions. Where both locks are needed, the registry's comes first.
    pub(crate) fn resources(&self) -> MutexGuard<'_, Resources> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the journal takes another entry about a ticket that came too late.
    pub(crate) fn may_note_late(&self, now: Moment) -> bool {
        self.late_entries.lock().unwrap_or_else(PoisonError::into_inner).take(now.steady)
    }
}

impl Signaling {
    /// Starts the tasks behind the shells; to be called within a tokio runtime. They end when `events` does.
    ///
    /// Errors: the resume key cannot verify what it signs.
    pub fn start(
        config: Config,
        media: Arc<dyn MediaPlane>,
        events: mpsc::Receiver<Event>,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, InvalidKey> {
        let counters = Arc::new(Counters::default());
        let scribe = Scribe::start(Arc::clone(&journal), Arc::clone(&counters));
        let (lines, taken) = mpsc::channel(CHAT_BACKLOG_MAX);
        let people_max = config.consult_participants_max;
        let ticket_log = config.ticket_log.as_ref().map(TicketLog::handle);
        let tickets = config.ticket_log.map(Tickets::restore).unwrap_or_default();
        let registry =
            Registry::new(tickets, Arc::clone(&media), scribe.clone(), Arc::clone(&counters), people_max);
        let shared = Arc::new(Shared {
            registry: Mutex::new(registry),
            ticket_log,
            resources: Mutex::default(),
            media,
            scribe,
            journal: Arc::clone(&journal),
            lines,
            counters,
            tickets: config.tickets,
            resume_verifier: ResumeVerifier::new([config.resume.public_key()])?,
            resume_signer: config.resume,
            origins: config.origins,
            portals: config.portals,
            api_tokens: config.api_tokens,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            late_entries: Mutex::new(TokenBucket::new(
                Instant::now(),
                LATE_ENTRIES_BURST_MAX,
                LATE_ENTRIES_PER_SECOND_MAX,
            )),
            closing: watch::Sender::new(false),
        });
        tokio::spawn(chat::keep(Arc::downgrade(&shared), journal, taken));
        tokio::spawn(dispatcher::run(Arc::clone(&shared), events));
        Ok(Self { shared })
    }

    /// `/v1/signal`, `/v1/whip` and `/v1/whep`.
    pub fn router(&self) -> Router {
        let whip = post(whip::create).options(resource::options);
        let whep = post(whep::create).options(resource::options);
        let session =
            || axum::routing::patch(resource::patch).delete(resource::delete).options(resource::options);
        Router::new()
            .route("/v1/signal", get(websocket::signal).connect(websocket::signal))
            .route("/v1/whip", whip)
            .route("/v1/whip/{id}", session())
            .route("/v1/whep", whep)
            .route("/v1/whep/{id}", session())
            .layer(middleware::from_fn_with_state(Arc::clone(&self.shared), origin::guard))
            .layer(DefaultBodyLimit::max(SDP_BYTES_MAX))
            .with_state(Arc::clone(&self.shared))
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// What could not be written down about tickets, and would not be known if the node started again now.
    pub fn ticket_log_lost(&self) -> u64 {
        self.shared.ticket_log.as_ref().map_or(0, NodeLog::lost)
    }

    /// How many are here now.
    pub fn headcount(&self) -> Headcount {
        self.shared.registry().headcount()
    }

    /// Takes a ticket back. Whoever came in with it is gone, both directions at once, and cannot come back with it.
    pub fn revoke_ticket(&self, ticket: TicketId) {
        self.shared.registry().revoke_ticket(Moment::now(), ticket);
    }

    /// Has a ticket open nothing any more, nor a resume token of who came in with it. Who waits is gone; who is in the
    /// consult stays.
    pub fn bar_ticket(&self, ticket: TicketId) {
        self.shared.registry().bar_ticket(Moment::now(), ticket);
    }

    /// Ends a consult for everyone. None of its tickets opens any more.
    pub fn end_consult(&self, consult: ConsultId) {
        self.shared.registry().end_consult(Moment::now(), consult);
    }

    /// Passes on a line that somebody wrote elsewhere and that is kept. Only of who has come to the consult: the others have
    /// no number to know anybody else by.
    pub fn pass_on_chat(
        &self,
        consult: ConsultId,
        line: LineId,
        person: &Pii<String>,
        text: &Pii<String>,
        at: SystemTime,
    ) {
        self.shared.registry().pass_on_chat(consult, line, person, text, at);
    }

    /// The number in the consult of somebody who has come to it.
    pub fn number_of(&self, consult: ConsultId, person: &Pii<String>) -> Option<ParticipantNumber> {
        self.shared.registry().number_of(consult, person)
    }

    /// Whether somebody is in a consult on this node, let in and not only waiting; or was when it was ended, in the last quarter of an
    /// hour.
    pub fn is_in(&self, consult: ConsultId, person: &Pii<String>) -> bool {
        self.shared.registry().is_in(consult, person)
    }

    /// Whether this node knows that the ticket was taken back.
    pub fn is_revoked(&self, ticket: TicketId) -> bool {
        self.shared.registry().is_revoked(ticket)
    }

    /// Says goodbye to everyone connected, stops their media and waits, for a bounded time, until it was said and
    /// the journal has it. Nobody comes in any more.
    pub async fn shutdown(&self) {
        self.shared.registry().close(Moment::now());
        self.shared.closing.send_replace(true);
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let said = tokio::time::timeout(GOODBYE_TIMEOUT, self.shared.connections.acquire_many(all)).await;
        if said.is_err() {
            tracing::warn!("some connections did not take their goodbye in time");
        }
        // Shards say how connections were, and are not waited for if they do not.
        let told = async {
            while self.shared.registry().has_partings() {
                tokio::time::sleep(PARTINGS_INTERVAL).await;
            }
        };
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, told).await;
        self.shared.scribe.flush().await;
    }
}
