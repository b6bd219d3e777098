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

use tokio::task::JoinSet;

use crate::media::{MediaPlane, TransportFailed, TransportHandle};

pub mod janus;

/// What load is put on.
#[derive(Debug)]
pub enum Target {
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

/// A consult that is connected. Dropped, it ends.
#[derive(Debug)]
pub struct RunningConsult {
    /// Every transport of everybody.
    pub transports: Vec<TransportHandle>,
    /// Tasks that keep the signaling alive; they end with the set.
    pub tasks: JoinSet<()>,
    /// From the first word of signaling until connected, for each participant, in milliseconds.
    pub join_ms: Vec<f64>,
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
    /// It took too long.
    #[error("{0}: took too long")]
    Timeout(&'static str),
    /// Media did not connect.
    #[error("media: {0}")]
    Media(#[from] TransportFailed),
}

impl Target {
    /// Brings a consult in; see the module's doc for what an adapter does.
    pub async fn join(
        &self,
        wanted: &WantedConsult,
        media: &MediaPlane,
    ) -> Result<RunningConsult, TargetError> {
        match self {
            Self::Janus(janus) => janus.join(wanted, media).await,
        }
    }
}
