//! A shard and its clients in virtual time, without a socket: someone else's DTLS, our SRTP, checks built by hand.
#![allow(dead_code, reason = "each test file uses its part of it")]

pub mod client;
pub mod payload;
pub mod stun;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use media_engine::{
    Config, Engine,
    api::{Command, Datagram, Event, Join, LeaveReason, MediaParams, Renegotiate, TransmitBuffer},
    rtp::NtpTime,
    transport::dtls::Identity,
};
use media_model::{ConsultId, ParticipantNumber, ShardId, Source, TransportId};

pub use client::{Client, Received};

/// The server's only address.
pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A shard with its clients.
pub struct World {
    pub engine: Engine,
    pub now: Instant,
    pub start: Instant,
    pub clients: Vec<Client>,
    pub events: Vec<Event>,
    out: TransmitBuffer,
}

impl World {
    pub fn new() -> Self {
        Self::with_buffer(TransmitBuffer::new(1 << 20, 1_024))
    }

    pub fn with_buffer(out: TransmitBuffer) -> Self {
        let now = Instant::now() + Duration::from_secs(1_000);
        let config = Config {
            epoch: (now, NtpTime::from_unix(Duration::from_secs(1_800_000_000))),
            seed: 7,
            identity: Arc::new(Identity::generate()),
            shard: ShardId(0),
        };
        Self { engine: Engine::new(config), now, start: now, clients: Vec::new(), events: Vec::new(), out }
    }

    /// Everybody in one consult, connected, with events drained.
    pub fn with_participants(count: u32) -> Self {
        Self::new().fill(count)
    }

    /// So many more, connected.
    pub fn fill(mut self, count: u32) -> Self {
        for number in 1..=count {
            self.join(number, true);
        }
        for index in 0..self.clients.len() {
            self.connect(index);
        }
        self
    }

    /// Many consults of so many each, connected: client `n` is in consult `n / size`.
    pub fn with_consults(count: u32, size: u32) -> Self {
        let mut world = Self::new();
        for consult in 0..count {
            for number in 1..=size {
                let mut id = [0; 16];
                id[..4].copy_from_slice(&consult.to_be_bytes());
                let index = world.join_consult(ConsultId::from_bytes(id), number, true);
                world.connect(index);
            }
            // Their consent must not expire while the others join.
            if consult % 10 == 9 {
                (0..world.clients.len()).for_each(|index| world.check(index));
            }
        }
        world
    }

    /// Sends a join; the client's index.
    pub fn join(&mut self, number: u32, admitted: bool) -> usize {
        self.join_consult(ConsultId::from_bytes([9; 16]), number, admitted)
    }

    fn join_consult(&mut self, consult: ConsultId, number: u32, admitted: bool) -> usize {
        let index = self.clients.len();
        let client = Client::new(index, self.now);
        let join = Join {
            transport: TransportId(index as u64),
            consult,
            participant: ParticipantNumber::new(number).unwrap(),
            admitted,
            ice_local: client.ice_server.clone(),
            ice_remote: client.ice_client.clone(),
            fingerprint: client.fingerprint(),
            media: client.media(),
        };
        self.clients.push(client);
        self.command(Command::Join(Box::new(join)));
        index
    }

    /// ICE and DTLS.
    pub fn connect(&mut self, index: usize) {
        self.check(index);
        for _ in 0..20 {
            if self.clients[index].is_connected() {
                return;
            }
            self.advance(50);
        }
        panic!("client {index} is not connected: {:?}", self.events);
    }

    /// A connectivity check from where the client is now.
    pub fn check(&mut self, index: usize) {
        let mut request = self.clients[index].check();
        let from = self.clients[index].address;
        self.datagram(from, &mut request);
    }

    pub fn command(&mut self, command: Command) {
        self.engine.handle_command(self.now, command, &mut self.out);
        self.deliver();
    }

    pub fn renegotiate(&mut self, index: usize, media: MediaParams) {
        let transport = TransportId(index as u64);
        self.command(Command::Renegotiate(Box::new(Renegotiate { transport, ice: None, media })));
    }

    pub fn mute(&mut self, index: usize, source: Source, muted: bool) {
        self.command(Command::Mute { transport: TransportId(index as u64), source, muted });
    }

    pub fn datagram(&mut self, from: SocketAddr, data: &mut [u8]) {
        self.engine.handle_datagram(self.now, Datagram { remote: from, local: SERVER, data }, &mut self.out);
        self.deliver();
    }

    /// A client's media packet, sealed.
    pub fn send(&mut self, index: usize, source: Source, sequence: u64, timestamp: u32, payload: &[u8]) {
        let mut packet = self.clients[index].packet(source, sequence, timestamp, payload);
        let from = self.clients[index].address;
        self.datagram(from, &mut packet);
    }

    /// A client's RTCP compound, sealed.
    pub fn send_rtcp(&mut self, index: usize, plain: &[u8]) {
        let mut packet = self.clients[index].seal_rtcp(plain);
        let from = self.clients[index].address;
        self.datagram(from, &mut packet);
    }

    /// Lets time pass, and the engine do what becomes due.
    pub fn advance(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        let mut rounds = 0;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now, &mut self.out);
            self.deliver();
            rounds += 1;
            assert!(rounds < 5_000, "the engine does not come to rest");
        }
        self.now = until;
        for index in 0..self.clients.len() {
            self.clients[index].handle_timeout(self.now);
            self.flush(index);
        }
    }

    pub fn left(&self, index: usize) -> Option<LeaveReason> {
        self.events.iter().find_map(|event| match event {
            Event::Left(TransportId(id), reason) if *id == index as u64 => Some(*reason),
            _ => None,
        })
    }

    /// What reached a client since the last time.
    pub fn take(&mut self, index: usize) -> Vec<Received> {
        std::mem::take(&mut self.clients[index].received)
    }

    /// Only the packets of one slot stream.
    pub fn take_of(&mut self, index: usize, ssrc: u32) -> Vec<Received> {
        self.take(index).into_iter().filter(|r| r.header.ssrc == ssrc).collect()
    }

    fn deliver(&mut self) {
        let sent: Vec<_> = self.out.iter().map(|(to, bytes)| (to.remote, bytes.to_vec())).collect();
        self.out.clear();
        while let Some(event) = self.engine.poll_event() {
            self.events.push(event);
        }
        for (to, bytes) in sent {
            if let Some(index) = self.clients.iter().position(|c| c.address == to) {
                self.clients[index].handle(self.now, &bytes);
                self.flush(index);
            }
        }
    }

    fn flush(&mut self, index: usize) {
        while let Some(mut datagram) = self.clients[index].poll_transmit() {
            let from = self.clients[index].address;
            self.datagram(from, &mut datagram);
        }
    }
}
