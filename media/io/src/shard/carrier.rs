//! The sockets of a shard, and the buffers on both sides of them.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    thread,
    time::{Duration, Instant},
};

use media_engine::api::TransmitBuffer;

use super::gathering::Gathering;
use crate::{
    io_counters::IoCounters,
    limits::{FAULT_PAUSE, RECEIVE_BATCHES_PER_TURN_MAX, TRANSMIT_BYTES, TRANSMIT_DATAGRAMS},
    machine::Machine,
    mailbox::Mailbox,
    socket::{Batch, MediaSocket, ShardSockets},
};

/// Carries datagrams between the kernel and an engine.
pub(super) struct Carrier<S> {
    sockets: ShardSockets<S>,
    batch: Batch,
    pub out: TransmitBuffer,
    /// Datagrams that the kernel did not take.
    pub refused: u64,
    /// How often the thread waited for the kernel.
    waits: u64,
    gathering: Gathering,
}

/// What a turn has to do at once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ready {
    pub mailbox: bool,
    pub v4: bool,
    pub v6: bool,
}

impl Ready {
    pub fn any(self) -> bool {
        self.mailbox || self.v4 || self.v6
    }

    pub fn or(self, other: Self) -> Self {
        Self { mailbox: self.mailbox || other.mailbox, v4: self.v4 || other.v4, v6: self.v6 || other.v6 }
    }
}

impl<S: MediaSocket> Carrier<S> {
    pub fn new(sockets: ShardSockets<S>) -> Self {
        let out = TransmitBuffer::new(TRANSMIT_BYTES, TRANSMIT_DATAGRAMS);
        Self { sockets, batch: Batch::new(), out, refused: 0, waits: 0, gathering: Gathering::default() }
    }

    /// Sleeps until there is mail, a datagram, or the time is over.
    ///
    /// The time is rounded up to milliseconds: timers that fall into one are served by one wake-up, and none of them
    /// minds. While packets flow they are served with the next packet anyway. Many packets are let gather first.
    pub fn wait(&mut self, mailbox: &Mailbox, time: Duration) -> Ready {
        let fd = |fd: i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // Negative descriptors are passed over by poll(2).
        let of = |socket: &Option<S>| fd(socket.as_ref().map_or(-1, |socket| socket.as_fd().as_raw_fd()));
        let mut fds = [fd(mailbox.as_fd().as_raw_fd()), of(&self.sockets.v4), of(&self.sockets.v6)];
        if !time.is_zero()
            && let Some(pause) = self.gathering.pause(Instant::now())
        {
            self.waits += 1;
            thread::sleep(pause);
        }
        let time_ms = time.as_micros().div_ceil(1000) as libc::c_int;
        self.waits += 1;
        // SAFETY: the array lives across the call and its length is right.
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, time_ms) };
        let [mailbox, v4, v6] = fds.map(|fd| fd.revents != 0);
        Ready { mailbox, v4, v6 }
    }

    /// Feeds the engine from the sockets that have something; returns which of them may have more, and what time it is.
    pub fn receive<M: Machine>(
        &mut self,
        ready: Ready,
        mut now: Instant,
        engine: &mut M,
    ) -> (Ready, Instant) {
        let mut left = Ready::default();
        if ready.v4 {
            left.v4 = self.receive_from(|sockets| sockets.v4.as_mut(), &mut now, engine);
        }
        if ready.v6 {
            left.v6 = self.receive_from(|sockets| sockets.v6.as_mut(), &mut now, engine);
        }
        (left, now)
    }

    fn receive_from<M: Machine>(
        &mut self,
        socket: impl Fn(&mut ShardSockets<S>) -> Option<&mut S>,
        now: &mut Instant,
        engine: &mut M,
    ) -> bool {
        for _ in 0..RECEIVE_BATCHES_PER_TURN_MAX {
            let Some(receiver) = socket(&mut self.sockets) else { return false };
            if let Err(error) = receiver.receive(&mut self.batch) {
                pause_after(&error);
                return false;
            }
            self.gathering.note(*now, self.batch.len() as u64);
            if self.batch.len() > 1 {
                engine.expect(*now, self.batch.coming());
            }
            for datagram in self.batch.datagrams() {
                engine.handle_datagram(*now, datagram, &mut self.out);
                if is_short(&self.out) {
                    flush(&mut self.sockets, &mut self.out, &mut self.refused);
                }
            }
            self.flush();
            if !self.batch.is_full() {
                return false;
            }
            // A batch takes long enough for the time to matter.
            *now = Instant::now();
        }
        true
    }

    pub fn flush_if_short(&mut self) {
        if is_short(&self.out) {
            self.flush();
        }
    }

    pub fn flush(&mut self) {
        flush(&mut self.sockets, &mut self.out, &mut self.refused);
    }

    /// The sockets as the kernel knows them.
    pub fn descriptors(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [&self.sockets.v4, &self.sockets.v6].map(|socket| socket.as_ref().map(S::as_fd))
    }

    /// What the sockets did so far.
    pub fn counters(&self) -> IoCounters {
        let mut counters = IoCounters { waits: self.waits, ..IoCounters::default() };
        for socket in [&self.sockets.v4, &self.sockets.v6].into_iter().flatten() {
            counters.add(&socket.counters());
        }
        counters
    }
}

fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a media socket cannot be read");
    thread::sleep(FAULT_PAUSE);
}

/// Whether the next datagram's fan-out might not fit.
fn is_short(out: &TransmitBuffer) -> bool {
    out.bytes_free() < TRANSMIT_BYTES / 2 || out.len() > TRANSMIT_DATAGRAMS / 2
}

pub(super) fn flush<S: MediaSocket>(
    sockets: &mut ShardSockets<S>,
    out: &mut TransmitBuffer,
    refused: &mut u64,
) {
    if out.is_empty() {
        return;
    }
    let families = [(&mut sockets.v4, true), (&mut sockets.v6, false)];
    for (socket, is_ipv4) in families {
        *refused += match socket {
            Some(socket) => socket.send(out),
            // No socket of this address family.
            None => out.transmits().iter().filter(|t| t.remote.is_ipv4() == is_ipv4).count() as u64,
        };
    }
    out.clear();
}
