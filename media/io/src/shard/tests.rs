//! A shard's thread with an engine that does what a datagram tells it to.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use media_engine::api::{Datagram, IceCredentials, Join, MediaParams, TransmitBuffer};
use media_model::ParticipantNumber;

use super::*;
use crate::socket::bind;

/// Echoes datagrams, except for a few words; answers commands with events; fails at the thirteenth transport; counts
/// its timeouts as checks.
#[derive(Default)]
pub(crate) struct ObedientEngine {
    counters: Counters,
    events: VecDeque<Event>,
    timer: Option<Instant>,
}

impl Machine for ObedientEngine {
    fn expect<'a>(&self, _: Instant, _: impl Iterator<Item = media_engine::Coming<'a>> + Clone) {}

    fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut TransmitBuffer) {
        self.counters.bytes_received += datagram.data.len() as u64;
        match &*datagram.data {
            b"panic" => panic!("as the datagram said"),
            b"slow" => thread::sleep(Duration::from_micros(500)),
            b"timer" => self.timer = Some(now + Duration::from_millis(30)),
            bytes => {
                out.push(datagram.remote, datagram.local, bytes.len(), |space| {
                    space.copy_from_slice(bytes);
                    bytes.len()
                });
            }
        }
    }

    fn handle_command(&mut self, _: Instant, command: Command, _: &mut TransmitBuffer) {
        match command {
            Command::Join(join) if join.transport == TransportId(13) => panic!("as the command said"),
            Command::Join(join) => self.events.push_back(Event::Joined(join.transport)),
            Command::Leave(transport) => {
                self.events.push_back(Event::Left(transport, LeaveReason::Requested))
            }
            Command::EndConsult(_) => {
                self.events.push_back(Event::Left(TransportId(0), LeaveReason::Requested))
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant, _: &mut TransmitBuffer) {
        if self.timer.is_some_and(|at| at <= now) {
            self.timer = None;
            self.counters.stun_checks += 1;
        }
    }

    fn withhold_video(&mut self, _: Instant, quarters: u8) {
        self.counters.keyframe_requests = quarters.into();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

struct Running {
    client: UdpSocket,
    server: SocketAddr,
    mailbox: Arc<Mailbox>,
    events: mpsc::Receiver<Event>,
    counters: Arc<Mutex<Published>>,
    thread: Option<thread::JoinHandle<()>>,
}

const ID: ShardId = ShardId(7);

fn run(events_max: usize) -> Running {
    let sockets: ShardSockets = bind(Some(Ipv4Addr::LOCALHOST), None, 0).unwrap();
    let server = ([127, 0, 0, 1], sockets.port).into();
    let (sender, events) = mpsc::channel(events_max);
    let mailbox = Arc::new(Mailbox::new().unwrap());
    let counters = Arc::<Mutex<Published>>::default();
    let shard = Shard::new(ID, sockets, mailbox.clone(), sender, counters.clone());
    let thread = Some(thread::spawn(move || shard.run(|_, _| ObedientEngine::default())));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    Running { client, server, mailbox, events, counters, thread }
}

impl Running {
    fn echoes(&self) -> bool {
        self.client.send_to(b"hello", self.server).unwrap();
        matches!(self.client.recv_from(&mut [0; 16]), Ok((5, from)) if from == self.server)
    }

    fn until(&self, condition: impl Fn(&Published) -> bool) -> bool {
        let is_true = || condition(&self.counters.lock().unwrap());
        (0..500).any(|_| {
            is_true() || {
                thread::sleep(Duration::from_millis(10));
                false
            }
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.mailbox.stop(vec![]);
        let ended = self.thread.take().map(thread::JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))));
    }
}

fn join(transport: u64) -> Command {
    let credentials = IceCredentials { ufrag: "abcd".into(), password: "0123456789012345678901".into() };
    Command::Join(Box::new(Join {
        transport: TransportId(transport),
        consult: ConsultId::from_bytes([1; 16]),
        participant: ParticipantNumber::new(1).unwrap(),
        admitted: true,
        ice_local: credentials.clone(),
        ice_remote: credentials,
        fingerprint: [0; 32],
        media: MediaParams::default(),
    }))
}

fn left(transport: u64) -> Event {
    Event::Left(TransportId(transport), LeaveReason::Requested)
}

#[test]
fn datagrams_reach_the_engine_and_its_answers_leave() {
    let shard = run(8);
    assert!(shard.echoes());
    assert!(shard.until(|published| published.counters.bytes_received == 5));
}

#[test]
fn a_command_wakes_the_thread() {
    let mut shard = run(8);
    let begun = Instant::now();
    shard.mailbox.send(Command::Leave(TransportId(1))).unwrap();
    assert_eq!(shard.events.blocking_recv(), Some(left(1)));
    assert!(begun.elapsed() < WAIT_MAX);
}

#[test]
fn no_event_is_lost_when_the_control_plane_is_slow() {
    let mut shard = run(1);
    for transport in 0..200 {
        shard.mailbox.send(Command::Leave(TransportId(transport))).unwrap();
    }
    for transport in 0..200 {
        assert_eq!(shard.events.blocking_recv(), Some(left(transport)));
    }
}

#[test]
fn timers_are_served_without_any_traffic() {
    let shard = run(8);
    shard.client.send_to(b"timer", shard.server).unwrap();
    assert!(shard.until(|published| published.counters.stun_checks == 1));
}

#[test]
fn a_shard_that_fails_tells_for_everyone_it_had_and_begins_again_on_the_same_port() {
    let mut shard = run(1);
    assert!(shard.echoes());
    for restarts in 1..=3 {
        for transport in [1, 2] {
            shard.mailbox.send(join(transport)).unwrap();
            assert_eq!(shard.events.blocking_recv(), Some(Event::Joined(TransportId(transport))));
        }
        shard.client.send_to(b"panic", shard.server).unwrap();
        for transport in [1, 2] {
            let lost = Event::Left(TransportId(transport), LeaveReason::ShardFailed);
            assert_eq!(shard.events.blocking_recv(), Some(lost));
        }
        assert!(shard.echoes());
        assert!(shard.until(|published| published.restarts == restarts));
    }
    assert!(shard.until(|published| published.counters.bytes_received >= 20), "counters go on");
    shard.mailbox.send(Command::Leave(TransportId(1))).unwrap();
    assert_eq!(shard.events.blocking_recv(), Some(left(1)));
}

#[test]
fn a_join_that_no_engine_answered_is_lost_with_a_word() {
    let mut shard = run(8);
    shard.client.send_to(b"panic", shard.server).unwrap();
    assert!(shard.until(|published| published.restarts == 1));
    // This engine fails while it carries the command out.
    shard.mailbox.send(join(13)).unwrap();
    let lost = Event::Left(TransportId(13), LeaveReason::ShardFailed);
    assert_eq!(shard.events.blocking_recv(), Some(lost));
}

#[test]
fn an_engine_that_cannot_keep_up_is_told_to_withhold_video() {
    let shard = run(8);
    let is_told =
        |published: &Published| published.load.video_withheld > 0 && published.counters.keyframe_requests > 0;
    let begun = Instant::now();
    while !is_told(&shard.counters.lock().unwrap()) && begun.elapsed() < Duration::from_secs(20) {
        // Eight times as many as it can take.
        for _ in 0..160 {
            shard.client.send_to(b"slow", shard.server).unwrap();
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert!(is_told(&shard.counters.lock().unwrap()));
}

#[test]
fn what_the_kernel_does_not_take_is_counted() {
    let shard = run(8);
    let v6: SocketAddr = "[::1]:9".parse().unwrap();
    let mut sockets: ShardSockets = bind(Some(Ipv4Addr::LOCALHOST), None, 0).unwrap();
    let mut out = TransmitBuffer::new(1000, 10);
    out.push(v6, v6.ip(), 5, |space| space.len());
    let mut refused = 0;
    carrier::flush(&mut sockets, &mut out, &mut refused);
    assert_eq!((refused, out.len()), (1, 0));
    assert!(shard.until(|published| published.counters.dropped_for(DropReason::SocketRefused) == 0));
}
