//! What load is put on, behind one border.
//!
//! **What an adapter does.** [`Target::join`] brings a whole consult in: for each participant it speaks the target's
//! signaling, comes to one or more [`crate::plan::TransportPlan`]s and hands each to [`crate::media::MediaPlane::start`].
//! It returns once every transport says `connected`, and leaves behind tasks that keep the signaling alive.
//!
//! - Everything runs on one thread with a single-threaded tokio runtime: futures need not be `Send`
//!   (`tokio::task::spawn_local`), and nothing may block.
//! - SDP: one BUNDLE group, `rtcp-mux`, no candidates of ours (checks come from wherever the media plane's socket is; the
//!   target learns a peer-reflexive candidate), `a=setup:active`, `a=fingerprint:sha-256` of
//!   [`crate::media::MediaPlane::fingerprint`], ICE name and password drawn by the adapter, one remote candidate (IPv4, UDP).
//! - `TransportPlan::participant` is [`WantedParticipant::number`] on each transport of that person: with one peer connection
//!   for publishing and another for subscribing both plans carry the same number, `sends` on the one, `receives` on the other.
//! - For every received stream say whose it is by [`crate::plan::Shown`]; that is what misrouted packets are found by.
//! - SSRCs: any that are unique on the transport.
//! - An adapter gives up after 20 s with a [`TargetError`]; dropping what it returned ends the consult.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};

use crate::media::{MediaPlane, TransportFailed, TransportHandle};

pub mod consilium;
mod description;
pub mod floor;
pub mod janus;
pub mod whip;

/// What load is put on.
#[derive(Debug, Clone)]
pub enum Target {
    /// `http://ADDRESS:PORT`: a node of Consilium's.
    Consilium(consilium::Consilium),
    /// `floor:ADDRESS:PORT`: a bare loop that opens, seals and sends on; what nothing can be cheaper than.
    Floor(floor::Floor),
    /// `whip:http://ADDRESS:PORT[/PATH]`: WHIP to publish and WHEP to receive (RFC 9725).
    Whip(whip::Whip),
    /// `janus:ws://ADDRESS:PORT[/PATH]`: the VideoRoom plugin of Janus over its WebSocket.
    Janus(janus::Janus),
}

/// A consult as the scenario wants it.
#[derive(Debug, Clone)]
pub struct WantedConsult {
    /// Its number among all of the harness, from 0.
    pub number: u32,
    /// Who is in it.
    pub participants: Vec<WantedParticipant>,
}

/// Somebody in a consult.
#[derive(Debug, Clone, Copy)]
pub struct WantedParticipant {
    /// Their number among all of the harness, from 0.
    pub number: u32,
    /// Whether they publish sound.
    pub audio: bool,
    /// Whether they publish a picture.
    pub video: bool,
    /// Whether they receive what the others of the consult publish.
    pub receives: bool,
}

/// What a participant waits for one after the other, until connected.
pub const JOIN_STEPS: [&str; 6] = ["refused", "WebSocket", "welcome", "answer", "ICE", "DTLS"];

/// A consult that is connected. Dropped, it ends.
#[derive(Debug, Default)]
pub struct RunningConsult {
    /// Transports of everybody that no task holds.
    pub transports: Vec<TransportHandle>,
    /// Tasks that keep the signaling alive; they end with the set. One that ends by itself counts as a participant lost.
    pub tasks: JoinSet<()>,
    /// From the first word of signaling until connected, for each participant, in milliseconds.
    pub join_ms: Vec<f64>,
    /// What that was spent on, where the adapter tells.
    pub join_steps_ms: Vec<[f64; JOIN_STEPS.len()]>,
    /// Set, everybody goes without a goodbye when it is dropped.
    pub vanishes: Arc<AtomicBool>,
    /// Whether everybody comes back by themselves after [`Self::break_signaling`].
    pub can_resume: bool,
    /// Counts up with each time that everybody's signaling is to break.
    pub breaks: watch::Sender<u32>,
    /// Who has come back and was not taken yet.
    pub comebacks: Arc<Mutex<Vec<Comeback>>>,
    /// People who are to come back.
    pub awaited: usize,
}

/// Somebody who came back after their signaling had broken.
#[derive(Debug, Clone, Copy)]
pub struct Comeback {
    /// When.
    pub at: Instant,
    /// How long after it broke.
    pub took: Duration,
}

/// What a target refused since the harness began.
#[derive(Debug, Default)]
pub struct Tally {
    /// Joins that were refused because the target was full, each try counted.
    pub refused: AtomicU64,
    /// Of them those that were tried again.
    pub tried_again: AtomicU64,
    /// People who were refused and try again, now.
    pub waiting: AtomicU64,
}

impl RunningConsult {
    /// Breaks everybody's signaling without a goodbye; they come back by themselves. False where they cannot.
    pub fn break_signaling(&mut self) -> bool {
        if self.can_resume {
            self.awaited += self.tasks.len();
            self.breaks.send_modify(|breaks| *breaks += 1);
        }
        self.can_resume
    }

    /// Who has come back since the last call.
    pub fn take_comebacks(&mut self) -> Vec<Comeback> {
        let came =
            self.comebacks.lock().map(|mut comebacks| std::mem::take(&mut *comebacks)).unwrap_or_default();
        self.awaited = self.awaited.saturating_sub(came.len());
        came
    }

    /// Has everybody go without a goodbye.
    pub fn cut(&mut self) {
        self.vanishes.store(true, Ordering::Relaxed);
    }
}

/// Why a consult did not come up.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The target is not reachable, or hung up.
    #[error("{what}: {source}")]
    Io {
        /// During what.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The target said no, or something that makes no sense.
    #[error("{what}: {said}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// The target is full, and stayed so for as long as somebody would wait.
    #[error("the target is full")]
    Full,
    /// It took too long.
    #[error("{0}: took too long")]
    Timeout(&'static str),
    /// Media did not connect.
    #[error("media: {0}")]
    Media(#[from] TransportFailed),
}

impl Target {
    /// Reads `http://…`, `floor:…`, `whip:http://…` or `janus:ws://…`.
    pub fn parse(text: &str, api_key: Option<String>) -> Result<Self, TargetError> {
        let refused = |said: &str| TargetError::Refused { what: "the target", said: said.to_owned() };
        if let Some(address) = text.strip_prefix("floor:") {
            let remote = address.parse().map_err(|_| refused("floor: wants an IPv4 address and a port"))?;
            return Ok(Self::Floor(floor::Floor { remote }));
        }
        if let Some(url) = text.strip_prefix("janus:") {
            return Ok(Self::Janus(janus::Janus { url: url.to_owned() }));
        }
        if let Some(url) = text.strip_prefix("whip:") {
            return whip::Whip::parse(url, api_key).map(Self::Whip);
        }
        let address = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let address = address.and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| refused("http:// wants an address and a port"))?;
        let api_key = api_key.ok_or_else(|| refused("an API key is needed: --api-key-file"))?;
        Ok(Self::Consilium(consilium::Consilium::new(address, &api_key)))
    }

    /// The same target, with a node's signaling reached in this way.
    pub fn with_signaling(self, mode: consilium::SignalingMode, streams_max: u32) -> Self {
        match self {
            Self::Consilium(consilium) => Self::Consilium(consilium.with_signaling(mode, streams_max)),
            other => other,
        }
    }

    /// Whether it is on this machine's loopback, so that shared sockets can be used.
    pub fn is_on_loopback(&self) -> bool {
        match self {
            Self::Consilium(consilium) => consilium.is_on_loopback(),
            Self::Floor(floor) => floor.remote.ip().is_loopback(),
            Self::Whip(whip) => whip.is_on_loopback(),
            Self::Janus(_) => false,
        }
    }

    /// What it refused; nothing where the adapter does not tell.
    pub fn tally(&self) -> Option<&Tally> {
        match self {
            Self::Consilium(consilium) => Some(consilium.tally()),
            _ => None,
        }
    }

    /// Tasks of the target's async runtime that are alive, where it says so.
    pub async fn tasks_alive(&self) -> Option<u64> {
        match self {
            Self::Consilium(consilium) => consilium.tasks_alive().await,
            _ => None,
        }
    }

    /// Brings a consult in; see the module's doc for what an adapter does.
    pub async fn join(
        &self,
        wanted: &WantedConsult,
        media: &MediaPlane,
    ) -> Result<RunningConsult, TargetError> {
        match self {
            Self::Consilium(consilium) => consilium.join(wanted, media).await,
            Self::Floor(floor) => floor.join(wanted, media).await,
            Self::Janus(janus) => janus.join(wanted, media).await,
            Self::Whip(whip) => whip.join(wanted, media).await,
        }
    }
}

/// 128 random bits, written so that ICE takes them (RFC 8445 §5.3).
pub(crate) fn random_text() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bits");
    bytes.map(|byte| format!("{byte:02x}")).concat()
}
