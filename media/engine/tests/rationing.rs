//! How many datagrams RTCP takes: one that is told several things gets them together.

mod support;

use std::time::{Duration, Instant};

use media_engine::{
    api::Command,
    rtp::{
        NtpTime,
        rtcp::{Compound, CompoundWriter, Packet, SenderInfo},
    },
};
use media_model::{Source, TransportId};
use support::{
    World,
    client::slot_ssrc,
    payload::{opus, vp8},
};

/// What one compound said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    /// Whose clocks.
    clocks: Vec<u32>,
    /// How many streams it reported on.
    blocks: usize,
    feedback: usize,
    nacks: usize,
}

fn told(world: &World, client: usize) -> Vec<(Instant, Told)> {
    let read = |compound: &[u8]| {
        let mut told = Told::default();
        for packet in Compound::new(compound) {
            match packet.expect("well-formed") {
                Packet::SenderReport(report) => told.clocks.push(report.info.ssrc),
                Packet::ReceiverReport(report) => told.blocks += report.blocks().count(),
                Packet::TransportCc(_) => told.feedback += 1,
                Packet::Nack(_) => told.nacks += 1,
                _ => {}
            }
        }
        told
    };
    world.clients[client].rtcp.iter().map(|(at, compound)| (*at, read(compound))).collect()
}

/// Datagrams that a client has got.
fn got(world: &World, client: usize) -> usize {
    let client = &world.clients[client];
    client.received.len() + client.rtcp.len() + client.stun_answers
}

/// Everybody talks and shows himself: 50 packets of sound, 100 of pictures in bursts of four, a second each.
fn talk(world: &mut World, ms: u64) {
    let from = (world.now - world.start).as_millis() as u64;
    for n in from..from + ms {
        for client in 0..world.clients.len() {
            // Not all at once.
            let n = n + 3 * client as u64;
            if n.is_multiple_of(20) {
                world.send(client, Source::Microphone, n / 20, n as u32 * 48, &opus(1));
            }
            if n % 40 == 5 {
                let begins = n < from + 46;
                for part in 0..4 {
                    let picture = vp8(part == 0 && begins, (n / 40) as u16 & 0x7fff, 1, 1);
                    world.send(client, Source::Camera, n / 10 + part, n as u32 * 90, &picture);
                }
            }
        }
        world.advance(1);
    }
}

#[test]
fn who_talks_and_listens_gets_all_reports_along_with_the_feedback() {
    let mut world = World::with_participants(3);
    talk(&mut world, 2_000);
    let before = told(&world, 0).len();
    talk(&mut world, 10_000);
    let told = told(&world, 0).split_off(before);
    assert!((100..=130).contains(&told.len()), "{}", told.len());
    let feedback: Vec<_> = told.iter().filter(|(_, t)| t.feedback > 0).map(|(at, _)| *at).collect();
    assert!(feedback.windows(2).all(|w| w[1] - w[0] <= Duration::from_millis(105)), "{feedback:?}");
    let rounds: Vec<_> = told.iter().filter(|(_, t)| t.blocks > 0 || !t.clocks.is_empty()).collect();
    assert!((9..=11).contains(&rounds.len()), "{rounds:?}");
    let complete = |t: &Told| (t.blocks, t.clocks.len(), t.feedback) == (2, 4, 1);
    assert!(rounds.iter().all(|(_, t)| complete(t)), "{rounds:?}");
}

#[test]
fn silence_costs_ten_datagrams_a_second_at_most_both_ways() {
    let mut world = World::with_participants(3);
    let mut sent = 0;
    let mut count = |world: &mut World, seconds: u64| {
        let (received, mut n) = (got(world, 0), 0);
        while n < 50 * seconds {
            for client in 0..3 {
                let phase = n + 7 * client as u64;
                let sequence = (world.now - world.start).as_millis() as u64 / 400;
                let mut send = |world: &mut World, what: &str| {
                    match what {
                        "sound" => {
                            world.send(client, Source::Microphone, sequence, sequence as u32 * 960, &opus(1));
                        }
                        "report" => {
                            world.send_rtcp(client, &report(world.clients[client].ssrc(Source::Microphone)))
                        }
                        _ => world.check(client),
                    }
                    sent += usize::from(client == 0);
                };
                if phase.is_multiple_of(20) {
                    send(world, "sound");
                }
                if phase % 50 == 3 {
                    send(world, "report");
                }
                if phase % 250 == 9 {
                    send(world, "check");
                }
            }
            world.advance(20);
            n += 1;
        }
        std::mem::take(&mut sent) + got(world, 0) - received
    };
    count(&mut world, 5);
    let rtcp_before = world.clients[0].rtcp.len();
    let datagrams = count(&mut world, 20);
    let rtcp = world.clients[0].rtcp.len() - rtcp_before;
    assert!(datagrams <= 20 * 10, "{datagrams} in 20 s");
    assert!(rtcp <= 11, "{rtcp} in 20 s");
    let told = told(&world, 0).split_off(rtcp_before);
    assert!(told.iter().filter(|(_, t)| t.clocks.len() == 2 && t.blocks == 1).count() >= 3, "{told:?}");
}

fn report(ssrc: u32) -> Vec<u8> {
    let mut bytes = [0; 100];
    let mut writer = CompoundWriter::new(&mut bytes);
    let info = SenderInfo { ssrc, ntp: NtpTime(1 << 40), rtp_timestamp: 0, packet_count: 1, octet_count: 1 };
    writer.sender_report(&info, []);
    let length = writer.len();
    bytes[..length].to_vec()
}

#[test]
fn a_switch_is_reported_on_with_its_first_packet_and_200_ms_later() {
    let mut world = World::with_participants(3);
    talk(&mut world, 3_500);
    world.command(Command::Leave(TransportId(1)));
    world.advance(300);
    let number = world.join(9, true);
    world.connect(number);
    let before = told(&world, 0).len();
    let begun = world.now;
    for n in 0..30_u64 {
        world.send(number, Source::Microphone, n, n as u32 * 960, &opus(1));
        world.send(number, Source::Camera, n, n as u32 * 1_800, &vp8(n == 0, n as u16, 1, 1));
        world.advance(20);
    }
    let told = told(&world, 0).split_off(before);
    let at = |ssrc: u32| -> Vec<u128> {
        let of = told.iter().filter(|(_, t)| t.clocks.contains(&ssrc));
        of.map(|(at, _)| (*at - begun).as_millis()).collect()
    };
    let (sound, picture) = (at(slot_ssrc(0)), at(slot_ssrc(1)));
    assert!(sound[0] == 0 && picture[0] == 0, "{sound:?} {picture:?}");
    assert!(sound.iter().any(|at| (150..=200).contains(at)), "{sound:?}");
    assert!(picture.iter().any(|at| (150..=200).contains(at)), "{picture:?}");
    let together = |t: &Told| t.clocks.contains(&slot_ssrc(0)) && t.clocks.contains(&slot_ssrc(1));
    assert!(told.iter().any(|(at, t)| (*at - begun).as_millis() >= 150 && together(t)));
}

#[test]
fn what_does_not_fit_one_datagram_goes_into_the_next() {
    let mut world = World::with_participants(4);
    let mut media = world.clients[0].media();
    media.cname = "c".repeat(250).into();
    world.renegotiate(0, media);
    talk(&mut world, 3_000);
    let before = told(&world, 0).len();
    talk(&mut world, 4_000);
    let told = told(&world, 0).split_off(before);
    for slot in 0..6 {
        let reports = told.iter().filter(|(_, t)| t.clocks.contains(&slot_ssrc(slot))).count();
        assert!((3..=5).contains(&reports), "slot {slot}: {reports}");
    }
    let blocks: usize = told.iter().map(|(_, t)| t.blocks).sum();
    assert!((6..=10).contains(&blocks), "{blocks}");
    assert!(world.clients[0].rtcp.iter().all(|(_, compound)| compound.len() < 1_200));
    assert!(told.windows(2).any(|w| w[0].0 == w[1].0), "two at once");
    let feedback: Vec<_> = told.iter().filter(|(_, t)| t.feedback > 0).map(|(at, _)| *at).collect();
    assert!(feedback.windows(2).all(|w| w[1] - w[0] <= Duration::from_millis(105)), "{feedback:?}");
}

#[test]
fn a_request_does_not_wait() {
    let mut world = World::with_participants(2);
    talk(&mut world, 2_000);
    let before = told(&world, 0).len();
    let from = 2_000_u64;
    let mut missed = world.now;
    for n in 0..6 {
        if n == 1 {
            missed = world.now;
        } else {
            let sequence = from + n;
            world.send(0, Source::Camera, sequence, 300_000 + n as u32 * 900, &vp8(false, 60, 1, 1));
        }
        world.advance(10);
    }
    let told = told(&world, 0).split_off(before);
    let (at, asking) = told.iter().find(|(_, t)| t.nacks > 0).expect("a request");
    assert!(*at - missed <= Duration::from_millis(31), "{:?}", *at - missed);
    assert_eq!(asking.nacks, 1);
}

#[test]
fn in_silence_nobody_is_told_anything() {
    let mut world = World::with_participants(3);
    talk(&mut world, 1_000);
    world.advance(8_000);
    let before: Vec<usize> = (0..3).map(|client| got(&world, client)).collect();
    let mut woken = 0;
    let until = world.now + Duration::from_secs(20);
    while let Some(due) = world.engine.poll_timeout().filter(|due| *due < until) {
        world.advance((due - world.now).as_millis() as u64 + 1);
        woken += 1;
    }
    let after: Vec<usize> = (0..3).map(|client| got(&world, client)).collect();
    assert_eq!((before, woken), (after, 0));
}

/// A tenth of what [`talk`] sends.
fn murmur(world: &mut World, ms: u64) {
    let from = (world.now - world.start).as_millis() as u64;
    for n in from..from + ms {
        for client in 0..3 {
            let n = n + 70 * client as u64;
            if n.is_multiple_of(200) {
                world.send(client, Source::Microphone, n / 200, n as u32 * 48, &opus(1));
            }
            if n % 400 == 5 {
                for part in 0..4 {
                    let begins = n < from + 500 && part == 0;
                    let picture = vp8(begins, (n / 400) as u16, 1, 1);
                    world.send(client, Source::Camera, n / 100 + part, n as u32 * 90, &picture);
                }
            }
        }
        world.advance(1);
    }
}

#[test]
fn who_sends_fifteen_packets_a_second_gets_less_than_one_datagram() {
    let mut world = World::with_participants(3);
    murmur(&mut world, 25_000);
    let since = world.start + Duration::from_secs(5);
    let told: Vec<_> = told(&world, 0).into_iter().filter(|(at, _)| *at >= since).collect();
    assert!(told.len() <= 17, "{} in 20 s", told.len());
    let rounds = told.iter().filter(|(_, t)| t.blocks == 2).count();
    assert!((13..=17).contains(&rounds), "{rounds} in 20 s");
    // Ten packets a second of each camera, five of each microphone.
    for (slot, seconds) in [(0, 4), (1, 2)] {
        let clock = told.iter().filter(|(_, t)| t.clocks.contains(&slot_ssrc(slot))).count();
        assert!((20 / (seconds + 2)..=20 / seconds).contains(&clock), "slot {slot}: {clock}");
    }
}
