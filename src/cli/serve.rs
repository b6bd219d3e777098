//! `consilium serve`: runs a node until SIGINT or SIGTERM.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use clap::Args;
use control_api::{ControlApi, Store};
use media_io::MediaNode;
use signaling::Signaling;

use super::Failure;
use crate::{
    config::Config,
    dev::{self, Demo},
    keys::NodeKeys,
    shutdown,
    telemetry::Metrics,
    web,
    wiring::{AuditJournal, LateOrders},
};

/// How long a shutdown may take before connections are cut.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

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
        let node = Node::start(&config, self.dev).await?;
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
    metrics: Arc<Metrics>,
}
