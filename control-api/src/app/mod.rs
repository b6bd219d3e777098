//! The rules behind the routes: what an act means, and that its audit entry commits with it.

mod anonymous;
pub(crate) mod appointments;
pub(crate) mod audit_log;
pub(crate) mod break_glass;
pub(crate) mod chat;
mod clients;
mod connections;
pub(crate) mod consents;
mod consults;
mod deliveries;
pub(crate) mod direct_consults;
mod erasing;
mod facts;
pub(crate) mod guest_links;
pub(crate) mod holds;
pub(crate) mod identities;
mod joining;
pub(crate) mod oauth;
mod orders;
pub(crate) mod patient_appointments;
pub(crate) mod people;
mod permit;
pub(crate) mod portals;
mod reads;
mod renewal;
pub(crate) mod requests;
mod resealing;
pub(crate) mod roles;
mod sealer;
mod seen;
pub(crate) mod sessions;
pub(crate) mod sign_in;
mod signing_keys;
mod tenants;
mod tickets;
mod vault;
mod visitor_refusals;
mod visitors;
pub(crate) mod visits;
pub(crate) mod webhooks;

use std::{
    fmt,
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand;
use axum::response::{IntoResponse as _, Response};
use media_model::{ConsultId, ParticipantNumber, Pii, TenantId};
use signaling_protocol::ticket::{KeyRing, LEEWAY_S, TicketId, TicketSigner};

pub(crate) use anonymous::Attempt;
pub use clients::ClientSummary;
pub(crate) use consults::NewConsult;
use deliveries::Due;
use erasing::ErasureList;
pub use erasing::ReplayError;
pub use portals::Portals;
use reads::Reads;
pub use renewal::Renewed;
pub use resealing::Resealed;
pub use roles::RoleChange;
use sealer::Unsealed;
pub use seen::Seen;
pub use tenants::{BootstrapError, MasterKeyChange};
pub(crate) use tickets::Minted;
pub use tickets::NewTicket;
use vault::Vault;
use visitor_refusals::VisitorRefusals;

use crate::{
    Networks, OwnOrigin, RateLimited, Store, StoreError, TrustedProxies,
    access::AccessToken,
    anonymous::Anonymous,
    audit::{Action, Entry, EntryId, StoredEntry, Surface, unix_ms},
    auth::Caller,
    failures::Failures,
    keys::MasterKeys,
    limits::{API_FAILURES_PER_S, API_REQUESTS_PER_S},
    permissions::{Scopes, Subject},
    problem::Problem,
    rate::RateLimits,
    sign_in::{Providers, SignInCounts},
    store::{self, TenantTx},
    visit_token::VisitVerifier,
};

/// A ticket is honoured for this much longer than it says, to allow for clocks that differ.
const TICKET_LEEWAY_MS: i64 = 1000 * LEEWAY_S as i64;

/// What a running consult has to learn from the control API at once. The binary connects it to signaling.
pub trait RunningConsults: Send + Sync {
    /// Everyone in it is sent away, now.
    fn end(&self, consult: ConsultId);
    /// The ticket opens no door any more, and whoever came in with it has to leave, now.
    fn revoke_ticket(&self, consult: ConsultId, ticket: TicketId);
    /// The ticket opens no door any more. Whoever waits has to leave; whoever is in the consult stays.
    fn bar_ticket(&self, consult: ConsultId, ticket: TicketId);
    /// Somebody wrote a line of chat over the API, which is kept: those who are present get it.
    fn pass_on_chat(&self, said: &Said<'_>);
    /// The number in the consult of somebody who has come to it; nothing where it does not run here.
    fn number_of(&self, _consult: ConsultId, _person: &Pii<String>) -> Option<ParticipantNumber> {
        None
    }
    /// Whether somebody is in the consult here, let in and not only waiting; or was when it was ended, in the last quarter of an hour.
    fn is_in(&self, _consult: ConsultId, _person: &Pii<String>) -> bool {
        false
    }
    /// Whether it is known here that the ticket was taken back, whatever the database has.
    fn is_revoked(&self, _ticket: TicketId) -> bool {
        false
    }
}

/// A line of chat that somebody wrote over the API.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// In which consult.
    pub consult: ConsultId,
    /// How it is called, by the audit log too.
    pub id: EntryId,
    /// Who wrote it.
    pub person: &'a Pii<String>,
    /// What.
    pub text: &'a Pii<String>,
    /// When it was taken.
    pub at: SystemTime,
}

/// The control API's rules over its store.
#[derive(Clone)]
pub struct ControlApi {
    pub(crate) store: Store,
    signer: TicketSigner,
    running: Arc<dyn RunningConsults>,
    vault: Vault,
    unsealed: Arc<Unsealed>,
    reads: Arc<Reads>,
    proxies: Arc<TrustedProxies>,
    erasures: Option<ErasureList>,
    rates: Arc<RateLimits>,
    failures: Arc<Failures>,
    anonymous: Arc<Anonymous>,
    visitor_refusals: Arc<VisitorRefusals>,
    access: Option<KeyRing<AccessToken>>,
    visits: Option<VisitVerifier>,
    due: Arc<Due>,
    webhook_networks: Arc<Networks>,
    providers: Arc<Providers>,
    sign_in_counts: Arc<SignInCounts>,
    own_origin: Arc<OwnOrigin>,
    portals: Portals,
    portals_file: Option<Arc<Path>>,
    allowed_origins: Arc<[String]>,
    is_open: Arc<AtomicBool>,
}

impl fmt::Debug for ControlApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlApi").finish_non_exhaustive()
    }
}

impl ControlApi {
    /// Rules over a store, with the key that signs tickets, the line to running consults, and the master keys of what is
    /// sealed at rest.
    pub fn new(
        store: Store,
        signer: TicketSigner,
        running: Arc<dyn RunningConsults>,
        master: Arc<dyn MasterKeys>,
    ) -> Self {
        Self {
            store,
            signer,
            running,
            vault: Vault::new(master),
            unsealed: Arc::default(),
            reads: Arc::default(),
            proxies: Arc::default(),
            erasures: None,
            rates: Arc::new(RateLimits::new(API_REQUESTS_PER_S)),
            failures: Arc::new(Failures::new(API_FAILURES_PER_S)),
            anonymous: Arc::default(),
            visitor_refusals: Arc::default(),
            access: None,
            visits: None,
            due: Arc::default(),
            webhook_networks: Arc::default(),
            providers: Arc::new(Providers::new(Networks::default())),
            sign_in_counts: Arc::default(),
            own_origin: Arc::default(),
            portals: Portals::default(),
            portals_file: None,
            allowed_origins: Arc::default(),
            is_open: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Answers nobody until [`ControlApi::open_door`].
    #[must_use]
    pub fn with_closed_door(self) -> Self {
        Self { is_open: Arc::default(), ..self }
    }

    /// Answers whoever calls from now on.
    pub fn open_door(&self) {
        self.is_open.store(true, Relaxed);
    }

    /// Whether callers are answered.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// What it stands on.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Believes these proxies about where requests came from.
    pub fn with_trusted_proxies(self, proxies: TrustedProxies) -> Self {
        Self { proxies: Arc::new(proxies), ..self }
    }

    /// Takes so many requests a second from each API client, and from each address.
    pub fn with_requests_per_s(self, requests_per_s: u32) -> Self {
        Self { rates: Arc::new(RateLimits::new(requests_per_s)), ..self }
    }

    /// Signs and believes access tokens with these keys, so that they outlive the process and are good on other nodes.
    #[must_use]
    pub fn with_access_keys(self, keys: KeyRing<AccessToken>) -> Self {
        Self { access: Some(keys), ..self }
    }

    /// Believes tokens of visits that one of these keys has signed.
    #[must_use]
    pub fn with_visit_keys(self, keys: VisitVerifier) -> Self {
        Self { visits: Some(keys), ..self }
    }

    /// Requests that were refused for coming too fast.
    pub fn rate_limited(&self) -> &RateLimited {
        self.rates.refused()
    }

    /// Counts a request of another surface to the limit for each address; the answer where it came too fast.
    pub fn too_fast(&self, address: IpAddr) -> Option<Response> {
        let wait = self.rates.pass_address(address, Instant::now()).err()?;
        Some(Problem::too_fast(wait).into_response())
    }

    pub(crate) fn rates(&self) -> &RateLimits {
        &self.rates
    }

    pub(crate) fn proxies(&self) -> &TrustedProxies {
        &self.proxies
    }

    /// Lets webhooks go to these private networks, too.
    #[must_use]
    pub fn with_webhook_networks(self, networks: Networks) -> Self {
        Self { webhook_networks: Arc::new(networks), ..self }
    }

    /// Says where browsers find this server.
    #[must_use]
    pub fn with_own_origin(self, origin: OwnOrigin) -> Self {
        Self { own_origin: Arc::new(origin), ..self }
    }

    /// Lets pages of these origins call for every tenant; `"*"` for any.
    #[must_use]
    pub fn with_allowed_origins(self, origins: &[String]) -> Self {
        Self { allowed_origins: origins.into(), ..self }
    }

    /// Whether pages of this origin may call for every tenant.
    pub(crate) fn allows_everywhere(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed == "*" || allowed == origin)
    }

    /// Where browsers find this server.
    pub(crate) fn own_origin(&self) -> &OwnOrigin {
        &self.own_origin
    }

    /// Private networks that webhooks may go to.
    pub(crate) fn webhook_networks(&self) -> &Networks {
        &self.webhook_networks
    }

    /// Creates a consult on the server's own account, for dev mode's demo.
    pub async fn create_demo_consult(&self, tenant: TenantId) -> Result<ConsultId, Refused> {
        let caller = Caller::server(tenant, Scopes::all());
        let consult = self.create_consult(caller, NewConsult::default()).await;
        consult.map(|consult| consult.id).map_err(Refused)
    }

    /// Mints a ticket on the server's own account, for dev mode's demo.
    pub async fn mint_demo_ticket(&self, tenant: TenantId, new: NewTicket) -> Result<Pii<String>, Refused> {
        let caller = Caller::server(tenant, Scopes::all());
        self.mint_ticket(caller, new).await.map(|minted| minted.token).map_err(Refused)
    }

    /// Keeps an act and its entries for good.
    async fn commit(&self, mut act: TenantTx) -> Result<(), StoreError> {
        let entries = act.take_entries();
        self.store.commit(act).await?;
        self.unsealed.note(entries);
        Ok(())
    }

    /// Whether callers are answered, and the database answers.
    pub async fn is_ready(&self) -> bool {
        self.is_open() && self.store.ping().await.is_ok()
    }
}

/// An act that the rules or the store refused.
#[derive(Debug, thiserror::Error)]
#[error("refused: {0:?}")]
pub struct Refused(Problem);

/// What a back end did.
fn by(caller: &Caller, action: Action) -> Entry {
    let asked = caller.asked.as_ref();
    // Whoever is in a visit does in it what they do as themselves.
    let (person_id, role) = match caller.subject {
        Subject::Visitor { person, role, .. } => (Some(Pii::new(person.to_string())), Some(role)),
        _ => (None, None),
    };
    Entry {
        person_id,
        role,
        actor: caller.actor.clone(),
        surface: Surface::Api,
        address: asked.and_then(|asked| asked.address.clone()),
        request: asked.map(|asked| asked.id),
        duration: asked.map(|asked| asked.started.elapsed()),
        ..Entry::of(action)
    }
}

async fn record(act: &mut TenantTx, entry: &Entry) -> Result<(), StoreError> {
    store::audit::insert(act, &[StoredEntry::of(entry, new_entry_id())]).await
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn now_ms() -> i64 {
    unix_ms(SystemTime::now())
}

/// 128 random bits as 32 hexadecimal digits.
fn random_id() -> String {
    ConsultId::from_bytes(random_bytes()).to_string()
}

/// The id of an audit entry that is made now: of those that one process makes, each is above the one before.
pub fn new_entry_id() -> EntryId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    EntryId::next(&LAST, now_ms(), random_bytes())
}

pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system's random source works");
    bytes
}
