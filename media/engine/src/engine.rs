//! The shard: who is here, and which part handles what.
//!
//! | file | handles |
//! |---|---|
//! | `engine/commands.rs` | what the control plane asks: join, renegotiate, admit, mute, leave |
//! | `engine/parameters.rs` | which negotiated parameters are refused |
//! | `engine/peer.rs` | one transport: association, published tracks, slots |
//! | `engine/publishing.rs` | which SSRC belongs to which track |
//! | `engine/routing.rs` | from a consult's route table to tracks and slots |
//! | `engine/lookahead.rs` | what a batch is going to need, fetched ahead |
//! | `engine/inbound.rs` | datagrams: checks, media, and forwarding |
//! | `engine/handshakes.rs` | DTLS, a step at a time |
//! | `engine/control.rs` | RTCP from clients: reports, NACK, key frame requests |
//! | `engine/reports.rs` | RTCP to clients: reports, NACK, key frame requests, feedback |
//! | `engine/shedding.rs` | video that is withheld while the shard falls behind |
//! | `engine/serving.rs` | what is due for a transport, alone or along with a packet |
//! | `engine/rounds.rs` | when a transport's reports are due |
//! | `engine/planted.rs` | packets given to the wrong person, in a test build only |
//! | `engine/timers.rs` | who is due |
//! | `engine/events.rs` | what the control plane has yet to hear |

mod commands;
mod control;
mod events;
mod handshakes;
mod inbound;
mod lookahead;
mod parameters;
mod peer;
#[cfg(feature = "planted-faults")]
mod planted;
mod publishing;
mod reports;
mod rounds;
mod routing;
mod serving;
mod shedding;
mod timers;

pub use lookahead::Coming;
pub use shedding::SHEDDING_STEPS;

use std::{collections::HashMap, sync::Arc, time::Instant};

use media_model::{ConsultId, ShardId, TransportId};

use self::{events::Events, handshakes::Handshakes, peer::Peer, timers::Timers};
use crate::{
    Counters, DropReason,
    api::{Command, Datagram, Event, TransmitBuffer},
    consult::Consult,
    demux::{Demux, Protocol, classify},
    random::Random,
    rtp::{Epoch, NtpTime},
    transport::dtls::Identity,
};

/// What a shard is built with.
#[derive(Debug, Clone)]
pub struct Config {
    /// One moment on the engine's clock and on the wall.
    pub epoch: (Instant, NtpTime),
    /// For initial sequence numbers and timestamps; from a secure source outside tests.
    pub seed: u64,
    /// The certificate that answers name.
    pub identity: Arc<Identity>,
    /// The shard's own name.
    pub shard: ShardId,
}

/// A shard's media engine. The contract stands in the crate's documentation.
pub struct Engine {
    config: Config,
    epoch: Epoch,
    random: Random,
    /// Transports by place; a place is used again after its transport has gone and nothing refers to it.
    peers: Vec<Option<Box<Peer>>>,
    places: HashMap<TransportId, usize>,
    vacant: Vec<usize>,
    consults: HashMap<ConsultId, Consult>,
    demux: Demux,
    timers: Timers,
    handshakes: Handshakes,
    events: Events,
    counters: Counters,
    /// Quarters of the video that are withheld.
    video_withheld: u8,
    #[cfg(feature = "planted-faults")]
    planted: planted::Misrouting,
}

impl Engine {
    /// An engine with nobody in it.
    pub fn new(config: Config) -> Self {
        let (instant, ntp) = config.epoch;
        Self {
            epoch: Epoch { instant, ntp },
            random: Random::new(config.seed),
            config,
            peers: Vec::new(),
            places: HashMap::new(),
            vacant: Vec::new(),
            consults: HashMap::new(),
            demux: Demux::default(),
            timers: Timers::new(instant),
            handshakes: Handshakes::default(),
            events: Events::default(),
            counters: Counters::default(),
            video_withheld: 0,
            #[cfg(feature = "planted-faults")]
            planted: planted::Misrouting::default(),
        }
    }

    /// The shard that this engine is.
    pub fn shard(&self) -> ShardId {
        self.config.shard
    }

    /// Takes a datagram; whatever it contains, nothing worse happens than that it is dropped and counted.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut TransmitBuffer) {
        let before = out.bytes_free();
        self.counters.bytes_received += datagram.data.len() as u64;
        let handled = match classify(datagram.data) {
            Ok(Protocol::Stun) => self.handle_check(now, datagram, out),
            Ok(Protocol::Dtls) => self.handle_dtls(now, datagram, out),
            Ok(Protocol::Rtp) => self.handle_rtp(now, datagram, out),
            Ok(Protocol::Rtcp) => self.handle_rtcp(now, datagram, out),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = handled {
            self.counters.drop(reason);
        }
        self.counters.bytes_sent += (before - out.bytes_free()) as u64;
    }

    /// Does what the control plane asks; what came of it is told by [`Engine::poll_event`].
    pub fn handle_command(&mut self, now: Instant, command: Command, out: &mut TransmitBuffer) {
        let before = out.bytes_free();
        self.carry_out(now, command, out);
        self.counters.bytes_sent += (before - out.bytes_free()) as u64;
    }

    /// When [`Engine::handle_timeout`] has something to do; perhaps nothing by then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.handshakes.due()].into_iter().flatten().min()
    }

    /// The next thing that the control plane should know. Layouts that were overtaken are skipped.
    pub fn poll_event(&mut self) -> Option<Event> {
        while let Some(queued) = self.events.pop() {
            match queued {
                events::Queued::Event(event) => return Some(event),
                events::Queued::Layout(transport) => {
                    if let Some(layout) = self.newest_layout(transport) {
                        return Some(Event::Layout(layout));
                    }
                }
            }
        }
        None
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn newest_layout(&mut self, transport: TransportId) -> Option<crate::api::Layout> {
        let place = *self.places.get(&transport)?;
        let peer = self.peers.get_mut(place)?.as_mut()?;
        peer.layout_queued = false;
        let member = self.consults.get(&peer.consult)?.member(place)?;
        Some(member.layout.clone())
    }

    fn peer_mut(&mut self, place: usize) -> Option<&mut Peer> {
        self.peers.get_mut(place)?.as_deref_mut()
    }

    /// Where the transport is kept whose authenticated checks come from there.
    fn place_at(&mut self, datagram: &Datagram<'_>) -> Result<usize, DropReason> {
        self.demux.transport_at(datagram.remote, datagram.local).ok_or(DropReason::AddressUnknown)
    }
}
