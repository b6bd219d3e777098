//! What joins and idle people cost a shard: a bounded step of a handshake a turn, and no wake-ups at all.

#![cfg(feature = "client")]

mod support;

use std::time::Duration;

use media_engine::{
    DropReason,
    api::{Datagram, TransmitBuffer},
};
use support::{SERVER, World};

/// Looks like a handshake record (RFC 6347 §4.1) and is none.
const NOISE: [u8; 13] = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn noise(world: &mut World, index: usize) {
    let from = world.clients[index].address;
    world.datagram(from, &mut NOISE.clone());
}

#[test]
fn handshake_datagrams_wait_and_one_is_worked_off_a_call() {
    let mut world = World::new();
    for number in 1..=3 {
        let index = world.join(number, true);
        world.check(index);
        noise(&mut world, index);
    }
    let refused = |world: &World| world.engine.counters().dropped_for(DropReason::DtlsRefused);
    assert_eq!(refused(&world), 0, "nothing is looked at while media may wait");
    // Each client's hello, and the noise behind it.
    for worked_off in 1..=6 {
        assert!(world.engine.poll_timeout().is_some_and(|due| due <= world.now), "due at once");
        let mut out = TransmitBuffer::new(1 << 16, 64);
        world.engine.handle_timeout(world.now, &mut out);
        assert_eq!((refused(&world), out.len() as u64), (worked_off / 2, worked_off % 2));
    }
    assert!(world.engine.poll_timeout().is_none_or(|due| due > world.now));
}

#[test]
fn who_sends_more_than_a_handshake_has_is_cut_short_and_does_not_crowd_out_others() {
    let mut world = World::new();
    let (loud, quiet) = (world.join(1, true), world.join(2, true));
    world.check(loud);
    world.check(quiet);
    (0..1_000).for_each(|_| noise(&mut world, loud));
    let full = world.engine.counters().dropped_for(DropReason::HandshakeQueueFull);
    assert!((990..1_000).contains(&full), "{full}");
    world.connect(quiet);
}

#[test]
fn a_check_is_answered_while_handshakes_wait() {
    let mut world = World::new();
    let index = world.join(1, true);
    world.check(index);
    (0..5).for_each(|_| noise(&mut world, index));
    let checks = world.engine.counters().stun_checks;
    let mut request = world.clients[index].check();
    let mut out = TransmitBuffer::new(1 << 16, 64);
    let datagram = Datagram { remote: world.clients[index].address, local: SERVER, data: &mut request };
    world.engine.handle_datagram(world.now, datagram, &mut out);
    assert_eq!((world.engine.counters().stun_checks - checks, out.len()), (1, 1));
}

#[test]
fn nobody_is_woken_for_the_sake_of_people_who_send_nothing() {
    let mut world = World::with_participants(3);
    world.advance(5_000);
    let due = world.engine.poll_timeout().expect("consent runs out some day");
    assert!(due > world.now + Duration::from_secs(20), "{:?}", due - world.now);
}
