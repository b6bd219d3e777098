//! Our DTLS server against another stack's client, over a link that loses, copies, reorders and forges.

mod dtls_link;

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use dtls_link::{CLEAN, Conditions, Link, Random};
use media_engine::transport::{
    dtls::{Dtls, DtlsClient, DtlsError, DtlsEvent, Identity},
    srtp::Profile,
};

static SERVER: LazyLock<Arc<Identity>> = LazyLock::new(|| Arc::new(Identity::generate()));
static CLIENT: LazyLock<Arc<Identity>> = LazyLock::new(|| Arc::new(Identity::generate()));

/// No seed failed.
const NONE: [u64; 0] = [];
/// The time within which a handshake has to be done, however lossy the link.
const LIMIT: Duration = Duration::from_secs(10);

fn peers() -> (Dtls, DtlsClient, Instant) {
    let now = Instant::now();
    (Dtls::new(&SERVER, now), DtlsClient::seeded(&CLIENT, now, 1), now)
}

/// How many of so many handshakes did not finish in time.
fn failures(handshakes: u64, conditions: Conditions) -> Vec<u64> {
    let failed = |seed: &u64| {
        let now = Instant::now();
        let (mut server, mut client) = (Dtls::new(&SERVER, now), DtlsClient::seeded(&CLIENT, now, *seed));
        Link::new(&mut server, &mut client, now, conditions, *seed).connect(LIMIT).is_none()
    };
    (1..=handshakes).filter(failed).collect()
}

#[test]
fn both_ends_agree_on_keys_and_learn_each_others_fingerprint() {
    let (mut server, mut client, now) = peers();
    let mut link = Link::new(&mut server, &mut client, now, CLEAN, 1);
    assert_eq!(link.connect(LIMIT), Some(6 * CLEAN.delay));
    let (_, at_server) = link.server_connected.take().expect("connected");
    let (_, at_client) = link.client_connected.take().expect("connected");
    assert_eq!(at_server.fingerprint, CLIENT.fingerprint());
    assert_eq!(at_client.fingerprint, SERVER.fingerprint());
    assert_eq!(at_server.profile, at_client.profile);
    assert_eq!(at_server.keys.client_key(), at_client.keys.client_key());
    assert_eq!(at_server.keys.server_key(), at_client.keys.server_key());
    assert_eq!(at_server.keys.client_salt(), at_client.keys.client_salt());
    assert_eq!(at_server.keys.server_salt(), at_client.keys.server_salt());
    assert_ne!(at_server.keys.client_key(), at_server.keys.server_key());
}

#[test]
fn aes_128_gcm_is_chosen_although_the_client_would_rather_have_256() {
    let (mut server, mut client, now) = peers();
    let mut link = Link::new(&mut server, &mut client, now, CLEAN, 1);
    link.connect(LIMIT);
    let profile = link.client_connected.map(|(_, connected)| connected.profile);
    assert_eq!(profile, Some(Profile::AeadAes128Gcm));
}

#[test]
fn handshakes_survive_five_per_cent_of_loss() {
    assert_eq!(failures(200, Conditions { loss_percent: 5, ..CLEAN }), NONE);
}

#[test]
fn handshakes_survive_twenty_per_cent_of_loss() {
    assert_eq!(failures(200, Conditions { loss_percent: 20, ..CLEAN }), NONE);
}

#[test]
fn handshakes_survive_reordering_and_copies() {
    let jitter = Duration::from_millis(60);
    assert_eq!(failures(50, Conditions { copy_percent: 30, jitter, ..CLEAN }), NONE);
}

#[test]
fn any_single_lost_datagram_costs_little() {
    for to_server in [true, false] {
        for lost in 1..=8 {
            let (mut server, mut client, now) = peers();
            let mut link = Link::new(&mut server, &mut client, now, CLEAN, 1);
            link.lose = Box::new(move |direction, count| direction == to_server && count == lost);
            let time = link.connect(LIMIT);
            assert!(time.is_some_and(|time| time < Duration::from_secs(1)), "{to_server} {lost} {time:?}");
        }
    }
}

#[test]
fn the_last_flight_is_sent_again_to_a_client_that_lost_it() {
    let (mut server, mut client, now) = peers();
    let mut link = Link::new(&mut server, &mut client, now, CLEAN, 1);
    // HelloVerifyRequest, ServerHello…, then our Finished: lost four times over.
    link.lose = Box::new(|to_server, count| !to_server && (3..=6).contains(&count));
    assert!(link.connect(LIMIT).is_some());
    let server_at = link.server_connected.as_ref().map(|(at, _)| *at);
    let client_at = link.client_connected.as_ref().map(|(at, _)| *at);
    assert!(client_at > server_at);
}

#[test]
fn a_client_hello_in_one_piece_is_as_good() {
    assert_eq!(failures(3, Conditions { split_hello: false, ..CLEAN }), NONE);
}

#[test]
fn garbage_and_cut_datagrams_change_nothing() {
    let (mut server, mut client, now) = peers();
    let mut random = Random::new(7);
    let mut refused = 0;
    let mut transmitted = 0;
    while let Some(mut hello) = client.poll_transmit() {
        for length in 0..hello.len() {
            refused += usize::from(server.handle_datagram(now, &hello[..length]) == Err(DtlsError::Refused));
        }
        hello[0] = 99;
        assert_eq!(server.handle_datagram(now, &hello), Err(DtlsError::Refused));
    }
    for round in 0..20_000 {
        let length = random.next() as usize % 200;
        let mut datagram = random.bytes(length);
        if round % 2 == 0 && datagram.len() > 25 {
            // A record's header and a fragment's, so that more of it is looked at.
            datagram[..5].copy_from_slice(&[
                20 + (round % 8 / 2) as u8,
                254,
                253,
                0,
                (round % 3 == 0).into(),
            ]);
            let payload = (datagram.len() - 13) as u16;
            datagram[11..13].copy_from_slice(&payload.to_be_bytes());
            datagram[14..22].copy_from_slice(&[0, 32, 0, 0, (round % 5) as u8, 0, 0, 0]);
        }
        if server.handle_datagram(now, &datagram).is_ok_and(|()| server.poll_transmit().is_some()) {
            transmitted += 1;
        }
    }
    assert!(refused > 100 && transmitted == 0 && server.poll_event().is_none());
    let (_, mut client, _) = peers();
    let mut link = Link::new(&mut server, &mut client, now, CLEAN, 1);
    assert!(link.connect(LIMIT).is_some());
}

#[test]
fn mutated_handshakes_never_panic_and_never_connect_with_other_keys() {
    for seed in 0..150 {
        let (mut server, mut client, now) = peers();
        let mut random = Random::new(seed);
        let mut connected = [None, None];
        for step in 0..60 {
            let now = now + Duration::from_millis(50 * step);
            while let Some(mut datagram) = client.poll_transmit() {
                if random.percent(30) {
                    let at = random.next() as usize % datagram.len();
                    datagram[at] ^= 1 << (random.next() % 8);
                }
                let _ = server.handle_datagram(now, &datagram);
            }
            while let Some(datagram) = server.poll_transmit() {
                let _ = client.handle_datagram(now, &datagram);
            }
            let _ = (server.handle_timeout(now), client.handle_timeout(now));
            for (at, event) in [server.poll_event(), client.poll_event()].into_iter().enumerate() {
                if let Some(DtlsEvent::Connected(event)) = event {
                    connected[at] = Some(event.keys);
                }
            }
        }
        if let [Some(server), Some(client)] = &connected {
            assert_eq!(server.client_key(), client.client_key(), "seed {seed}");
        }
    }
}

#[test]
fn forged_plaintext_after_the_handshake_neither_ends_nor_feeds_it() {
    let (mut server, mut client, now) = peers();
    assert!(Link::new(&mut server, &mut client, now, CLEAN, 1).connect(LIMIT).is_some());
    let now = now + LIMIT;
    let fatal_alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 2, 40];
    assert_eq!(server.handle_datagram(now, &fatal_alert), Err(DtlsError::Refused));
    let close_notify = [21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0];
    let _ = server.handle_datagram(now, &close_notify);
    assert!(server.poll_event().is_none());
    // Whoever repeats a handshake record for ever gets a bounded number of answers.
    let fragment = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut answers = 0;
    for step in 0..1_000 {
        let _ = server.handle_datagram(now + Duration::from_millis(100 * step), &fragment);
        while server.poll_transmit().is_some() {
            answers += 1;
        }
    }
    assert!((1..=8).contains(&answers), "{answers}");
    server.close();
    assert!(server.poll_transmit().is_some_and(|goodbye| goodbye[0] == 21));
}

#[test]
fn each_end_hears_the_others_goodbye() {
    let (mut server, mut client, now) = peers();
    let mut link = Link::new(&mut server, &mut client, now, CLEAN, 1);
    assert!(link.connect(LIMIT).is_some());
    let later = link.now;
    drop(link);
    client.close();
    let mut link = Link::new(&mut server, &mut client, later, CLEAN, 2);
    link.run_for(Duration::from_secs(1));
    assert!(link.server_closed);

    let (mut server, mut client, now) = peers();
    assert!(Link::new(&mut server, &mut client, now, CLEAN, 1).connect(LIMIT).is_some());
    server.close();
    let mut link = Link::new(&mut server, &mut client, now + LIMIT, CLEAN, 2);
    link.run_for(Duration::from_secs(1));
    assert!(link.client_closed);
    assert_eq!(server.handle_datagram(now + LIMIT, &[22; 40]), Err(DtlsError::Refused));
}

#[test]
fn the_server_repeats_its_flight_to_a_silent_client_but_not_for_ever() {
    let (mut server, mut client, now) = peers();
    let mut link = Link::new(&mut server, &mut client, now, CLEAN, 1);
    // Both ClientHellos arrive, two datagrams each, then nothing more does.
    link.lose = Box::new(|to_server, count| to_server && count > 4);
    link.run_for(Duration::from_secs(120));
    assert!(link.server_connected.is_none());
    let sent = link.sent[0];
    assert!((70..200).contains(&sent), "{sent}");
    assert_eq!(server.poll_timeout(), None);
}
