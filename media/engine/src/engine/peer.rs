//! One transport: its association, what it publishes and what it receives.

use std::{
    mem::offset_of,
    sync::Arc,
    time::{Duration, Instant},
};

use media_model::{ConsultId, TransportId};
use prefetch::{LINE_BYTES, prefetch, prefetch_front, prefetch_slice};

use super::{parameters, publishing::Publishing, rounds::Rounds};
use crate::{
    api::{ExtensionIds, MediaParams},
    quality::Tally,
    random::Random,
    subscriber::{RepairBudget, Slot},
    transport::connection::Connection,
};

/// Streams that a transport has sent with in its life. An SSRC that comes back goes on where it ended, because the keys
/// are the same; who has worn out so many is refused.
const RETIRED_SSRCS_MAX: usize = 512;

/// A transport. What every packet from it and to it needs stands first: the connection begins with the rest of it.
#[repr(C, align(64))]
pub struct Peer {
    /// When everything is reported on.
    pub rounds: Rounds,
    /// The moment for which [`super::timers::Timers`] has it.
    pub scheduled: Option<Instant>,
    /// What it receives.
    pub slots: Vec<Slot>,
    /// What it may be sent again.
    pub repair: RepairBudget,
    /// Header extension ids, both ways.
    pub extensions: ExtensionIds,
    /// As the roster has it; here only to name the reason why nothing is forwarded.
    pub admitted: bool,
    /// ICE, DTLS, SRTP.
    pub connection: Connection,
    /// What it sends.
    pub publishing: Publishing,
    /// Its name outside.
    pub id: TransportId,
    /// Where it belongs.
    pub consult: ConsultId,
    /// `CNAME` of what it receives.
    pub cname: Arc<str>,
    /// The way there and back, as its receiver reports tell.
    pub round_trip: Option<Duration>,
    /// How well it is connected.
    pub tally: Tally,
    /// Its datagrams in [`super::handshakes::Handshakes`].
    pub handshakes_waiting: u8,
    /// Whether its newest layout is going to be told.
    pub layout_queued: bool,
    /// The next free index of every SSRC whose slot has gone.
    retired: Vec<(u32, u64)>,
}

/// Which transport a [`Peer`] is.
pub struct Belonging {
    /// Its name outside.
    pub id: TransportId,
    /// Its consult.
    pub consult: ConsultId,
    /// Whether media is routed at once.
    pub admitted: bool,
}

impl Peer {
    /// Two lines, and the first bytes of the third, in which the connection begins.
    const FRONT_BYTES: usize = offset_of!(Self, connection);
    const IS_TWO_LINES: () = assert!(offset_of!(Self, admitted) == 2 * LINE_BYTES);

    /// A transport with no media yet.
    pub fn new(now: Instant, whose: Belonging, connection: Connection) -> Self {
        Self {
            id: whose.id,
            consult: whose.consult,
            admitted: whose.admitted,
            connection,
            publishing: Publishing::default(),
            slots: Vec::new(),
            extensions: ExtensionIds::default(),
            cname: Arc::from(""),
            round_trip: None,
            tally: Tally::default(),
            repair: RepairBudget::new(now),
            rounds: Rounds::new(now),
            scheduled: None,
            handshakes_waiting: 0,
            layout_queued: false,
            retired: Vec::new(),
        }
    }

    /// Whether it has SSRCs left for these slots.
    pub fn has_room_for(&self, media: &MediaParams) -> bool {
        let fresh = media.slots.iter().flat_map(parameters::ssrcs);
        fresh.count() + self.retired.len() + 2 * self.slots.len() <= RETIRED_SSRCS_MAX
    }

    /// Takes valid parameters ([`parameters::are_valid`]) for which there is room ([`Self::has_room_for`]).
    pub fn negotiate(&mut self, now: Instant, media: MediaParams, random: &mut Random) {
        self.publishing.negotiate(now, &media.tracks);
        let mapping_changed = self.extensions != media.extensions;
        let mut before = std::mem::take(&mut self.slots);
        // First the slots that go on, so that every SSRC that a new one might take over is retired by then.
        let kept: Vec<Option<Slot>> = media
            .slots
            .iter()
            .map(|params| {
                let same = |s: &Slot| {
                    let (is, will_be) = (s.params(), params);
                    (is.mid, is.kind, is.ssrc, is.rtx_ssrc)
                        == (will_be.mid, will_be.kind, will_be.ssrc, will_be.rtx_ssrc)
                };
                before.iter().position(same).map(|at| before.swap_remove(at))
            })
            .collect();
        for slot in before {
            for (ssrc, next) in slot.used_indices() {
                self.retire(ssrc, next);
            }
        }
        self.slots.reserve_exact(kept.len());
        for (kept, params) in kept.into_iter().zip(media.slots) {
            let slot = match kept {
                Some(mut slot) => {
                    slot.negotiate(params, mapping_changed);
                    slot
                }
                None => {
                    let resume = (self.retired_index(params.ssrc), self.retired_index(params.rtx_ssrc));
                    Slot::new(params, resume, random)
                }
            };
            self.slots.push(slot);
        }
        self.extensions = media.extensions;
        self.cname = media.cname;
    }

    /// Has the processor fetch what a packet from it takes …
    pub fn prefetch_sender(&self) {
        self.prefetch_common();
        self.publishing.prefetch();
        self.connection.prefetch_inbound();
    }

    /// … and one to it …
    pub fn prefetch_receiver(&self) {
        self.prefetch_common();
        self.connection.prefetch_outbound();
    }

    /// … and telling it what it is due …
    pub fn prefetch_served(&self) {
        self.prefetch_common();
        prefetch(&self.tally);
        prefetch(&self.cname);
        self.connection.prefetch_served();
    }

    /// … and, when that is there or what a sender needs, what reports from it and to it take.
    pub fn prefetch_reports(&self) {
        prefetch_slice(&self.slots);
        prefetch_slice(&self.publishing.tracks);
    }

    fn prefetch_common(&self) {
        let () = Self::IS_TWO_LINES;
        prefetch_front(self, Self::FRONT_BYTES);
    }

    /// Whether it is going to be served along with its next packet, if that comes before `soon`.
    pub fn is_due(&self, soon: Instant) -> bool {
        self.scheduled.is_some_and(|at| at <= soon)
    }

    /// When anything of it is due.
    pub fn deadline(&self) -> Instant {
        let mut next = self.connection.poll_timeout();
        if self.connection.is_connected() {
            let slots = self.slots.iter().filter_map(Slot::report_at);
            let tracks = self.publishing.tracks.iter().filter_map(|t| t.due_at());
            let others = [self.rounds.due(), self.connection.feedback.poll_timeout()];
            for at in slots.chain(tracks).chain(others.into_iter().flatten()) {
                next = next.min(at);
            }
        }
        next
    }

    fn retire(&mut self, ssrc: u32, next: u64) {
        match self.retired.iter_mut().find(|(known, _)| *known == ssrc) {
            Some((_, index)) => *index = next.max(*index),
            None => self.retired.push((ssrc, next)),
        }
    }

    fn retired_index(&self, ssrc: u32) -> Option<u64> {
        self.retired.iter().find(|(known, _)| *known == ssrc).map(|(_, next)| *next)
    }
}
