//! The rules behind the routes: what an act means, and that its audit entry commits with it.

mod consults;
mod tickets;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand;
use media_model::{ConsultId, Pii};
use signaling_protocol::{
    limits::RESUME_VALIDITY,
    ticket::{LEEWAY_S, TicketId, TicketSigner},
};

pub(crate) use consults::NewConsult;
pub use tickets::NewTicket;

use crate::{
    ApiKey, Store, StoreError,
    audit::{Action, Actor, Entry, unix_ms},
    problem::Problem,
    store::{self, Act},
};

/// A ticket is honoured for this much longer than it says, to allow for clocks that differ.
const TICKET_LEEWAY_MS: i64 = 1000 * LEEWAY_S as i64;

/// Longest name of an API key.
const KEY_NAME_BYTES_MAX: usize = 40;

/// What a running consult has to learn from the control API at once. The binary connects it to signaling.
pub trait RunningConsults: Send + Sync {
    /// Everyone in it is sent away, now.
    fn end(&self, consult: ConsultId);
    /// The ticket opens no door any more, and whoever came in with it has to leave, now.
    fn revoke_ticket(&self, consult: ConsultId, ticket: TicketId);
}

/// The control API's rules over its store.
#[derive(Clone)]
pub struct ControlApi {
    pub(crate) store: Store,
    signer: Arc<TicketSigner>,
    running: Arc<dyn RunningConsults>,
}

impl fmt::Debug for ControlApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlApi").finish_non_exhaustive()
    }
}

impl ControlApi {
    /// Rules over a store, with the key that signs tickets and the line to running consults.
    pub fn new(store: Store, signer: Arc<TicketSigner>, running: Arc<dyn RunningConsults>) -> Self {
        Self { store, signer, running }
    }

    /// Makes an API key. `name` becomes part of its id, which the audit log shows.
    pub async fn create_key(&self, name: &str) -> Result<ApiKey, KeyError> {
        let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if name.is_empty() || name.len() > KEY_NAME_BYTES_MAX || !name.bytes().all(sound) {
            return Err(KeyError::Name);
        }
        let (key, now_ms) = (ApiKey::generate(), now_ms());
        let id = format!("{name}-{}", &random_id()[..8]);
        let mut act = self.store.begin().await?;
        store::api_keys::insert(&mut act, &id, &key.hash(), now_ms).await?;
        record(&mut act, &Entry::of(Action::ApiKeyCreated)).await?;
        self.store.commit(act).await?;
        Ok(key)
    }

    /// Whether this text is the secret of a key that is good now.
    pub async fn knows_key(&self, secret: &str) -> Result<bool, StoreError> {
        let Some(key) = ApiKey::parse(secret) else { return Ok(false) };
        Ok(self.store.api_key_id(&key.hash()).await?.is_some())
    }

    /// Creates a consult on the server's own account, for dev mode's demo.
    pub async fn create_demo_consult(&self) -> Result<ConsultId, Refused> {
        let consult = self.create_consult(Actor::Server, NewConsult::default()).await;
        consult.map(|consult| consult.id).map_err(Refused)
    }

    /// Mints a ticket on the server's own account, for dev mode's demo.
    pub async fn mint_demo_ticket(&self, new: NewTicket) -> Result<Pii<String>, Refused> {
        self.mint_ticket(Actor::Server, new).await.map(|minted| minted.token).map_err(Refused)
    }

    /// Tells running consults again what was taken back and which consults were ended, after a restart has made them
    /// forget: for as long as a ticket of theirs would still open, or a resume token of somebody who came in with it.
    pub async fn replay_revocations(&self) -> Result<(), StoreError> {
        let still_good_ms = now_ms() - TICKET_LEEWAY_MS;
        let resumable_ms = still_good_ms - RESUME_VALIDITY.as_millis() as i64;
        for (consult, ticket) in self.store.revoked_tickets(still_good_ms, resumable_ms).await? {
            self.running.revoke_ticket(consult, ticket);
        }
        for consult in self.store.ended_consults(resumable_ms).await? {
            self.running.end(consult);
        }
        Ok(())
    }

    /// Writes what signaling saw: who joined, left or was turned away. Returns when all of it is on disk; after an error
    /// none of it counts.
    pub async fn record(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut act = self.store.begin().await?;
        for entry in entries {
            record(&mut act, entry).await?;
        }
        self.store.commit(act).await
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        self.store.ping().await.is_ok()
    }
}

/// An act that the rules or the store refused.
#[derive(Debug, thiserror::Error)]
#[error("refused: {0:?}")]
pub struct Refused(Problem);

/// An API key that was not made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name cannot stand in an id.
    #[error("a key's name is 1 to {KEY_NAME_BYTES_MAX} letters, digits and hyphens")]
    Name,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn record(act: &mut Act, entry: &Entry) -> Result<(), StoreError> {
    store::audit::insert(act, entry).await
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn now_ms() -> i64 {
    unix_ms(SystemTime::now())
}

/// 128 random bits as 32 hexadecimal digits.
fn random_id() -> String {
    ConsultId::from_bytes(random_bytes()).to_string()
}

fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system's random source works");
    bytes
}
