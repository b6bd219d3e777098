//! Who may connect, from where, for how long; and what nonsense on the port does to a running consult.

mod support;

use media_engine::{
    DropReason,
    api::{Command, Event, IceCredentials, LeaveReason, Renegotiate},
};
use media_model::{Source, TransportId};
use support::{World, client::slot_ssrc, payload::opus, stun};

#[test]
fn another_certificate_than_the_offer_named_is_shown_out() {
    let mut world = World::new();
    world.join(1, true);
    let impostor = world.join(2, true);
    let stolen = world.clients[0].ice_server.clone();
    // The second client speaks as the first one, with a certificate of its own.
    world.clients[impostor].ice_server = stolen;
    world.clients[impostor].ice_client = world.clients[0].ice_client.clone();
    world.check(impostor);
    for _ in 0..20 {
        world.advance(50);
    }
    assert_eq!(world.left(0), Some(LeaveReason::FingerprintMismatch));
    assert!(!world.events.contains(&Event::Connected(TransportId(0))));
}

#[test]
fn who_never_connects_is_gone_after_thirty_seconds() {
    let mut world = World::new();
    world.join(1, true);
    world.advance(29_990);
    assert_eq!(world.left(0), None);
    world.advance(20);
    assert_eq!(world.left(0), Some(LeaveReason::ConnectTimeout));
    assert_eq!(world.engine.poll_timeout().filter(|due| *due < world.now), None);
}

#[test]
fn consent_lasts_thirty_seconds_from_the_last_check() {
    let mut world = World::with_participants(1);
    world.advance(25_000);
    world.check(0);
    world.advance(29_000);
    assert_eq!(world.left(0), None);
    world.advance(1_100);
    assert_eq!(world.left(0), Some(LeaveReason::ConsentExpired));
}

#[test]
fn a_client_that_moves_goes_on_without_a_new_join() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Microphone, 1, 0, &opus(1));
    world.clients[1].address = ([203, 0, 113, 7], 5_555).into();
    world.check(1);
    world.send(0, Source::Microphone, 2, 960, &opus(2));
    world.send(1, Source::Microphone, 1, 0, &opus(3));
    let heard = world.take_of(1, slot_ssrc(0));
    assert_eq!(heard.iter().map(|p| p.payload[1]).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(world.take_of(0, slot_ssrc(0)).len(), 1);
}

#[test]
fn a_client_with_many_addresses_keeps_the_one_in_use() {
    let mut world = World::with_participants(2);
    let (server, client) = (world.clients[1].ice_server.clone(), world.clients[1].ice_client.clone());
    for port in 1..=20 {
        let mut probe = stun::probe(&server, &client, [port as u8; 12], stun::CONTROLLING);
        world.datagram(([203, 0, 113, 7], port).into(), &mut probe);
    }
    world.send(1, Source::Microphone, 1, 0, &opus(3));
    world.send(0, Source::Microphone, 1, 0, &opus(1));
    assert_eq!((world.take(0).len(), world.take(1).len()), (1, 1));
}

#[test]
fn an_address_whose_check_was_refused_stays_with_whom_it_belongs_to() {
    let mut world = World::with_participants(2);
    // The first client, behind the second one's address, is told of its mistaken role.
    let (server, client) = (world.clients[0].ice_server.clone(), world.clients[0].ice_client.clone());
    let from = world.clients[1].address;
    let mut good = stun::probe(&server, &client, [7; 12], stun::CONTROLLING);
    world.datagram(([203, 0, 113, 7], 9).into(), &mut good);
    let mut refused = stun::probe(&server, &client, [8; 12], stun::CONTROLLED);
    world.datagram(from, &mut refused);
    world.send(1, Source::Microphone, 1, 0, &opus(3));
    assert_eq!(world.take(0).len(), 1);
}

#[test]
fn nothing_is_looked_at_from_an_address_that_passed_no_check() {
    let mut world = World::with_participants(2);
    let mut packet = world.clients[0].packet(Source::Microphone, 1, 0, &opus(1));
    world.datagram(([203, 0, 113, 9], 1).into(), &mut packet.clone());
    assert!(world.take(1).is_empty());
    assert_eq!(world.engine.counters().dropped_for(DropReason::AddressUnknown), 1);
    let from = world.clients[0].address;
    world.datagram(from, &mut packet);
    assert_eq!(world.take(1).len(), 1);
}

#[test]
fn media_goes_on_through_an_ice_restart() {
    let mut world = World::with_participants(2);
    let fresh = |side: &str| IceCredentials {
        ufrag: format!("{side}-new").into(),
        password: format!("{side}-new-password-long-enough").into(),
    };
    let (server, client) = (fresh("serv"), fresh("clie"));
    let media = world.clients[1].media();
    world.command(Command::Renegotiate(Box::new(Renegotiate {
        transport: TransportId(1),
        ice: Some((server.clone(), client.clone())),
        media,
    })));
    world.send(0, Source::Microphone, 1, 0, &opus(1));
    assert_eq!(world.take(1).len(), 1, "the old pair serves until the new one does");
    let old = (world.clients[1].ice_server.clone(), world.clients[1].ice_client.clone());
    (world.clients[1].ice_server, world.clients[1].ice_client) = (server, client);
    world.clients[1].address = ([203, 0, 113, 8], 6_000).into();
    world.check(1);
    world.send(0, Source::Microphone, 2, 960, &opus(2));
    assert_eq!(world.take(1).len(), 1);
    let mut stale = stun::check(&old.0, &old.1, [9; 12]);
    world.datagram(([203, 0, 113, 10], 6_000).into(), &mut stale);
    assert_eq!(world.engine.counters().dropped_for(DropReason::StunUnknownUser), 1);
}

#[test]
fn random_truncated_and_damaged_datagrams_change_nothing() {
    let mut world = World::with_participants(2);
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let before = world.engine.counters().clone();
    for round in 0..20_000_u64 {
        let from = world.clients[(round % 2) as usize].address;
        let good = world.clients[0].packet(Source::Microphone, 1_000, 0, &opus(1));
        let mut datagram: Vec<u8> = match round % 3 {
            0 => (0..random() % 120).map(|_| random() as u8).collect(),
            1 => good[..random() as usize % good.len()].to_vec(),
            _ => {
                let mut damaged = good;
                let at = random() as usize % damaged.len();
                damaged[at] ^= 1 << (random() % 8);
                damaged
            }
        };
        world.datagram(from, &mut datagram);
    }
    let after = world.engine.counters();
    assert_eq!(after.rtp_received, before.rtp_received);
    assert!(world.left(0).is_none() && world.left(1).is_none());
    world.send(0, Source::Microphone, 1, 0, &opus(7));
    assert_eq!(world.take(1).len(), 1);
}
