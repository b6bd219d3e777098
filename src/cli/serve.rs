//! `consilium serve`: runs a node until SIGINT or SIGTERM.

use std::{
    net::SocketAddr,
    num::NonZeroU16,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use axum_server::{Handle, tls_rustls::RustlsAcceptor};
use clap::Args;
use control_api::{ControlApi, Store, webhooks::WebhookSender};
use huge_pages::HugePages;
use media_io::{Advertise, MediaNode};
use signaling::{Signaling, TicketLog};
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::{
    anchor::Anchor,
    api_tokens::VisitTokens,
    config::Config,
    connections::Connections,
    dev::{self, Demo},
    failure::Failure,
    http,
    journal::{self, AuditJournal},
    keys::NodeKeys,
    master_keys::NodeMasterKeys,
    pages,
    presences::Presences,
    shutdown::StopSignals,
    signing_keys::SigningKeys,
    spool::{Spool, SpoolKey},
    telemetry::Metrics,
    tls,
    upkeep::Upkeep,
    web,
    wiring::{LateOrders, TenantPortals},
};

/// How long a shutdown may take before connections are cut.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Entries that the spool keeps as one record.
const ENTRIES_TOGETHER_MAX: usize = 256;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("mode").required(true).args(["dev", "config"])))]
pub struct Serve {
    /// Everything on this machine, with a demo portal, generated keys and an API key on disk.
    #[arg(long)]
    dev: bool,
    /// Reads the configuration from this file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of HTTP and WebSockets, instead of the configured one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Folder of database and keys, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Number of media threads, instead of the configured one.
    #[arg(long, value_name = "N")]
    shards: Option<NonZeroU16>,
}

impl Serve {
    pub async fn run(self) -> Result<(), Failure> {
        let config = self.configuration()?;
        let node = Node::start(&config, self.config.as_deref()).await?;
        let _huge_pages = config.huge_pages.then(HugePages::begin).transpose()?;
        node.serve_until_told_to_stop(&config, self.dev).await
    }

    fn configuration(&self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::dev(),
        };
        config.listen = self.listen.unwrap_or(config.listen);
        config.data = self.data.clone().unwrap_or(config.data);
        config.shards = self.shards.or(config.shards);
        Ok(config)
    }
}

/// The parts of a running node.
#[derive(Clone)]
struct Node {
    media: Arc<MediaNode>,
    signaling: Signaling,
    api: ControlApi,
    store: Store,
    spool: Arc<Spool>,
    presences: Arc<Presences>,
    metrics: Arc<Metrics>,
    connections: Connections,
}

impl Node {
    /// Opens the store, reads the keys, starts the media threads and signaling, and connects them.
    async fn start(config: &Config, file: Option<&Path>) -> Result<Self, Failure> {
        let keys = NodeKeys::load_or_generate(&config.data)?;
        let media = media_config(config, file.is_none(), &keys);
        let store = Store::open_or_wait(&config.database()?).await?;
        let (orders, master) = (LateOrders::default(), NodeMasterKeys::open(config, file).await?);
        let signer = keys.tickets.signer.clone();
        let api = ControlApi::new(store.clone(), signer, Arc::new(orders.clone()), master.ring())
            .with_trusted_proxies(config.trusted_proxies.clone())
            .with_requests_per_s(config.api_requests_per_s.get())
            .with_failures_per_s(config.api_failures_per_s.get())
            .with_access_keys(keys.access.clone())
            .with_visit_keys(keys.visits.verifier.clone())
            .with_webhook_networks(config.webhook_networks.clone())
            .with_sign_in_networks(config.sign_in_networks.clone())
            .with_own_origin(config.own_origin())
            .with_allowed_origins(&config.allowed_origins)
            .listing_erasures(config.erasures_file())
            .remembering_portals(config.portals_file())?
            .with_closed_door();
        let signing_keys = SigningKeys::open(&keys, config.signing_key_lifetime())?;
        let (media, events) = MediaNode::start(media)?;
        let media = Arc::new(media);
        let spool = Arc::new(Spool::open(&config.spool_file(), &keys.spool_key, config.spool_bytes_max())?);
        let presences = presences(config, &keys.spool_key, &spool).await?;
        let signaling = Signaling::start(
            signaling::Config {
                tickets: keys.tickets.verifier.clone(),
                resume: keys.resume_signer,
                origins: config.origin_policy(),
                portals: Arc::new(TenantPortals(api.portals().clone())),
                api_tokens: Arc::new(VisitTokens(keys.visits.signer.clone())),
                consult_participants_max: config.consult_participants_max.into(),
                ticket_log: Some(TicketLog::open(&config.ticket_log_file())?),
            },
            media.clone(),
            events,
            Arc::new(AuditJournal { api: api.clone(), spool: spool.clone(), presences: presences.clone() }),
        )?;
        orders.connect(signaling.clone());
        let ring = master.ring();
        let anchor = Anchor::new(config.audit_anchor_file(), keys.checkpoint_signer);
        let webhooks = WebhookSender::new(config.webhook_networks.clone());
        Upkeep { api: api.clone(), signing_keys, master, anchor, webhooks }.begin().await?;
        tokio::spawn(NodeMasterKeys::keep_looking(ring));
        tokio::spawn(journal::keep_handing_in(api.clone(), spool.clone()));
        tokio::spawn(journal::tell_of_missing(api.clone(), spool.clone()));
        tokio::spawn(presences.clone().keep_alive());
        tokio::spawn(api.clone().keep_noting_anonymous());
        let metrics = Arc::new(Metrics::new()?);
        let of_address_max = config.address_connections_max.get();
        let connections = Connections::new(of_address_max, config.trusted_proxies.clone());
        Ok(Self { media, signaling, api, store, spool, presences, metrics, connections })
    }

    async fn serve_until_told_to_stop(self, config: &Config, dev: bool) -> Result<(), Failure> {
        let mut router = self.router(config);
        if dev {
            let tenant = dev::tenant()?;
            dev::api_key(&self.api, tenant, &config.data).await?;
            let consult = self.api.create_demo_consult(tenant).await?;
            router = router.merge(Demo { api: self.api.clone(), tenant, consult }.router());
        }
        let router = web::with_security_headers(router, config.is_by_tls());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::new();
        let stopper = tokio::spawn(self.clone().stop_when_told(StopSignals::listen()?, handle.clone()));
        let listener = std::net::TcpListener::bind(config.listen)
            .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
        listener.set_nonblocking(true)?;
        let tls = match &config.tls {
            Some(files) => Some(tls::load(files).await?),
            None => None,
        };
        announce(&listener, config, dev)?;
        let server = axum_server::from_tcp(listener)?.handle(handle);
        match tls {
            None => {
                let mut server = server.acceptor(self.connections.before(http::acceptor()));
                http::bound(server.http_builder());
                server.serve(service).await?;
            }
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(http::acceptor());
                let mut server = server.acceptor(self.connections.before(acceptor));
                http::bound(server.http_builder());
                server.serve(service).await?;
            }
        }
        stopper.await??;
        Ok(())
    }

    fn router(&self, config: &Config) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.clone())
            .merge(web::with_addresses(
                self.signaling.router(),
                config.trusted_proxies.clone(),
                self.api.clone(),
            ))
            .merge(self.api.router())
            .merge(web::widget_router())
            .merge(pages::router(self.api.clone()))
            .layer(RequestBodyTimeoutLayer::new(http::BODY_TIMEOUT))
    }

    /// Says goodbye to everyone, stops the media threads, then the HTTP server, then closes the database.
    async fn stop_when_told(self, told: StopSignals, handle: Handle<SocketAddr>) -> Result<(), Failure> {
        told.received().await;
        tracing::info!("stopping");
        self.signaling.shutdown().await;
        self.presences.flush().await;
        let media = self.media.clone();
        tokio::task::spawn_blocking(move || media.shutdown()).await?;
        handle.graceful_shutdown(Some(DRAIN_TIMEOUT));
        self.api.tell_anonymous().await;
        self.store.close().await;
        Ok(())
    }
}

/// Who is here. Whoever was when the node stopped without a word has left: that waits in the spool before anybody comes.
async fn presences(config: &Config, key: &SpoolKey, spool: &Spool) -> Result<Arc<Presences>, Failure> {
    let (presences, lost) = Presences::open(&config.presences_file(), key)?;
    for some in lost.chunks(ENTRIES_TOGETHER_MAX) {
        spool.keep(some.to_vec(), true).await?;
    }
    presences.begin_anew();
    Ok(Arc::new(presences))
}

fn media_config(config: &Config, dev: bool, keys: &NodeKeys) -> media_io::Config {
    let advertise = match (dev, config.media.advertise.is_empty()) {
        (true, true) => Advertise::EveryInterface,
        (false, true) => Advertise::Bound,
        (_, false) => Advertise::Addresses(config.media.advertise.clone()),
    };
    media_io::Config {
        shards: config.shard_count(),
        port: config.media.port,
        bind_v4: Some(config.media.bind_v4),
        bind_v6: Some(config.media.bind_v6),
        advertise,
        identity: keys.identity.clone(),
        pin_shards: config.pin_shards,
    }
}

/// The line that scripts wait for, on standard output.
fn announce(listener: &std::net::TcpListener, config: &Config, dev: bool) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{address}");
    if dev {
        dev::print_links(address, &config.data);
    }
    Ok(())
}

/// `GET /readyz`
async fn ready(State(node): State<Node>) -> impl IntoResponse {
    if node.api.is_ready().await && node.media.is_running() {
        return (StatusCode::OK, "ready\n");
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
}

/// `GET /metrics`
async fn metrics(State(node): State<Node>) -> impl IntoResponse {
    let refused = node.connections.refused();
    let rendered = node.metrics.render(&node.media, &node.signaling, &node.api, &node.spool, refused);
    match rendered {
        Ok(text) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
