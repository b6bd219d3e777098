//! Reports and feedback go along with packets: a timer wakes nobody for the sake of somebody who sends.

mod support;

use std::time::Instant;

use media_engine::rtp::rtcp::{Compound, Packet};
use media_model::Source;
use support::{World, payload::opus};

/// When a client was told of its packets' arrivals, and when it got a report on them.
fn told(world: &World, client: usize) -> (Vec<Instant>, Vec<Instant>) {
    let (mut feedback, mut reports) = (Vec::new(), Vec::new());
    for (at, compound) in &world.clients[client].rtcp {
        for packet in Compound::new(compound) {
            match packet.expect("well-formed") {
                Packet::TransportCc(_) => feedback.push(*at),
                Packet::ReceiverReport(report) if report.blocks().count() > 0 => reports.push(*at),
                _ => {}
            }
        }
    }
    (feedback, reports)
}

/// Two seconds of sound, a packet each 13 ms; when they were sent.
fn speak(world: &mut World) -> Vec<Instant> {
    (0..154)
        .map(|n| {
            world.send(0, Source::Microphone, 1 + n, n as u32 * 624, &opus(1));
            let sent = world.now;
            world.advance(13);
            sent
        })
        .collect()
}

#[test]
fn whoever_sends_is_answered_when_a_packet_comes() {
    let mut world = World::with_participants(2);
    let sent = speak(&mut world);
    let (feedback, reports) = told(&world, 0);
    assert!(feedback.len() >= 19 && reports.len() >= 2, "{} and {}", feedback.len(), reports.len());
    // The first report is due with the first packet itself.
    let alone = feedback.iter().chain(reports.iter().skip(1)).filter(|at| !sent.contains(at)).count();
    assert_eq!(alone, 0);
}

#[test]
fn nobody_is_told_of_arrivals_who_did_not_agree_to_it() {
    let mut world = World::with_participants(2);
    let mut media = world.clients[0].media();
    media.tracks.iter_mut().flat_map(|t| &mut t.codecs).for_each(|c| c.feedback.transport_cc = false);
    world.renegotiate(0, media);
    speak(&mut world);
    let (feedback, reports) = told(&world, 0);
    assert_eq!((feedback.len(), reports.len() >= 2), (0, true));
}

#[test]
fn who_is_due_within_five_milliseconds_is_told_together() {
    let mut world = World::with_participants(1);
    let listeners = [(2, 3), (3, 9), (4, 100)].map(|(number, later)| {
        let listener = world.join(number, true);
        world.check(listener);
        world.advance(later);
        listener
    });
    speak(&mut world);
    let clocks = listeners.map(|listener| {
        let compounds = world.clients[listener].rtcp.iter();
        let told = compounds.filter(|(_, compound)| {
            Compound::new(compound).any(|packet| matches!(packet, Ok(Packet::SenderReport(_))))
        });
        // But the first two, which are early.
        told.map(|(at, _)| *at).skip(2).collect::<Vec<_>>()
    });
    assert!(!clocks[0].is_empty() && clocks[0] == clocks[1] && clocks[1] != clocks[2], "{clocks:?}");
}
