//! A node with real engines on real sockets: what a flood does to it, and how it says goodbye.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use media_engine::{
    DropReason,
    api::{Command, Event, IceCredentials, Join, LeaveReason, MediaParams},
    transport::dtls::{DtlsClient, DtlsEvent, Identity},
};
use media_io::{Advertise, Config, MediaNode, ShardHandle};
use media_model::{ConsultId, ParticipantNumber, TransportId};
use rtc_stun::{
    attributes as attr,
    crypto::default_provider,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId},
    textattrs::TextAttribute,
};
use tokio::sync::mpsc::Receiver;

const TRANSPORT: TransportId = TransportId(1);
const PASSWORD: &str = "a password of the server";
const PATIENCE: Duration = Duration::from_secs(10);

/// A node of one shard with one transport, and the client's socket.
struct Fixture {
    node: MediaNode,
    events: Receiver<Event>,
    shard: ShardHandle,
    client: UdpSocket,
    server: SocketAddr,
}

fn fixture(client_identity: &Identity) -> Fixture {
    let config = Config {
        shards: 1,
        port: 0,
        bind_v4: Some(Ipv4Addr::LOCALHOST),
        bind_v6: None,
        advertise: Advertise::Bound,
        identity: Arc::new(Identity::generate()),
        pin_shards: false,
    };
    let (node, mut events) = MediaNode::start(config).unwrap();
    let consult = ConsultId::from_bytes([7; 16]);
    let shard = node.place(consult).unwrap();
    let join = Join {
        transport: TRANSPORT,
        consult,
        participant: ParticipantNumber::new(1).unwrap(),
        admitted: true,
        ice_local: IceCredentials { ufrag: "server".into(), password: PASSWORD.into() },
        ice_remote: IceCredentials { ufrag: "client".into(), password: "a password of the client".into() },
        fingerprint: client_identity.fingerprint(),
        media: MediaParams { cname: "cname".into(), ..MediaParams::default() },
    };
    shard.send(Command::Join(Box::new(join))).unwrap();
    assert_eq!(events.blocking_recv(), Some(Event::Joined(TRANSPORT)));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let server = shard.candidates()[0];
    Fixture { node, events, shard, client, server }
}

fn check() -> Vec<u8> {
    let provider = default_provider().unwrap();
    let use_candidate = attr::RawAttribute { typ: attr::ATTR_USE_CANDIDATE, length: 0, value: vec![] };
    let setters: [Box<dyn Setter>; 5] = [
        Box::new(TransactionId::new()),
        Box::new(BINDING_REQUEST),
        Box::new(TextAttribute::new(attr::ATTR_USERNAME, "server:client".to_owned())),
        Box::new(use_candidate),
        Box::new(attr::RawAttribute { typ: attr::ATTR_PRIORITY, length: 4, value: vec![1; 4] }),
    ];
    let mut message = Message::new();
    message.build(&setters).unwrap();
    let integrity =
        MessageIntegrity::new_short_term_integrity_with_provider(PASSWORD.to_owned(), provider.crypto());
    integrity.add_to(&mut message).unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

impl Fixture {
    /// Sends checks until one is answered, as a client does.
    fn is_answered(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.client.send_to(&check(), self.server).unwrap();
            let mut bytes = [0; 1500];
            while let Ok(length) = self.client.recv(&mut bytes) {
                let mut answer = Message::new();
                if answer.unmarshal_binary(&bytes[..length]).is_ok() && answer.typ == BINDING_SUCCESS {
                    return true;
                }
            }
        }
        false
    }

    fn dropped(&self) -> u64 {
        self.shard.counters().dropped.iter().sum()
    }
}

#[test]
fn a_flood_of_random_and_truncated_datagrams_changes_nothing() {
    let mut fixture = fixture(&Identity::generate());
    assert!(fixture.is_answered());
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let good = check();
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let begun = Instant::now();
    for round in 0..100_000_u64 {
        let mut datagram = match round % 4 {
            0 => good[..random() as usize % good.len()].to_vec(),
            // A whole check, damaged in one place.
            1 => {
                let mut damaged = good.clone();
                damaged[random() as usize % good.len()] ^= 1 << (random() % 8);
                damaged
            }
            _ => (0..random() as usize % 300).map(|_| random() as u8).collect(),
        };
        // What looks like DTLS, RTP or RTCP gets further than other noise.
        if round % 4 == 2 && !datagram.is_empty() {
            datagram[0] = [20, 22, 23, 128, 144][random() as usize % 5];
        }
        // From the address of the client too: whoever is on the path can do that.
        let socket = if random() % 2 == 0 { &stranger } else { &fixture.client };
        // The kernel may refuse what its buffers have no room for.
        let _ = socket.send_to(&datagram, fixture.server);
    }
    let elapsed = begun.elapsed();
    assert!(fixture.is_answered());
    let counters = fixture.shard.counters();
    println!("{} of 100000 datagrams taken in and dropped within {elapsed:?}", fixture.dropped());
    assert!(fixture.dropped() > 10_000);
    assert!(counters.dropped_for(DropReason::AddressUnknown) > 0);
    assert_eq!((counters.transports, counters.handshakes, counters.rtp_received), (1, 0, [0, 0]));
    assert_eq!(fixture.node.restarts(), 0);
    let connected_or_gone = std::iter::from_fn(|| fixture.events.try_recv().ok())
        .find(|event| matches!(event, Event::Left(..) | Event::Connected(_) | Event::Refused(..)));
    assert_eq!(connected_or_gone, None);
}

#[test]
fn shutdown_closes_the_association_of_everyone_connected() {
    let identity = Arc::new(Identity::generate());
    let mut fixture = fixture(&identity);
    assert!(fixture.is_answered());
    let mut dtls = DtlsClient::new(&identity, Instant::now());
    let mut shut_down = false;
    let begun = Instant::now();
    let closed = loop {
        assert!(begun.elapsed() < PATIENCE, "neither connected nor closed");
        while let Some(datagram) = dtls.poll_transmit() {
            fixture.client.send_to(&datagram, fixture.server).unwrap();
        }
        let mut bytes = [0; 1500];
        if let Ok(length) = fixture.client.recv(&mut bytes)
            && bytes[0] >= 20
        {
            let _ = dtls.handle_datagram(Instant::now(), &bytes[..length]);
        }
        if dtls.poll_timeout().is_some_and(|at| at <= Instant::now()) {
            dtls.handle_timeout(Instant::now()).unwrap();
        }
        if !shut_down && matches!(fixture.events.try_recv(), Ok(Event::Connected(TRANSPORT))) {
            fixture.node.shutdown();
            shut_down = true;
        }
        if let Some(DtlsEvent::Closed) = dtls.poll_event() {
            break shut_down;
        }
    };
    assert!(closed && !fixture.node.is_running());
    let left = std::iter::from_fn(|| fixture.events.try_recv().ok())
        .any(|event| event == Event::Left(TRANSPORT, LeaveReason::Requested));
    assert!(left);
}
