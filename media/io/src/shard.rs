//! A shard's thread: it waits for its sockets, its mailbox and its engine's clock, and carries bytes between them.
//!
//! One turn: commands, datagrams, the timer, what the engine says. The clock is read once, and once more for each full
//! batch. Everything that an engine writes leaves before the thread waits again.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    thread,
    time::{Duration, Instant},
};

use media_engine::{
    Counters, DropReason,
    api::{Command, Event, LeaveReason},
};
use media_model::{ConsultId, ShardId, TransportId};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    io_counters::IoCounters,
    limits::{FAULT_PAUSE, HAND_OVER_RETRY, PUBLISH_INTERVAL, WAIT_MAX},
    load::{Load, LoadMeter},
    machine::Machine,
    mailbox::Mailbox,
    relief::Relief,
    roster::Roster,
    socket::{MediaSocket, ShardSockets, SystemSocket},
    tally,
};
use carrier::{Carrier, Ready};

/// What a shard's thread lets others see of it.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Of all the shard's engines, one after another, and of its sockets.
    pub counters: Counters,
    /// How often the shard failed and began again.
    pub restarts: u64,
    /// What it costs.
    pub load: Load,
    /// What it asked of the kernel.
    pub io: IoCounters,
}

/// Everything of a shard that outlives its engine.
pub(crate) struct Shard<S = SystemSocket> {
    id: ShardId,
    mailbox: Arc<Mailbox>,
    events: mpsc::Sender<Event>,
    published: Arc<Mutex<Published>>,
    io: Carrier<S>,
    roster: Roster,
    /// Those who went with a failed engine and whose control plane does not know yet.
    lost: BTreeSet<TransportId>,
    /// What failed engines have counted.
    past: Counters,
    restarts: u64,
    meter: LoadMeter,
    relief: Relief,
    published_at: Option<Instant>,
}

impl<S: MediaSocket> Shard<S> {
    pub fn new(
        id: ShardId,
        sockets: ShardSockets<S>,
        mailbox: Arc<Mailbox>,
        events: mpsc::Sender<Event>,
        published: Arc<Mutex<Published>>,
    ) -> Self {
        let io = Carrier::new(sockets);
        let (roster, lost, past) = (Roster::default(), BTreeSet::new(), Counters::default());
        let (meter, relief) = (LoadMeter::default(), Relief::default());
        Self {
            id,
            mailbox,
            events,
            published,
            io,
            roster,
            lost,
            past,
            restarts: 0,
            meter,
            relief,
            published_at: None,
        }
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
        let mut now = Instant::now();
        loop {
            let idle = self.hand_over(now, engine);
            let wait = if left.any() { Duration::ZERO } else { idle };
            let ready = self.io.wait(&self.mailbox, wait).or(left);
            now = Instant::now();
            let mut has_more_mail = false;
            if ready.mailbox {
                let mail = self.mailbox.take();
                has_more_mail = mail.more;
                mail.commands.iter().for_each(|command| self.roster.note_command(command));
                for command in mail.commands {
                    engine.handle_command(now, command, &mut self.io.out);
                    self.io.flush_if_short();
                }
                if let Some(consults) = mail.stop {
                    return self.end(engine, consults);
                }
            }
            (left, now) = self.io.receive(ready, now, engine);
            left.mailbox = has_more_mail;
            if engine.poll_timeout().is_some_and(|at| at <= now) {
                engine.handle_timeout(now, &mut self.io.out);
            }
            self.io.flush();
            self.relieve(engine, now, left.v4 || left.v6);
        }
    }

    /// Has the engine withhold video while this shard falls behind.
    fn relieve<M: Machine>(&mut self, engine: &mut M, now: Instant, has_more: bool) {
        let sockets = self.io.descriptors();
        let (before, (_, share, _)) = (self.relief.read(), self.meter.read());
        let Some(quarters) = self.relief.poll(now, sockets, has_more, share) else { return };
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
        let now = Instant::now();
        for consult in consults {
            engine.handle_command(now, Command::EndConsult(consult), &mut self.io.out);
            self.io.flush();
        }
        self.published_at = None;
        self.hand_over(now, engine);
    }

    /// Gives events and counters to the control plane as far as it takes them; returns how long to wait afterwards.
    fn hand_over<M: Machine>(&mut self, now: Instant, engine: &mut M) -> Duration {
        let told = self.tell(engine);
        self.meter.poll(now);
        let until_due = engine.poll_timeout().map_or(WAIT_MAX, |at| at.saturating_duration_since(now));
        // Not with every turn; but before a long sleep, so that nobody sees old counters for long.
        let is_recent =
            self.published_at.is_some_and(|at| now.saturating_duration_since(at) < PUBLISH_INTERVAL);
        let published = (is_recent && until_due < PUBLISH_INTERVAL) || self.publish(engine);
        if published && !is_recent {
            self.published_at = Some(now);
        }
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
        published.io = self.io.counters();
        let (cpu, share, samples) = self.meter.read();
        let transports = published.counters.transports;
        let (video_withheld, kernel_drops) = self.relief.read();
        published.load = Load { cpu, share, samples, transports, video_withheld, kernel_drops };
        true
    }

    fn lock_published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

mod carrier;
mod gathering;
#[cfg(test)]
pub(crate) mod tests;
