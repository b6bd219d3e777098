//! One thread of the media plane: every so often it sends everything that is due, takes in everything that came, and sleeps.

use std::{
    cmp::Reverse,
    sync::{Arc, mpsc::Receiver},
    time::Instant,
};

use tokio::sync::oneshot;

use super::{
    Command, MediaOptions, Window,
    clock::{Arrival, clock_ns},
    context::{Context, Shared},
    entries::{Entries, Entry, Timers},
    handshake::Identity,
    impaired::{AddressChanges, Impaired},
    socket::{Outbox, Route, Sockets, Take},
    transport::Transport,
};
use crate::{measure::Measure, usage};

/// Batches that are received before commands are looked at, so that neither starves.
const BATCHES_MAX: usize = 256;

/// Timers that are looked at side by side.
const TIMERS_AT_ONCE: usize = 32;

/// What a thread owns.
pub struct Worker {
    options: MediaOptions,
    identity: Identity,
    commands: Receiver<Command>,
    sockets: Sockets,
    entries: Entries,
    timers: Timers,
    outbox: Outbox,
    measure: Measure,
    shared: Arc<Shared>,
    /// Everything of the window until the last look.
    before: Measure,
    /// When the window and the time since the last look began: the clock, the thread's processor time.
    window: (u64, u64),
    looked: (u64, u64),
    /// To the clients and from them, where the network is a bad one.
    impaired: Option<[Impaired; 2]>,
    addresses: AddressChanges,
}

impl Worker {
    /// One that has nothing to do yet.
    pub fn new(
        options: MediaOptions,
        identity: Identity,
        commands: Receiver<Command>,
        sockets: Sockets,
        shared: Arc<Shared>,
    ) -> Self {
        let network = options.network;
        let impaired = (!network.is_clean()).then(|| [1, 2].map(|seed| Impaired::new(network, seed)));
        let addresses = AddressChanges::new(network.address_change_s);
        Self {
            options,
            identity,
            commands,
            sockets,
            entries: Entries::default(),
            timers: Timers::new(),
            outbox: Outbox::new(),
            measure: Measure::new(),
            shared,
            before: Measure::new(),
            window: (0, 0),
            looked: (0, 0),
            impaired,
            addresses,
        }
    }

    /// Runs until the last handle of the media plane is gone.
    pub fn run(mut self) {
        usage::precise_sleep();
        usage::step_ahead();
        let mut next = Instant::now();
        while self.commands() {
            self.receive();
            self.receive_late();
            self.change_addresses();
            self.timers();
            self.flush();
            next += self.options.poll;
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
                let entry = Entry { transport, route, connects: Some(connects), scheduled_ns: now_ns };
                self.addresses.add(id, now_ns);
                self.entries.insert(id, entry);
                self.timers.push(Reverse((now_ns, id)));
            }
            Command::Receive(id, streams) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.transport.receive(streams);
                }
                self.reschedule(id, now_ns, Instant::now());
            }
            Command::Show(id, ssrc, shown) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.transport.show(ssrc, shown, now_ns);
                }
            }
            Command::Stop(id, counts_losses) => {
                if let Some(mut entry) = self.entries.remove(id).filter(|_| counts_losses) {
                    self.end_session(id, &mut entry, now_ns);
                }
                self.sockets.remove(id);
                self.addresses.remove(id);
                self.impaired.iter_mut().flatten().for_each(|direction| direction.forget(id));
            }
            Command::BeginWindow(established) => {
                self.before.add(&std::mem::take(&mut self.measure));
                self.before = self.before.begin_window(established);
                self.measure.established = established;
                self.window = (now_ns, usage::thread_cpu_ns());
                self.looked = self.window;
                let sessions = self.entries.iter_mut().filter_map(|(_, entry)| entry.transport.session());
                sessions.for_each(|session| session.begin_window());
            }
            Command::EndWindow(reply) => self.end_window(now_ns, reply),
            Command::Peek(reply) => {
                let measure = self.look();
                let _ = reply.send(window(measure, &mut self.looked, now_ns));
            }
        }
    }

    /// What came until then counts, also of those who go.
    fn end_session(&mut self, id: u32, entry: &mut Entry, now_ns: u64) {
        let Self { outbox, measure, shared, options, identity, .. } = self;
        let Some(session) = entry.transport.session() else { return };
        let instant = Instant::now();
        let mut context =
            Context { now_ns, instant, transport: id, outbox, measure, identity, options, shared };
        session.end_window(&mut context);
    }

    fn end_window(&mut self, now_ns: u64, reply: oneshot::Sender<Window>) {
        let instant = Instant::now();
        let Self { entries, outbox, measure, shared, options, identity, .. } = self;
        for (id, entry) in entries.iter_mut() {
            let Some(session) = entry.transport.session() else { continue };
            let mut context =
                Context { now_ns, instant, transport: id, outbox, measure, identity, options, shared };
            session.end_window(&mut context);
        }
        self.look();
        let measure = std::mem::take(&mut self.before);
        let _ = reply.send(window(measure, &mut self.window, now_ns));
    }

    /// What was measured since the last look; it begins anew.
    fn look(&mut self) -> Measure {
        let established = self.measure.established;
        let measure = std::mem::take(&mut self.measure);
        self.measure.established = established;
        self.before.add(&measure);
        measure
    }

    /// Takes in what came. What is due to be sent goes before each batch: reading late is in no delay, but whoever sends late
    /// sends much at a time, and the server is blamed for the queue.
    fn receive(&mut self) {
        for _ in 0..BATCHES_MAX {
            self.timers();
            let (now_ns, instant) = (clock_ns(), Instant::now());
            let Self {
                sockets, entries, timers, outbox, measure, shared, options, identity, impaired, ..
            } = self;
            let context =
                Context { now_ns, instant, transport: 0, outbox, measure, identity, options, shared };
            let more = sockets.receive(&mut Taking { entries, timers, impaired, context });
            if self.outbox.is_due() {
                self.flush();
            }
            if !more {
                break;
            }
        }
    }

    /// Takes in what a bad network has let through by now.
    fn receive_late(&mut self) {
        let (now_ns, instant) = (clock_ns(), Instant::now());
        while let Some(mut late) = self.impaired.as_mut().and_then(|[to_clients, _]| to_clients.pop(now_ns)) {
            let Self { entries, timers, outbox, measure, shared, options, identity, .. } = self;
            let id = late.transport;
            let Some(entry) = entries.get_mut(id) else { continue };
            let mut context =
                Context { now_ns, instant, transport: id, outbox, measure, identity, options, shared };
            entry.take(&mut late.bytes, late.due_ns, &mut context, timers);
            if self.outbox.is_due() {
                self.flush();
            }
        }
    }

    /// Gives those another address whose time has come.
    fn change_addresses(&mut self) {
        let now_ns = clock_ns();
        while let Some(id) = self.addresses.pop(now_ns) {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            self.sockets.remove(id);
            // Without a new socket or address the transport is mute, and counts as lost when its consent runs out.
            if self.sockets.add(entry.route).is_ok() {
                entry.transport.address_changed(now_ns);
                entry.schedule(id, now_ns, Instant::now(), &mut self.timers);
            }
        }
    }

    fn timers(&mut self) {
        loop {
            let (now_ns, instant) = (clock_ns(), Instant::now());
            let mut due = [None; TIMERS_AT_ONCE];
            for place in &mut due {
                let next = self.timers.peek().copied().filter(|Reverse((at, _))| *at <= now_ns);
                let Some(Reverse(next)) = next else { break };
                self.timers.pop();
                *place = Some(next);
            }
            let due = due.into_iter().map_while(|due| due);
            if due.clone().next().is_none() {
                return;
            }
            self.entries.expect(due.clone().map(|(_, id)| id));
            for (at, id) in due {
                let Self { entries, timers, outbox, measure, shared, options, identity, .. } = self;
                let Some(entry) = entries.get_mut(id).filter(|entry| entry.scheduled_ns == at) else {
                    continue;
                };
                let mut context =
                    Context { now_ns, instant, transport: id, outbox, measure, identity, options, shared };
                let outcome = entry.transport.handle_timeout(&mut context);
                entry.tell(outcome);
                entry.scheduled_ns = u64::MAX;
                entry.schedule(id, now_ns, instant, timers);
                if self.outbox.is_due() {
                    self.flush();
                }
            }
        }
    }

    fn reschedule(&mut self, id: u32, now_ns: u64, instant: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.schedule(id, now_ns, instant, &mut self.timers);
        }
    }

    fn flush(&mut self) {
        if let Some([_, from_clients]) = &mut self.impaired {
            let now_ns = clock_ns();
            for train in self.outbox.trains() {
                let packets = self.outbox.bytes(train).chunks(train.segment);
                packets.for_each(|packet| from_clients.put(train.transport, packet, now_ns));
            }
            self.outbox.clear();
            while let Some(sent) = from_clients.pop(now_ns) {
                self.outbox.packet(sent.transport, |to| {
                    to.get_mut(..sent.bytes.len())?.copy_from_slice(&sent.bytes);
                    Some(sent.bytes.len())
                });
            }
        }
        let stamped_ns = self.outbox.stamped_ns();
        self.measure.counters.refused_by_kernel += self.sockets.send(&mut self.outbox);
        if let Some(stamped_ns) = stamped_ns {
            self.measure.handover_ns.saturating_record(clock_ns().saturating_sub(stamped_ns).max(1));
        }
    }
}

/// A measure with how long it took since `begin`, which begins anew.
fn window(measure: Measure, begin: &mut (u64, u64), now_ns: u64) -> Window {
    let cpu_ns = usage::thread_cpu_ns();
    let (wall_begin, cpu_begin) = std::mem::replace(begin, (now_ns, cpu_ns));
    Window { measure, wall_ns: now_ns.saturating_sub(wall_begin), cpu_ns: cpu_ns.saturating_sub(cpu_begin) }
}

/// Hands datagrams to their transports, or to a bad network.
struct Taking<'a> {
    entries: &'a mut Entries,
    timers: &'a mut Timers,
    impaired: &'a mut Option<[Impaired; 2]>,
    context: Context<'a>,
}

impl Take for Taking<'_> {
    fn expect(&mut self, transports: impl Iterator<Item = u32> + Clone) {
        self.entries.expect(transports);
    }

    fn take(&mut self, transport: u32, datagram: &mut [u8], arrival: Arrival) {
        self.context.measure.counters.unnoted += u64::from(!arrival.is_noted);
        if let Some([to_clients, _]) = self.impaired {
            return to_clients.put(transport, datagram, arrival.at_ns);
        }
        let Some(entry) = self.entries.get_mut(transport) else { return };
        self.context.transport = transport;
        entry.take(datagram, arrival.at_ns, &mut self.context, self.timers);
    }
}
