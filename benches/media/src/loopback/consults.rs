//! Consults that talk, in real time.

use std::{
    io,
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use media_model::Source;

use super::{
    arrivals::{Arrivals, Arrived},
    peer::{FloorPeer, NodePeer, Peer},
    server::{Floor, Node},
    sockets::{Inbox, Poll, clock_ns, open},
    thread_clock::ThreadClock,
};
use crate::{Case, Pace};

/// What is repeated: whole periods of every flow.
const SLICE: Duration = Duration::from_millis(80);
/// How often the clients wake.
const TICK: Duration = Duration::from_micros(250);
/// How long the last packets may take.
const PATIENCE: Duration = Duration::from_millis(30);
const REGISTRATION_PATIENCE: Duration = Duration::from_secs(2);
/// Joins at a time, while nothing else goes on.
const UNDERWAY: usize = 16;

/// Packets of one kind from one participant.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// Microphone or camera.
    pub source: Source,
    /// Of each packet.
    pub payload_bytes: usize,
    /// Packets that are sent together.
    pub burst: usize,
    /// From one burst to the next; a part of 80 ms.
    pub every: Duration,
}

/// 50 packets a second.
pub const SOUND: Flow =
    Flow { source: Source::Microphone, payload_bytes: 120, burst: 1, every: Duration::from_millis(20) };

/// 100 packets a second, four at a time.
pub const PICTURES: Flow =
    Flow { source: Source::Camera, payload_bytes: 1_100, burst: 4, every: Duration::from_millis(40) };

/// Who talks to whom.
#[derive(Debug, Clone)]
pub struct Shape {
    /// How many consults.
    pub consults: u32,
    /// Participants of each.
    pub size: u32,
    /// Participants of each who send; three at most, which is how many slots everybody has.
    pub publishers: u32,
    /// What each of them sends.
    pub flows: Vec<Flow>,
}

impl Shape {
    fn people(&self) -> usize {
        (self.consults * self.size) as usize
    }

    /// What is sent in a slice, in order. Everyone begins at another moment, so that nobody's packets meet another's.
    fn plan(&self) -> Vec<Sending> {
        let publishers: Vec<usize> =
            (0..self.people()).filter(|n| *n as u32 % self.size < self.publishers).collect();
        let count = publishers.len() as u32;
        let mut plan = Vec::new();
        for (place, flow) in self.flows.iter().enumerate() {
            for (nth, peer) in publishers.iter().enumerate() {
                // Shares no factor with most numbers of people, so that pictures come in another order than sound.
                let nth = nth as u32 * if place == 0 { 1 } else { 7 } % count;
                let times = (SLICE.as_nanos() / flow.every.as_nanos()) as u32;
                plan.extend((0..times).map(|time| Sending {
                    at: flow.every * time + flow.every * nth / count,
                    peer: *peer,
                    flow: *flow,
                }));
            }
        }
        plan.sort_by_key(|sending| sending.at);
        plan
    }
}

/// What the server's thread spent while some time passed.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// On its core.
    pub cpu: Duration,
    /// Waiting for others to leave its core.
    pub waited: Duration,
    /// That passed.
    pub time: Duration,
}

impl Spent {
    /// Of its core, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.time.as_secs_f64()
    }
}

#[derive(Clone, Copy)]
struct Sending {
    at: Duration,
    peer: usize,
    flow: Flow,
}

/// Everybody's ends, and the server that they talk to.
pub struct Consults<P, S> {
    server: S,
    clock: ThreadClock,
    peers: Vec<P>,
    sockets: Vec<UdpSocket>,
    poll: Poll,
    inbox: Inbox,
    fan_out: usize,
    plan: Vec<Sending>,
    /// Packets of media that came.
    received: u64,
    /// Since the last call of [`Self::take_delays`], in ns; kept where the sockets tell arrivals.
    delays: Vec<u32>,
}

impl Consults<NodePeer, Node> {
    /// A node of its own, and everybody connected. With `tells_arrival`, delays are taken.
    ///
    /// # Errors
    /// What the system said.
    pub fn on_node(shape: &Shape, tells_arrival: bool) -> io::Result<Self> {
        let mut node = Node::start()?;
        let events = node.events.take().ok_or(io::ErrorKind::NotConnected)?;
        let mut arrivals = Arrivals::new(node.shard().clone(), events, 0, tells_arrival)?;
        let mut arrived: Vec<Arrived> = Vec::new();
        let mut invited = (0..shape.consults).flat_map(|consult| (1..=shape.size).map(move |n| (consult, n)));
        while arrived.len() < shape.people() {
            while arrivals.underway() < UNDERWAY
                && let Some((consult, participant)) = invited.next()
            {
                arrivals.invite(consult, participant)?;
            }
            arrived.extend(arrivals.step());
            assert_eq!(arrivals.refused, 0, "nobody is turned away");
        }
        node.events = Some(arrivals.into_events());
        arrived.sort_by_key(|one| one.transport);
        let people = arrived.into_iter().enumerate();
        let (peers, sockets) = people.map(|(n, one)| (NodePeer::new(one.client, n), one.socket)).unzip();
        let clock = node.clock;
        Self::new(node, clock, peers, sockets, shape)
    }

    /// The node.
    pub(super) fn node(&mut self) -> &mut Node {
        &mut self.server
    }
}

impl Consults<FloorPeer, Floor> {
    /// A floor of its own, and everybody registered.
    ///
    /// # Errors
    /// What the system said.
    pub fn on_floor(shape: &Shape) -> io::Result<Self> {
        let floor = Floor::start()?;
        let (mut peers, mut sockets) = (Vec::new(), Vec::new());
        for number in 0..shape.people() as u32 {
            let (peer, socket) = (FloorPeer::new(number), open(floor.address, false)?);
            socket.set_nonblocking(false)?;
            socket.set_read_timeout(Some(REGISTRATION_PATIENCE))?;
            peer.register(&socket, shape.size)?;
            socket.recv(&mut [0; 16])?;
            socket.set_nonblocking(true)?;
            peers.push(peer);
            sockets.push(socket);
        }
        let clock = floor.clock;
        Self::new(floor, clock, peers, sockets, shape)
    }
}

impl<P: Peer, S> Consults<P, S> {
    fn new(
        server: S,
        clock: ThreadClock,
        peers: Vec<P>,
        sockets: Vec<UdpSocket>,
        shape: &Shape,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (key, socket) in (0..).zip(&sockets) {
            poll.add(socket, key)?;
        }
        let (fan_out, plan) = (shape.size as usize - 1, shape.plan());
        let (inbox, received, delays) = (Inbox::new(), 0, Vec::new());
        let mut consults =
            Self { server, clock, peers, sockets, poll, inbox, fan_out, plan, received, delays };
        // Until lists and caches have taken their memory and everybody has seen a key frame.
        for _ in 0..3 {
            consults.run();
        }
        let before = consults.received;
        consults.run();
        assert_eq!(consults.received - before, consults.units(), "every packet reaches everyone");
        consults.delays.clear();
        Ok(consults)
    }

    /// Talks for so long, a slice more at most.
    pub(super) fn talk(&mut self, time: Duration) -> Spent {
        let (began, cpu, waited) = (Instant::now(), self.clock.read(), self.clock.waited());
        while began.elapsed() < time {
            self.play();
        }
        self.drain(u64::MAX);
        let (cpu, waited) = (self.clock.read() - cpu, self.clock.waited() - waited);
        Spent { cpu, waited, time: began.elapsed() }
    }

    /// Nanoseconds from a packet's sending to its arrival, since the last call. Sorted.
    pub(super) fn take_delays(&mut self) -> Vec<u32> {
        let mut delays = std::mem::take(&mut self.delays);
        delays.sort_unstable();
        delays
    }

    /// A slice, at its own pace.
    fn play(&mut self) {
        let began = Instant::now();
        for (peer, socket) in self.peers.iter_mut().zip(&self.sockets) {
            for datagram in peer.chores(began) {
                let _ = socket.send(&datagram);
            }
        }
        let mut next = 0;
        while began.elapsed() < SLICE {
            while let Some(sending) = self.plan.get(next).copied().filter(|s| s.at <= began.elapsed()) {
                next += 1;
                self.send(sending);
            }
            self.receive();
            thread::sleep(TICK);
        }
        for place in next..self.plan.len() {
            self.send(self.plan[place]);
        }
    }

    fn send(&mut self, Sending { peer, flow, .. }: Sending) {
        for _ in 0..flow.burst {
            let (now, sent_ns) = (Instant::now(), clock_ns());
            let packet = self.peers[peer].packet(flow.source, flow.payload_bytes, now, sent_ns);
            let _ = self.sockets[peer].send(&packet);
        }
    }

    fn receive(&mut self) {
        let now = Instant::now();
        for key in self.poll.ready(Duration::ZERO) {
            let peer = &mut self.peers[key as usize];
            self.inbox.receive(&self.sockets[key as usize], |datagram, arrived_ns| {
                let Some(sent_ns) = peer.take(now, datagram) else { return };
                self.received += 1;
                if arrived_ns > 0 {
                    self.delays.push(arrived_ns.saturating_sub(sent_ns) as u32);
                }
            });
        }
    }

    /// Takes in what is still on its way, until so many have come.
    fn drain(&mut self, until: u64) {
        let began = Instant::now();
        while self.received < until && began.elapsed() < PATIENCE {
            self.receive();
            thread::sleep(TICK);
        }
    }
}

impl<P: Peer, S> Case for Consults<P, S> {
    fn prepare(&mut self) {}

    fn run(&mut self) {
        let until = self.received + self.units();
        self.play();
        self.drain(until);
    }

    /// The CPU time of the server's thread. What was lost is made up for: it is the price of those that came.
    fn spend(&mut self) -> Duration {
        let (cpu, received) = (self.clock.read(), self.received);
        self.run();
        let came = (self.received - received).max(1);
        (self.clock.read() - cpu).mul_f64(self.units() as f64 / came as f64)
    }

    fn pace(&self) -> Pace {
        Pace::RealTime
    }

    fn units(&self) -> u64 {
        self.plan.iter().map(|sending| sending.flow.burst * self.fan_out).sum::<usize>() as u64
    }
}
