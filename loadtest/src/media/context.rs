//! What a transport may use while it handles something: the time, the way out, counters.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use super::{MediaOptions, clock::clock_ns, handshake::Identity, socket::Outbox};
use crate::{measure::Measure, plan::Kind};

static NOBODY: AtomicU32 = AtomicU32::new(0);

/// What all threads see of all participants.
#[derive(Debug)]
pub struct Shared {
    /// Packets sent so far of each participant's sound and picture.
    sent: Box<[AtomicU32]>,
    /// When each began to join, in nanoseconds since 1970; 0: not yet.
    joins: Box<[AtomicU64]>,
}

impl Shared {
    /// For so many participants.
    pub fn new(participants_max: usize) -> Self {
        Self {
            sent: (0..participants_max * 2).map(|_| AtomicU32::new(0)).collect(),
            joins: (0..participants_max).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// A participant says the first word of signaling now.
    pub fn joining(&self, participant: u32) {
        if let Some(join) = self.joins.get(participant as usize) {
            join.store(clock_ns(), Relaxed);
        }
    }
}

/// Lent for one call.
pub struct Context<'a> {
    /// Now, by [`clock_ns`].
    pub now_ns: u64,
    /// Now, for DTLS.
    pub instant: Instant,
    /// The transport that is at work.
    pub transport: u32,
    /// Where packets go.
    pub outbox: &'a mut Outbox,
    /// What is counted.
    pub measure: &'a mut Measure,
    /// The certificate that every transport shows.
    pub identity: &'a Identity,
    /// What is sent, and who belongs together.
    pub options: &'a MediaOptions,
    /// How much was sent, and who began to join when.
    pub shared: &'a Shared,
}

impl Context<'_> {
    /// The clock, read again, for the stamp of a packet that goes out now.
    pub fn stamp_ns(&mut self) -> u64 {
        let now_ns = clock_ns();
        self.outbox.note_stamp(now_ns);
        now_ns
    }

    /// Sends what `write` writes. False where the outbox is full.
    pub fn out(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let taken = self.outbox.packet(self.transport, write);
        self.measure.counters.refused_by_kernel += u64::from(!taken);
        taken
    }

    /// A participant sees the first whole picture of somebody: how long after the first word of signaling.
    pub fn first_frame(&mut self, participant: u32, at_ns: u64) {
        let begin_ns = self.shared.joins.get(participant as usize).map_or(0, |join| join.load(Relaxed));
        if begin_ns > 0 {
            self.measure.first_frame_ns.saturating_record(at_ns.saturating_sub(begin_ns).max(1));
        }
    }

    /// Whether two participants are in one consult.
    pub fn is_together(&self, one: u32, other: u32) -> bool {
        let size = self.options.consult_size.max(1);
        one / size == other / size
    }

    /// How many packets a participant has sent of a kind.
    pub fn sent(&self, participant: u32, kind: Kind) -> &AtomicU32 {
        self.shared.sent.get(participant as usize * 2 + kind as usize).unwrap_or(&NOBODY)
    }
}
