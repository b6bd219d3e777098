//! One thread of the media plane: every 250 µs it takes in everything that came, sends everything that is due, and sleeps.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Command, Connects, MediaOptions, Window,
    context::{Context, SentTable, clock_ns},
    handshake::Identity,
    socket::{Outbox, Route, Sockets},
    transport::{Outcome, Transport},
};
use crate::{measure::Measure, usage};

/// How often a thread looks. Part of no delay: arrival is when the kernel had a packet, sending when it was handed over.
pub const TICK: Duration = Duration::from_micros(250);
/// Batches that are received before what is due is sent, so that neither starves.
const BATCHES_MAX: usize = 64;

struct Entry {
    transport: Transport,
    connects: Option<Connects>,
    scheduled_ns: u64,
}

/// What a thread owns.
pub struct Worker {
    options: MediaOptions,
    identity: Identity,
    commands: Receiver<Command>,
    sockets: Sockets,
    entries: HashMap<u32, Entry>,
    timers: BinaryHeap<Reverse<(u64, u32)>>,
    outbox: Outbox,
    measure: Measure,
    sent: SentTable,
    window: (u64, u64),
}

impl Worker {
    /// One that has nothing to do yet.
    pub fn new(
        options: MediaOptions,
        identity: Identity,
        commands: Receiver<Command>,
        sockets: Sockets,
        sent: SentTable,
    ) -> Self {
        Self {
            options,
            identity,
            commands,
            sockets,
            entries: HashMap::new(),
            timers: BinaryHeap::new(),
            outbox: Outbox::new(),
            measure: Measure::new(),
            sent,
            window: (0, 0),
        }
    }

    /// Runs until the last handle of the media plane is gone.
    pub fn run(mut self) {
        usage::precise_sleep();
        let mut next = Instant::now();
        while self.commands() {
            self.receive();
            self.timers();
            self.flush();
            next += TICK;
            let now = Instant::now();
            match next.checked_duration_since(now) {
                Some(rest) => std::thread::sleep(rest),
                None => next = now,
            }
        }
    }

    fn commands(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.command(command),
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn command(&mut self, command: Command) {
        let now_ns = clock_ns();
        match command {
            Command::Start(id, plan, connects) => {
                let route = Route { transport: id, local: plan.local, remote: plan.remote };
                if self.sockets.add(route).is_err() {
                    // Nobody waits any more where this finds nobody.
                    let _ = connects.send(Err(super::TransportFailed::Socket));
                    return;
                }
                let transport = Transport::new(*plan, now_ns);
                let entry = Entry { transport, connects: Some(connects), scheduled_ns: now_ns };
                self.entries.insert(id, entry);
                self.timers.push(Reverse((now_ns, id)));
            }
            Command::Receive(id, streams) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.transport.receive(streams);
                }
                self.reschedule(id, now_ns, Instant::now());
            }
            Command::Show(id, ssrc, shown) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.transport.show(ssrc, shown, now_ns);
                }
            }
            Command::Stop(id) => {
                self.entries.remove(&id);
                self.sockets.remove(id);
            }
            Command::BeginWindow => {
                self.measure = Measure::new();
                self.window = (now_ns, usage::thread_cpu_ns());
                let sessions = self.entries.values_mut().filter_map(|entry| entry.transport.session());
                sessions.for_each(|session| session.begin_window());
            }
            Command::EndWindow(reply) => self.end_window(now_ns, reply),
            Command::Peek(reply) => {
                let _ = reply.send(self.measure.counters.clone());
            }
        }
    }

    fn end_window(&mut self, now_ns: u64, reply: oneshot::Sender<Window>) {
        let instant = Instant::now();
        let Self { entries, outbox, measure, sent, options, identity, .. } = self;
        for (id, entry) in entries {
            let Some(session) = entry.transport.session() else { continue };
            let mut context = Context {
                now_ns,
                instant,
                transport: *id,
                outbox,
                measure,
                identity,
                profile: &options.profile,
                sent,
            };
            session.end_window(&mut context);
        }
        let measure = std::mem::take(&mut self.measure);
        let (begin_ns, cpu_ns) = self.window;
        let window = Window {
            measure,
            wall_ns: now_ns.saturating_sub(begin_ns),
            cpu_ns: usage::thread_cpu_ns().saturating_sub(cpu_ns),
        };
        self.window = (now_ns, usage::thread_cpu_ns());
        let _ = reply.send(window);
    }

    fn receive(&mut self) {
        let (now_ns, instant) = (clock_ns(), Instant::now());
        for _ in 0..BATCHES_MAX {
            let Self { sockets, entries, timers, outbox, measure, sent, options, identity, .. } = self;
            let more = sockets.receive(&mut |id, datagram, arrival_ns| {
                let Some(entry) = entries.get_mut(&id) else { return };
                let mut context = Context {
                    now_ns,
                    instant,
                    transport: id,
                    outbox,
                    measure,
                    identity,
                    profile: &options.profile,
                    sent,
                };
                let arrival_ns = if arrival_ns == 0 { now_ns } else { arrival_ns };
                let outcome = entry.transport.handle_datagram(datagram, arrival_ns, &mut context);
                entry.tell(outcome);
                entry.schedule(id, now_ns, instant, timers);
            });
            if self.outbox.is_due() {
                self.flush();
            }
            if !more {
                break;
            }
        }
    }

    fn timers(&mut self) {
        loop {
            let (now_ns, instant) = (clock_ns(), Instant::now());
            let Some(Reverse((at, id))) =
                self.timers.peek().copied().filter(|Reverse((at, _))| *at <= now_ns)
            else {
                return;
            };
            self.timers.pop();
            let Self { entries, timers, outbox, measure, sent, options, identity, .. } = self;
            let Some(entry) = entries.get_mut(&id).filter(|entry| entry.scheduled_ns == at) else { continue };
            let mut context = Context {
                now_ns,
                instant,
                transport: id,
                outbox,
                measure,
                identity,
                profile: &options.profile,
                sent,
            };
            let outcome = entry.transport.handle_timeout(&mut context);
            entry.tell(outcome);
            entry.scheduled_ns = u64::MAX;
            entry.schedule(id, now_ns, instant, timers);
            if self.outbox.is_due() {
                self.flush();
            }
        }
    }

    fn reschedule(&mut self, id: u32, now_ns: u64, instant: Instant) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.schedule(id, now_ns, instant, &mut self.timers);
        }
    }

    fn flush(&mut self) {
        self.measure.counters.refused_by_kernel += self.sockets.send(&mut self.outbox);
    }
}

impl Entry {
    fn tell(&mut self, outcome: Outcome) {
        let result = match outcome {
            Outcome::Nothing => return,
            Outcome::Connected => Ok(()),
            Outcome::Failed(why) => Err(why),
        };
        if let Some(connects) = self.connects.take() {
            // The one who waited may have given up.
            let _ = connects.send(result);
        }
    }

    /// Puts it into the timers where it is due earlier than it stands there.
    fn schedule(
        &mut self,
        id: u32,
        now_ns: u64,
        instant: Instant,
        timers: &mut BinaryHeap<Reverse<(u64, u32)>>,
    ) {
        let at = self.transport.poll_timeout(now_ns, instant);
        if at < self.scheduled_ns {
            // A moment later at the earliest: what asks again and again must not keep the loop from receiving.
            self.scheduled_ns = at.max(now_ns + 1);
            timers.push(Reverse((self.scheduled_ns, id)));
        }
    }
}
