//! What a transport may use while it handles something: the time, the way out, counters.

use std::{
    sync::atomic::AtomicU32,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{handshake::Identity, socket::Outbox};
use crate::{
    measure::Measure,
    plan::{Kind, MediaProfile},
};

/// Packets sent so far of each participant's sound and picture, seen by all threads.
pub type SentTable = std::sync::Arc<[AtomicU32]>;

static NOBODY: AtomicU32 = AtomicU32::new(0);

/// Lent for one call.
pub struct Context<'a> {
    /// Now, in nanoseconds since 1970.
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
    /// What is sent.
    pub profile: &'a MediaProfile,
    /// How much was sent.
    pub sent: &'a [AtomicU32],
}

impl Context<'_> {
    /// The clock, read again: in nanoseconds since 1970, for stamps.
    pub fn clock_ns(&self) -> u64 {
        clock_ns()
    }

    /// Sends what `write` writes. False where the outbox is full.
    pub fn out(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let taken = self.outbox.packet(self.transport, write);
        self.measure.counters.refused_by_kernel += u64::from(!taken);
        taken
    }

    /// How many packets a participant has sent of a kind.
    pub fn sent(&self, participant: u32, kind: Kind) -> &AtomicU32 {
        self.sent.get(participant as usize * 2 + kind as usize).unwrap_or(&NOBODY)
    }
}

/// `CLOCK_REALTIME`, in nanoseconds since 1970: the clock by which the kernel notes arrivals.
pub fn clock_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
