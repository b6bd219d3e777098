//! A shard's thread: it waits for its sockets, its mailbox and its engine's clock, and carries bytes between them.
//!
//! One turn: commands, datagrams (`now` is taken once a batch), the timer, what the engine says. Everything that an
//! engine writes leaves before the thread waits again.

use std::{
    collections::BTreeSet,
    os::fd::{AsRawFd, BorrowedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    thread,
    time::{Duration, Instant},
};

use media_engine::{
    Counters, DropReason,
    api::{Command, Event, LeaveReason, TransmitBuffer},
};
use media_model::{ConsultId, ShardId, TransportId};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    limits::{
        FAULT_PAUSE, HAND_OVER_RETRY, RECEIVE_BATCH, RECEIVE_BATCHES_PER_TURN_MAX, TRANSMIT_BYTES,
        TRANSMIT_DATAGRAMS, WAIT_MAX,
    },
    load::{Load, LoadMeter},
    machine::Machine,
    mailbox::Mailbox,
    relief::Relief,
    roster::Roster,
    socket::{Batch, MediaSocket, ShardSockets, SystemSocket},
    tally,
};

/// What a shard's thread lets others see of it.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Of all the shard's engines, one after another, and of its sockets.
    pub counters: Counters,
    /// How often the shard failed and began again.
    pub restarts: u64,
    /// What it costs.
    pub load: Load,
}

/// Everything of a shard that outlives its engine.
pub(crate) struct Shard<S = SystemSocket> {
    id: ShardId,
    mailbox: Arc<Mailbox>,
    events: mpsc::Sender<Event>,
    published: Arc<Mutex<Published>>,
    io: ShardIo<S>,
    roster: Roster,
    /// Those who went with a failed engine and whose control plane does not know yet.
    lost: BTreeSet<TransportId>,
    /// What failed engines have counted.
    past: Counters,
    restarts: u64,
    meter: LoadMeter,
    relief: Relief,
}

/// The sockets, and the buffers on both sides of them.
struct ShardIo<S> {
    sockets: ShardSockets<S>,
    batch: Batch,
    out: TransmitBuffer,
    /// Datagrams that the kernel did not take.
    refused: u64,
}

/// What a turn has to do at once.
#[derive(Debug, Clone, Copy, Default)]
struct Ready {
    mailbox: bool,
    v4: bool,
    v6: bool,
}

impl<S: MediaSocket> Shard<S> {
    pub fn new(
        id: ShardId,
        sockets: ShardSockets<S>,
        mailbox: Arc<Mailbox>,
        events: mpsc::Sender<Event>,
        published: Arc<Mutex<Published>>,
    ) -> Self {
        let out = TransmitBuffer::new(TRANSMIT_BYTES, TRANSMIT_DATAGRAMS);
        let io = ShardIo { sockets, batch: Batch::new(), out, refused: 0 };
        let (roster, lost, past) = (Roster::default(), BTreeSet::new(), Counters::default());
        let (meter, relief) = (LoadMeter::default(), Relief::default());
        Self { id, mailbox, events, published, io, roster, lost, past, restarts: 0, meter, relief }
    }

    /// Serves until the mailbox says stop. An engine that panics is replaced by a new one on the same sockets.
    pub fn run<M: Machine>(mut self, engine: impl Fn(ShardId, Instant) -> M) {
        loop {
            let id = self.id;
            let served = catch_unwind(AssertUnwindSafe(|| self.serve(&mut engine(id, Instant::now()))));
            if served.is_ok() {
                return;
            }
            self.clean_up();
            thread::sleep(FAULT_PAUSE);
        }
    }

    /// Lets go of everything that belonged to an engine that failed, and remembers who has to be told.
    fn clean_up(&mut self) {
        self.io.out.clear();
        for command in self.mailbox.clear() {
            self.roster.note_command(&command);
        }
        self.lost.append(&mut self.roster.take());
        let past = self.lock_published().counters.clone();
        self.past = past;
        self.io.refused = 0;
        // The next engine withholds nothing yet.
        self.relief = Relief::default();
        self.restarts += 1;
        // The panic hook has told where.
        let (shard, transports) = (self.id.0, self.lost.len());
        tracing::error!(shard, transports, "a media shard failed: its consults end and it starts again");
    }

    fn serve<M: Machine>(&mut self, engine: &mut M) {
        // Mail that came before a fault woke nobody since.
        let mut left = Ready { mailbox: true, ..Ready::default() };
        loop {
            let idle = self.hand_over(engine);
            let wait = if left.any() { Duration::ZERO } else { idle };
            let ready = self.wait(wait).or(left);
            left = Ready::default();
            if ready.mailbox {
                let mail = self.mailbox.take();
                left.mailbox = mail.more;
                mail.commands.iter().for_each(|command| self.roster.note_command(command));
                for command in mail.commands {
                    engine.handle_command(Instant::now(), command, &mut self.io.out);
                    self.io.flush_if_short();
                }
                if let Some(consults) = mail.stop {
                    return self.end(engine, consults);
                }
            }
            left.v4 = ready.v4 && self.io.receive(|sockets| sockets.v4.as_mut(), engine);
            left.v6 = ready.v6 && self.io.receive(|sockets| sockets.v6.as_mut(), engine);
            let now = Instant::now();
            if engine.poll_timeout().is_some_and(|at| at <= now) {
                engine.handle_timeout(now, &mut self.io.out);
            }
            self.io.flush();
            self.relieve(engine, now, left.v4 || left.v6);
        }
    }

    /// Has the engine withhold video while this shard falls behind.
    fn relieve<M: Machine>(&mut self, engine: &mut M, now: Instant, has_more: bool) {
        let sockets = [&self.io.sockets.v4, &self.io.sockets.v6].map(|s| s.as_ref().map(S::as_fd));
        let before = self.relief.read();
        let Some(quarters) = self.relief.poll(now, sockets, has_more) else { return };
        engine.withhold_video(now, quarters);
        let (shard, kernel_drops) = (self.id.0, self.relief.read().1);
        match (before.0, quarters) {
            (0, _) => {
                tracing::warn!(shard, kernel_drops, "a media shard falls behind: it begins to withhold video")
            }
            (_, 0) => tracing::warn!(shard, kernel_drops, "a media shard keeps up again: all video goes on"),
            _ => {
                tracing::info!(shard, quarters, kernel_drops, "a media shard withholds quarters of its video")
            }
        }
    }

    /// Tells everyone goodbye: the engine closes every transport of these consults.
    fn end<M: Machine>(&mut self, engine: &mut M, consults: Vec<ConsultId>) {
        for consult in consults {
            engine.handle_command(Instant::now(), Command::EndConsult(consult), &mut self.io.out);
            self.io.flush();
        }
        self.hand_over(engine);
    }

    /// Gives events and counters to the control plane as far as it takes them; returns how long to wait afterwards.
    fn hand_over<M: Machine>(&mut self, engine: &mut M) -> Duration {
        let told = self.tell(engine);
        let now = Instant::now();
        self.meter.poll(now);
        let published = self.publish(engine);
        let until_due = engine.poll_timeout().map_or(WAIT_MAX, |at| at.saturating_duration_since(now));
        until_due.min(if told && published { WAIT_MAX } else { HAND_OVER_RETRY })
    }

    /// Hands over events while there is room for them. The engine keeps the others as state, so nothing grows and
    /// nothing is lost; returns whether everything was told.
    fn tell<M: Machine>(&mut self, engine: &mut M) -> bool {
        loop {
            let permit = match self.events.try_reserve() {
                Ok(permit) => permit,
                Err(TrySendError::Full(())) => return false,
                // Nobody listens any more: the node is about to stop.
                Err(TrySendError::Closed(())) => return true,
            };
            if let Some(transport) = self.lost.pop_first() {
                permit.send(Event::Left(transport, LeaveReason::ShardFailed));
            } else if let Some(event) = engine.poll_event() {
                self.roster.note_event(&event);
                permit.send(event);
            } else {
                return true;
            }
        }
    }

    /// Copies the counters out, unless somebody is reading them just now.
    fn publish<M: Machine>(&self, engine: &M) -> bool {
        let mut published = match self.published.try_lock() {
            Ok(published) => published,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => return false,
        };
        published.counters.clone_from(&self.past);
        tally::add(&mut published.counters, engine.counters());
        published.counters.dropped[DropReason::SocketRefused as usize] += self.io.refused;
        published.restarts = self.restarts;
        let (cpu, share, samples) = self.meter.read();
        let transports = published.counters.transports;
        let (video_withheld, kernel_drops) = self.relief.read();
        published.load = Load { cpu, share, samples, transports, video_withheld, kernel_drops };
        true
    }

    fn lock_published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, wait: Duration) -> Ready {
        let fd = |fd: Option<BorrowedFd<'_>>| libc::pollfd {
            // Negative descriptors are passed over by poll(2).
            fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
            events: libc::POLLIN,
            revents: 0,
        };
        let sockets = &self.io.sockets;
        let (v4, v6) = (sockets.v4.as_ref().map(S::as_fd), sockets.v6.as_ref().map(S::as_fd));
        let mut fds = [fd(Some(self.mailbox.as_fd())), fd(v4), fd(v6)];
        // Rounded up, so that a timer is due when the thread wakes for it.
        let wait_ms = wait.as_micros().div_ceil(1000) as libc::c_int;
        // SAFETY: the array lives across the call and its length is right.
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, wait_ms) };
        let [mailbox, v4, v6] = fds.map(|fd| fd.revents != 0);
        Ready { mailbox, v4, v6 }
    }
}

impl Ready {
    fn any(self) -> bool {
        self.mailbox || self.v4 || self.v6
    }

    fn or(self, other: Self) -> Self {
        Self { mailbox: self.mailbox || other.mailbox, v4: self.v4 || other.v4, v6: self.v6 || other.v6 }
    }
}

impl<S: MediaSocket> ShardIo<S> {
    /// Feeds the engine from one socket; returns whether more may wait there.
    fn receive<M: Machine>(
        &mut self,
        socket: impl Fn(&mut ShardSockets<S>) -> Option<&mut S>,
        engine: &mut M,
    ) -> bool {
        for _ in 0..RECEIVE_BATCHES_PER_TURN_MAX {
            let Some(receiver) = socket(&mut self.sockets) else { return false };
            if let Err(error) = receiver.receive(&mut self.batch) {
                tracing::warn!(%error, "a media socket cannot be read");
                thread::sleep(FAULT_PAUSE);
                return false;
            }
            let now = Instant::now();
            for datagram in self.batch.datagrams() {
                engine.handle_datagram(now, datagram, &mut self.out);
                if is_short(&self.out) {
                    flush(&mut self.sockets, &mut self.out, &mut self.refused);
                }
            }
            self.flush();
            if self.batch.len() < RECEIVE_BATCH {
                return false;
            }
        }
        true
    }

    fn flush_if_short(&mut self) {
        if is_short(&self.out) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        flush(&mut self.sockets, &mut self.out, &mut self.refused);
    }
}

/// Whether the next datagram's fan-out might not fit.
fn is_short(out: &TransmitBuffer) -> bool {
    out.bytes_free() < TRANSMIT_BYTES / 2 || out.len() > TRANSMIT_DATAGRAMS / 2
}

fn flush<S: MediaSocket>(sockets: &mut ShardSockets<S>, out: &mut TransmitBuffer, refused: &mut u64) {
    if out.is_empty() {
        return;
    }
    // What is left over has no socket of its address family.
    let mut unsent = out.iter().filter(|(transmit, _)| !sockets.serves(transmit.remote)).count() as u64;
    for socket in [&mut sockets.v4, &mut sockets.v6].into_iter().flatten() {
        unsent += socket.send(out);
    }
    *refused += unsent;
    out.clear();
}

#[cfg(test)]
pub(crate) mod tests;
