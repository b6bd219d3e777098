//! Joins as clients make them: the command, a check, DTLS over the socket.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use media_engine::{
    api::{Command, Event, Join},
    transport::dtls::Identity,
};
use media_io::ShardHandle;
use media_model::{ConsultId, ParticipantNumber, TransportId};
use tokio::sync::mpsc::Receiver;

use super::sockets::{Inbox, Poll, open};
use crate::support::Client;

/// How often those who wait are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// After which a check that was not answered is sent again.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Somebody on his way in.
struct Underway {
    client: Client,
    socket: UdpSocket,
    began: Instant,
    checked: Option<Instant>,
    is_expected: bool,
    is_welcome: bool,
}

/// Somebody who is connected, by both sides' account.
pub struct Arrived {
    pub client: Client,
    pub socket: UdpSocket,
    pub transport: TransportId,
    /// From the command on.
    pub took: Duration,
}

/// Those who join a node, as many at a time as the caller invites.
pub struct Arrivals {
    shard: ShardHandle,
    events: Receiver<Event>,
    server: SocketAddr,
    poll: Poll,
    inbox: Inbox,
    /// One for everybody: what making certificates costs is nobody's question.
    identity: Arc<Identity>,
    tells_arrival: bool,
    next: u64,
    looked: Instant,
    underway: BTreeMap<u64, Underway>,
    /// Who was turned away.
    pub refused: u64,
}

impl Arrivals {
    /// Transports are numbered from `first` on. The events become the newcomers' alone.
    pub fn new(
        shard: ShardHandle,
        events: Receiver<Event>,
        first: u64,
        tells_arrival: bool,
    ) -> io::Result<Self> {
        let server = shard.candidates().first().copied().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            shard,
            events,
            server,
            poll: Poll::new()?,
            inbox: Inbox::new(),
            identity: Arc::new(Identity::generate()),
            tells_arrival,
            next: first,
            looked: Instant::now(),
            underway: BTreeMap::new(),
            refused: 0,
        })
    }

    /// Gives the events back.
    pub fn into_events(self) -> Receiver<Event> {
        self.events
    }

    /// How many are on their way.
    pub fn underway(&self) -> usize {
        self.underway.len()
    }

    /// Begins a join.
    pub fn invite(&mut self, consult: u32, participant: u32) -> io::Result<()> {
        let (number, now) = (self.next, Instant::now());
        let socket = open(self.server, self.tells_arrival)?;
        self.poll.add(&socket, number)?;
        let client = Client::with_identity(number as usize, now, self.identity.clone());
        let mut id = [0; 16];
        id[..4].copy_from_slice(&consult.to_be_bytes());
        let join = Join {
            transport: TransportId(number),
            consult: ConsultId::from_bytes(id),
            participant: ParticipantNumber::new(participant).ok_or(io::ErrorKind::InvalidInput)?,
            admitted: true,
            ice_local: client.ice_server.clone(),
            ice_remote: client.ice_client.clone(),
            fingerprint: client.fingerprint(),
            media: client.media(),
        };
        self.shard.send(Command::Join(Box::new(join))).map_err(io::Error::other)?;
        let underway =
            Underway { client, socket, began: now, checked: None, is_expected: false, is_welcome: false };
        self.underway.insert(number, underway);
        self.next += 1;
        Ok(())
    }

    /// Says goodbye for somebody.
    pub fn leave(&self, transport: TransportId) -> io::Result<()> {
        self.shard.send(Command::Leave(transport)).map_err(io::Error::other)
    }

    /// Takes everybody a step further who can go one, waiting a moment for one to come; who has arrived.
    pub fn step(&mut self) -> Vec<Arrived> {
        self.listen();
        for key in self.poll.ready(Duration::from_millis(1)) {
            let Some(one) = self.underway.get_mut(&key) else { continue };
            let (client, now) = (&mut one.client, Instant::now());
            self.inbox.receive(&one.socket, |datagram, _| client.handle(now, datagram));
            one.flush();
        }
        if self.looked.elapsed() >= LOOK_INTERVAL {
            self.looked = Instant::now();
            self.underway.values_mut().for_each(|one| one.look(self.looked));
        }
        let arrived = self.underway.extract_if(.., |_, one| one.is_welcome && one.client.is_connected());
        arrived
            .map(|(number, one)| Arrived {
                client: one.client,
                socket: one.socket,
                transport: TransportId(number),
                took: one.began.elapsed(),
            })
            .collect()
    }

    fn listen(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            match event {
                Event::Joined(TransportId(number)) => {
                    if let Some(one) = self.underway.get_mut(&number) {
                        one.is_expected = true;
                        one.look(Instant::now());
                    }
                }
                Event::Connected(TransportId(number)) => {
                    if let Some(one) = self.underway.get_mut(&number) {
                        one.is_welcome = true;
                    }
                }
                Event::Refused(TransportId(number), _) | Event::Left(TransportId(number), _) => {
                    self.refused += u64::from(self.underway.remove(&number).is_some());
                }
                Event::Layout(_) | Event::ReofferNeeded(..) | Event::Measured(..) => {}
            }
        }
    }
}

impl Underway {
    /// Repeats what was lost, if anything was.
    fn look(&mut self, now: Instant) {
        let is_due = self.checked.is_none_or(|at| now.duration_since(at) >= CHECK_INTERVAL);
        if self.is_expected && self.client.stun_answers == 0 && is_due {
            self.checked = Some(now);
            let _ = self.socket.send(&self.client.check());
        }
        self.client.handle_timeout(now);
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.client.poll_transmit() {
            let _ = self.socket.send(&datagram);
        }
    }
}
