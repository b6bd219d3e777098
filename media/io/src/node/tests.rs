//! A whole node with obedient engines.

use std::{net::UdpSocket, time::Duration};

use media_engine::api::LeaveReason;
use media_model::TransportId;

use super::*;
use crate::shard::tests::ObedientEngine;

fn config(shards: u16) -> Config {
    Config {
        shards,
        port: 0,
        bind_v4: Some(Ipv4Addr::LOCALHOST),
        bind_v6: Some(Ipv6Addr::LOCALHOST),
        advertise: Advertise::Bound,
        identity: identity(),
        pin_shards: false,
    }
}

fn identity() -> Arc<Identity> {
    static IDENTITY: std::sync::OnceLock<Arc<Identity>> = std::sync::OnceLock::new();
    IDENTITY.get_or_init(|| Arc::new(Identity::generate())).clone()
}

fn start(config: &Config) -> Result<(MediaNode, mpsc::Receiver<Event>), StartError> {
    MediaNode::start_with(config, |_, _| ObedientEngine::default())
}

fn consult(number: u8) -> ConsultId {
    ConsultId::from_bytes([number; 16])
}

fn echoes(shard: &ShardHandle) -> bool {
    shard.candidates().iter().all(|candidate| {
        let own = SocketAddr::new(candidate.ip(), 0);
        let client = UdpSocket::bind(own).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client.send_to(b"hello", candidate).unwrap();
        matches!(client.recv_from(&mut [0; 16]), Ok((5, from)) if from == *candidate)
    })
}

#[test]
fn every_candidate_of_every_shard_is_served() {
    let (node, _events) = start(&config(3)).unwrap();
    assert_eq!(node.shards().iter().map(|shard| shard.id().0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(node.shards().iter().all(|shard| shard.candidates().len() == 2 && echoes(shard)));
    node.shutdown();
}

#[test]
fn a_consult_keeps_its_shard_and_another_one_gets_another() {
    let (node, _events) = start(&config(2)).unwrap();
    let (first, second) = (node.place(consult(1)).unwrap(), node.place(consult(2)).unwrap());
    assert_ne!(first.id(), second.id());
    assert_eq!(node.place(consult(1)).unwrap().id(), first.id());
    node.release(consult(1));
    assert_eq!(node.place(consult(3)).unwrap().id(), first.id());
}

#[test]
fn a_fault_in_one_shard_leaves_the_others_alone() {
    let (node, mut events) = start(&config(2)).unwrap();
    let [faulty, sound] = node.shards() else { panic!("two shards") };
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"panic", faulty.candidates()[0]).unwrap();
    let restarted = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        node.restarts() == 1
    });
    assert!(restarted && echoes(sound) && echoes(faulty));
    assert!(node.is_running() && events.try_recv().is_err());
}

#[test]
fn shutdown_ends_the_consults_that_are_placed_and_then_the_threads() {
    let (node, mut events) = start(&config(1)).unwrap();
    let shard = node.place(consult(1)).unwrap();
    shard.send(Command::Leave(TransportId(5))).unwrap();
    node.shutdown();
    let left = |transport| Event::Left(TransportId(transport), LeaveReason::Requested);
    assert_eq!(events.blocking_recv(), Some(left(5)));
    assert_eq!(events.blocking_recv(), Some(left(0)));
    assert!(events.try_recv().is_err() && !node.is_running());
    assert_eq!(shard.send(Command::Leave(TransportId(6))), Err(Overloaded));
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    assert!(matches!(start(&config(0)), Err(StartError::ShardCount)));
    assert!(matches!(start(&Config { port: 65_535, ..config(2) }), Err(StartError::PortRange)));
    let nowhere = Config { bind_v4: Some(Ipv4Addr::new(192, 0, 2, 1)), ..config(1) };
    assert!(matches!(start(&nowhere), Err(StartError::Bind { port: 0, .. })));
    let unreachable = Config {
        bind_v6: None,
        advertise: Advertise::Addresses(vec!["2001:db8::1".parse().unwrap()]),
        ..config(1)
    };
    assert!(matches!(start(&unreachable), Err(StartError::NoCandidates)));
}
