//! Virtual time: the engine, the clients, and what is on its way between them.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use media_engine::{
    Config, Counters, Engine,
    api::{Command, Datagram, Event, Join, Renegotiate, TransmitBuffer},
    rtp::NtpTime,
    transport::dtls::Identity,
};
use media_model::{ConsultId, ShardId, TransportId};

use crate::{
    Client, ClientClock, Conditions, Random,
    network::{Busy, Network},
};

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 7_000);
const CONSULT: ConsultId = ConsultId::from_bytes([7; 16]);

/// One consult on one shard, and everything around it.
pub struct World {
    seed: u64,
    random: Random,
    begin: Instant,
    now: Instant,
    engine: Engine,
    buffer: TransmitBuffer,
    network: Network,
    /// What the ways to and from the server are like.
    pub conditions: Conditions,
    /// Everyone who ever joined, in that order.
    pub clients: Vec<Client>,
    /// What the engine told, layouts aside.
    pub events: Vec<Event>,
    transports: u64,
}

impl World {
    /// An empty consult. The seed is printed, which is what a failing test shows.
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        println!("seed {seed}");
        let begin = Instant::now() + Duration::from_secs(86_400);
        let config = Config {
            epoch: (begin, NtpTime::from_unix(Duration::from_secs(1_800_000_000))),
            seed,
            identity: Arc::new(Identity::generate()),
            shard: ShardId(0),
        };
        Self {
            seed,
            random: Random::new(seed),
            begin,
            now: begin,
            engine: Engine::new(config),
            buffer: TransmitBuffer::new(1 << 20, 1_024),
            network: Network::new(seed ^ 0xabcd),
            conditions,
            clients: Vec::new(),
            events: Vec::new(),
            transports: 0,
        }
    }

    /// Since the world began.
    pub fn elapsed(&self) -> Duration {
        self.now - self.begin
    }

    /// The time in it.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What the engine counted.
    pub fn counters(&self) -> &Counters {
        self.engine.counters()
    }

    /// Somebody joins with so many slot pairs; their place in [`World::clients`].
    pub fn join(&mut self, number: u32, clock: ClientClock, slots: u8, admitted: bool) -> usize {
        self.transports += 1;
        let seed = self.random.bits();
        let client = Client::new(number, self.transports, clock, slots, seed, self.begin, self.now);
        let join = Join {
            transport: client.transport,
            consult: CONSULT,
            participant: client.participant,
            admitted,
            ice_local: client.ice_remote.clone(),
            ice_remote: client.ice_local.clone(),
            fingerprint: client.identity.fingerprint(),
            media: client.media_params(),
        };
        self.clients.push(client);
        self.command(Command::Join(Box::new(join)));
        self.clients.len() - 1
    }

    /// Somebody closes the tab: the control plane says so, and the client sends nothing any more.
    pub fn leave(&mut self, place: usize) {
        let transport = self.clients[place].transport;
        self.clients[place].gone = true;
        self.command(Command::Leave(transport));
    }

    /// A NAT gives the client another address and port, without telling.
    pub fn rebind(&mut self, place: usize) {
        let port = self.clients[place].address.port() + 1;
        self.clients[place].address.set_port(port);
    }

    /// The client offers again with new ICE credentials.
    pub fn restart_ice(&mut self, place: usize) {
        let client = &mut self.clients[place];
        client.restart_ice(self.now);
        let renegotiate = Renegotiate {
            transport: client.transport,
            ice: Some((client.ice_remote.clone(), client.ice_local.clone())),
            media: client.media_params(),
        };
        self.command(Command::Renegotiate(Box::new(renegotiate)));
    }

    /// Asks something of the engine.
    pub fn command(&mut self, command: Command) {
        self.engine.handle_command(self.now, command, &mut self.buffer);
        self.flush();
    }

    /// A datagram from anywhere, straight into the engine.
    pub fn inject(&mut self, from: SocketAddr, data: &mut [u8]) {
        let datagram = Datagram { remote: from, local: SERVER.ip(), data };
        self.engine.handle_datagram(self.now, datagram, &mut self.buffer);
        self.flush();
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.next_at().filter(|at| *at <= end) {
            // What was due before now is due now.
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// Runs until `done` holds, looking every 10 ms; false when it never did within `span`.
    pub fn run_until(&mut self, span: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + span;
        while self.now < end && !done(self) {
            self.run_for(Duration::from_millis(10));
        }
        done(self)
    }

    /// What the engine told about a transport's end.
    pub fn left(&self, transport: TransportId) -> Option<&Event> {
        self.events.iter().find(|e| matches!(e, Event::Left(who, _) if *who == transport))
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn next_at(&self) -> Option<Instant> {
        let clients = self.clients.iter().filter_map(Client::poll_timeout);
        clients.chain(self.network.next_at()).chain(self.engine.poll_timeout()).min()
    }

    fn step(&mut self) {
        while let Some(mut arrived) = self.network.arrive(self.now) {
            if arrived.to == SERVER {
                let datagram = Datagram { remote: arrived.from, local: SERVER.ip(), data: &mut arrived.data };
                self.engine.handle_datagram(self.now, datagram, &mut self.buffer);
                self.flush();
                continue;
            }
            let client = self.clients.iter_mut().find(|c| c.address == arrived.to && !c.gone);
            if let Some(client) = client {
                client.handle_datagram(self.now, &mut arrived.data);
            }
        }
        if self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            self.engine.handle_timeout(self.now, &mut self.buffer);
        }
        self.flush();
        let mut out = Vec::new();
        for client in &mut self.clients {
            client.handle_timeout(self.now, &mut out);
            let up: &mut Busy = &mut client.up;
            for data in out.drain(..) {
                self.network.send(self.now, &self.conditions, up, client.address, SERVER, &data);
            }
        }
    }

    fn flush(&mut self) {
        for (transmit, data) in self.buffer.iter() {
            let mut nobody = None;
            let client = self.clients.iter_mut().find(|c| c.address == transmit.remote);
            let down = client.map_or(&mut nobody, |c| &mut c.down);
            self.network.send(self.now, &self.conditions, down, SERVER, transmit.remote, data);
        }
        self.buffer.clear();
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Layout(layout) => {
                    let of = self.clients.iter_mut().find(|c| c.transport == layout.transport);
                    of.into_iter().for_each(|c| c.set_layout(layout.clone()));
                }
                event => self.events.push(event),
            }
        }
    }
}
