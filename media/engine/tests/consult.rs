//! Consults of two and three in virtual time: who gets what, and who does not.

mod support;

use media_engine::{
    DropReason,
    api::{CodecParams, Command, Event, IceCredentials, LeaveReason, Refusal, Renegotiate, ReofferReason},
    rtp::rtcp::CompoundWriter,
};
use media_model::{Codec, ConsultId, SlotPool, Source, TransportId};
use support::{
    World,
    client::slot_ssrc,
    payload::{opus, read_vp8, vp8},
};

const AUDIO_0: usize = 0;
const VIDEO_0: usize = 1;
const AUDIO_1: usize = 2;

fn nack(ssrc: u32, sequences: &[u16]) -> Vec<u8> {
    let mut bytes = vec![0; 200];
    let mut writer = CompoundWriter::new(&mut bytes);
    writer.receiver_report(1, []);
    writer.nack(1, ssrc, sequences.iter().copied());
    let length = writer.len();
    bytes.truncate(length);
    bytes
}

#[test]
fn everyone_hears_everyone_else_with_mapped_formats_and_extensions() {
    let mut world = World::with_participants(3);
    world.send(0, Source::Microphone, 100, 5_000, &opus(1));
    assert!(world.take(0).is_empty(), "nobody hears himself");
    for listener in [1, 2] {
        let heard = world.take(listener);
        assert_eq!(heard.len(), 1);
        let packet = &heard[0];
        assert_eq!(packet.header.ssrc, slot_ssrc(AUDIO_0));
        assert_eq!(packet.header.payload_type, if listener == 1 { 109 } else { 111 });
        assert_eq!(packet.csrcs, [1]);
        assert_eq!(packet.payload, opus(1));
        assert_eq!(packet.extensions.audio_level.map(|l| l.level_dbov), Some(30));
        assert_eq!((packet.extensions.mid, packet.extensions.transport_cc), (None, None));
    }
    world.send(2, Source::Microphone, 7, 9, &opus(3));
    assert_eq!(world.take(0)[0].header.ssrc, slot_ssrc(AUDIO_1));
    assert_eq!(world.take(1)[0].csrcs, [3]);
}

#[test]
fn nothing_reaches_or_leaves_who_is_not_admitted_until_admitted() {
    let mut world = World::with_participants(1);
    let waiting = world.join(2, false);
    world.connect(waiting);
    world.send(0, Source::Microphone, 1, 0, &opus(1));
    world.send(waiting, Source::Microphone, 1, 0, &opus(2));
    assert!(world.take(0).is_empty() && world.take(waiting).is_empty());
    assert_eq!(world.engine.counters().dropped_for(DropReason::NotAdmitted), 1);
    world.command(Command::Admit(TransportId(waiting as u64)));
    world.send(0, Source::Microphone, 2, 960, &opus(1));
    world.send(waiting, Source::Microphone, 2, 960, &opus(2));
    assert_eq!((world.take(0).len(), world.take(waiting).len()), (1, 1));
}

#[test]
fn a_picture_waits_for_a_key_frame_which_the_publisher_is_asked_for() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Camera, 1, 0, &vp8(false, 10, 5, 1));
    world.advance(5);
    assert!(world.take(1).is_empty());
    assert_eq!(world.engine.counters().dropped_for(DropReason::AwaitingKeyframe), 1);
    assert_eq!(world.engine.counters().keyframe_requests, 1);
    let asked = world.clients[0].rtcp.iter().any(|(_, c)| c.windows(2).any(|w| w == [0x81, 206]));
    assert!(asked, "no PLI reached the publisher");
    world.send(0, Source::Camera, 2, 3_000, &vp8(true, 11, 6, 2));
    world.send(0, Source::Camera, 3, 6_000, &vp8(false, 12, 7, 3));
    let seen = world.take_of(1, slot_ssrc(VIDEO_0));
    assert_eq!(seen.iter().map(|p| read_vp8(&p.payload).2).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(seen[1].header.timestamp.wrapping_sub(seen[0].header.timestamp), 3_000);
    assert_eq!(seen[0].extensions.orientation, Some(1));
}

#[test]
fn a_muted_source_is_not_forwarded_and_starts_at_a_key_frame_again() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Camera, 1, 0, &vp8(true, 10, 5, 1));
    world.mute(0, Source::Camera, true);
    world.send(0, Source::Camera, 2, 3_000, &vp8(false, 11, 6, 2));
    world.mute(0, Source::Camera, false);
    world.send(0, Source::Camera, 3, 6_000, &vp8(false, 12, 7, 3));
    world.send(0, Source::Camera, 4, 9_000, &vp8(true, 13, 8, 4));
    let seen = world.take_of(1, slot_ssrc(VIDEO_0));
    assert_eq!(seen.iter().map(|p| read_vp8(&p.payload).2).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(seen[1].header.sequence, seen[0].header.sequence.wrapping_add(1));
    assert_eq!(seen[1].header.timestamp.wrapping_sub(seen[0].header.timestamp), 9_000);
    assert_eq!(world.engine.counters().dropped_for(DropReason::Muted), 1);
}

#[test]
fn what_an_offer_says_of_muting_holds_for_a_source_that_goes_on() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Camera, 1, 0, &vp8(true, 10, 5, 1));
    let mut media = world.clients[0].media();
    media.tracks[1].muted = true;
    world.events.clear();
    world.renegotiate(0, media.clone());
    world.send(0, Source::Camera, 2, 3_000, &vp8(true, 11, 6, 2));
    let live = |world: &World| {
        world.events.iter().rev().find_map(|event| match event {
            Event::Layout(layout) => Some(layout.participants[0].live.clone()),
            _ => None,
        })
    };
    assert_eq!(live(&world), Some(vec![Source::Microphone]));
    media.tracks[1].muted = false;
    world.renegotiate(0, media);
    let asked = world.engine.counters().keyframe_requests;
    world.advance(300);
    assert_eq!(world.engine.counters().keyframe_requests, asked + 1);
    world.send(0, Source::Camera, 3, 6_000, &vp8(false, 12, 7, 3));
    world.send(0, Source::Camera, 4, 9_000, &vp8(true, 13, 8, 4));
    let seen = world.take_of(1, slot_ssrc(VIDEO_0));
    assert_eq!(seen.iter().map(|p| read_vp8(&p.payload).2).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(live(&world), Some(vec![Source::Microphone, Source::Camera]));
}

#[test]
fn nothing_is_asked_of_a_muted_picture_nor_sent_again() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Camera, 1, 0, &vp8(false, 10, 5, 1));
    world.advance(10);
    assert_eq!(world.engine.counters().keyframe_requests, 1);
    world.mute(0, Source::Camera, true);
    world.advance(2_000);
    assert_eq!(world.engine.counters().keyframe_requests, 1, "asked for through the mute");
    world.mute(0, Source::Camera, false);
    world.send(0, Source::Camera, 2, 3_000, &vp8(true, 11, 6, 2));
    let sequence = world.take_of(1, slot_ssrc(VIDEO_0))[0].header.sequence;
    world.mute(0, Source::Camera, true);
    world.send_rtcp(1, &nack(slot_ssrc(VIDEO_0), &[sequence]));
    assert!(world.take(1).is_empty());
    assert_eq!(world.engine.counters().dropped_for(DropReason::Muted), 1);
}

#[test]
fn padding_that_took_a_number_leaves_no_gap() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Camera, 1, 0, &vp8(true, 10, 5, 1));
    world.send(0, Source::Camera, 2, 0, &[]);
    world.send(0, Source::Camera, 3, 3_000, &vp8(false, 11, 6, 2));
    let seen = world.take_of(1, slot_ssrc(VIDEO_0));
    let first = seen[0].header.sequence;
    let sequences: Vec<_> = seen.iter().map(|p| p.header.sequence.wrapping_sub(first)).collect();
    assert_eq!((sequences, seen[1].payload.len()), (vec![0, 1, 2], 0));
    assert_eq!(read_vp8(&seen[2].payload).0, read_vp8(&seen[0].payload).0 + 1);
    world.send_rtcp(1, &nack(slot_ssrc(VIDEO_0), &[first.wrapping_add(1)]));
    assert_eq!(world.take_of(1, slot_ssrc(VIDEO_0) + 500)[0].payload, first.wrapping_add(1).to_be_bytes());
}

#[test]
fn who_sends_another_codec_than_the_answer_prefers_is_judged_by_what_it_sends() {
    let mut world = World::with_participants(2);
    let mut media = world.clients[0].media();
    let vp8_format = media.tracks[1].codecs[0];
    let codec = Codec::Vp9 { profile: 0 };
    let vp9_format = CodecParams { payload_type: 98, rtx_payload_type: Some(99), codec, ..vp8_format };
    media.tracks[1].codecs.push(vp9_format);
    world.renegotiate(0, media);
    world.clients[0].video_payload_type = Some(98);
    world.events.clear();
    let is_asked = |world: &World| {
        world.events.iter().filter(|e| matches!(e, Event::ReofferNeeded(_, ReofferReason::Codec))).count()
    };
    for n in 0..4 {
        world.send(0, Source::Camera, 1 + n, n as u32 * 90_000, &[0x08, 1, 2, 3]);
        world.advance(1_000);
    }
    assert_eq!(is_asked(&world), 1);
}

#[test]
fn a_publisher_who_leaps_takes_nobody_with_it() {
    let mut world = World::with_participants(2);
    for (n, leap) in [0, 1, 30_000, 60_000, 60_001, 90_000_u64].into_iter().enumerate() {
        world.send(0, Source::Microphone, 100 + leap, n as u32 * 960, &opus(n as u8));
        world.send(0, Source::Camera, 100 + leap, n as u32 * 3_000, &vp8(n != 3, n as u16, n as u8, n as u8));
    }
    for (slot, expected) in [(AUDIO_0, 6), (VIDEO_0, 5)] {
        let mut received = world.clients[1].received.clone();
        received.retain(|p| p.header.ssrc == slot_ssrc(slot));
        let first = received[0].header.sequence;
        let ahead: Vec<_> = received.iter().map(|p| p.header.sequence.wrapping_sub(first)).collect();
        assert_eq!(ahead, (0..expected).collect::<Vec<u16>>());
    }
    assert_eq!(world.engine.counters().dropped_for(DropReason::AwaitingKeyframe), 1);
}

#[test]
fn a_slot_goes_on_as_one_stream_when_its_publisher_changes() {
    let mut world = World::with_participants(3);
    for n in 0..3_u32 {
        world.send(
            1,
            Source::Camera,
            50 + u64::from(n),
            7 + n * 3_000,
            &vp8(n == 0, 900 + n as u16, n as u8, 1),
        );
        world.advance(33);
    }
    world.command(Command::Leave(TransportId(1)));
    let late = world.join(4, true);
    world.connect(late);
    world.send(late, Source::Camera, 9_000, 4_000_000_000, &vp8(true, 5, 200, 2));
    world.send(late, Source::Camera, 9_001, 4_000_003_000, &vp8(false, 6, 201, 3));
    let seen = world.take_of(0, slot_ssrc(VIDEO_0));
    assert_eq!(seen.iter().map(|p| p.csrcs[0]).collect::<Vec<_>>(), [2, 2, 2, 4, 4]);
    for pair in seen.windows(2) {
        assert_eq!(pair[1].header.sequence, pair[0].header.sequence.wrapping_add(1));
        let ((before, tl0_before, _), (after, tl0_after, _)) =
            (read_vp8(&pair[0].payload), read_vp8(&pair[1].payload));
        assert_eq!((after, tl0_after), ((before + 1) & 0x7fff, tl0_before.wrapping_add(1)));
        let elapsed = pair[1].at - pair[0].at;
        let ticks = pair[1].header.timestamp.wrapping_sub(pair[0].header.timestamp);
        assert!(ticks < 90 * (elapsed.as_millis() as u32 + 40), "{ticks} ticks in {elapsed:?}");
    }
}

#[test]
fn a_layout_names_who_stands_where_and_only_the_newest_is_told() {
    let mut world = World::with_participants(2);
    let newest = world.events.iter().rev().find_map(|event| match event {
        Event::Layout(layout) if layout.transport == TransportId(0) => Some(layout.clone()),
        _ => None,
    });
    let layout = newest.expect("a layout");
    assert_eq!(layout.slots.len(), 1);
    assert_eq!((layout.slots[0].slot.pool, layout.slots[0].publisher.csrc()), (SlotPool::Camera, 2));
    assert_eq!(layout.participants[1].live, [Source::Microphone, Source::Camera]);
    world.events.clear();
    world.mute(1, Source::Screen, false);
    let screens: Vec<_> = world.events.iter().filter(|e| matches!(e, Event::Layout(_))).collect();
    assert_eq!(screens.len(), 2);
}

#[test]
fn who_runs_short_of_slots_is_asked_to_offer_again_once() {
    let mut world = World::with_participants(5);
    let needs: Vec<_> = world
        .events
        .iter()
        .filter(|e| {
            matches!(e, Event::ReofferNeeded(TransportId(0), ReofferReason::Slots { camera: 4, screen: 1 }))
        })
        .collect();
    assert_eq!(needs.len(), 1);
    world.events.clear();
    world.command(Command::Leave(TransportId(4)));
    assert!(!world.events.iter().any(|e| matches!(e, Event::ReofferNeeded(..))));
}

#[test]
fn leaving_says_goodbye_and_leaves_nothing_behind() {
    let mut world = World::with_participants(2);
    world.command(Command::Leave(TransportId(0)));
    assert_eq!(world.left(0), Some(LeaveReason::Requested));
    assert!(world.clients[0].was_closed, "no close_notify");
    let unknown_before = world.engine.counters().dropped_for(DropReason::AddressUnknown);
    world.send(1, Source::Microphone, 1, 0, &opus(1));
    world.send(0, Source::Microphone, 1, 0, &opus(1));
    assert!(world.take(0).is_empty() && world.take(1).is_empty());
    assert_eq!(world.engine.counters().dropped_for(DropReason::AddressUnknown), unknown_before + 1);
    world.command(Command::EndConsult(ConsultId::from_bytes([9; 16])));
    assert_eq!(world.left(1), Some(LeaveReason::Requested));
    let counters = world.engine.counters();
    assert_eq!((counters.consults, counters.transports), (0, 0));
}

#[test]
fn muting_what_is_not_sent_changes_nothing_and_is_no_mistake() {
    let mut world = World::with_participants(1);
    world.events.clear();
    world.mute(0, Source::ScreenAudio, true);
    assert_eq!(world.events, []);
}

#[test]
fn an_offer_that_is_refused_does_not_restart_ice() {
    let mut world = World::with_participants(1);
    let mut refused = None;
    for round in 0..200_u32 {
        let mut media = world.clients[0].media();
        for slot in &mut media.slots {
            (slot.ssrc, slot.rtx_ssrc) = (slot.ssrc + round * 1_000, slot.rtx_ssrc + round * 1_000);
        }
        let credentials = |side: &str| IceCredentials {
            ufrag: format!("{side}-{round}").into(),
            password: format!("{side}-password-{round}-long-enough").into(),
        };
        let (server, client) = (credentials("serv"), credentials("clie"));
        let ice = Some((server.clone(), client.clone()));
        world.events.clear();
        let transport = TransportId(0);
        world.command(Command::Renegotiate(Box::new(Renegotiate { transport, ice, media })));
        if world.events.iter().any(|e| matches!(e, Event::Refused(..))) {
            refused = Some((server, client));
            break;
        }
        (world.clients[0].ice_server, world.clients[0].ice_client) = (server, client);
        world.check(0);
    }
    let unknown = || DropReason::StunUnknownUser;
    let before = world.engine.counters().dropped_for(unknown());
    (world.clients[0].ice_server, world.clients[0].ice_client) = refused.expect("SSRCs wear out");
    world.check(0);
    assert_eq!(world.engine.counters().dropped_for(unknown()), before + 1);
}

#[test]
fn commands_that_make_no_sense_are_refused_and_change_nothing() {
    let mut world = World::with_participants(1);
    world.events.clear();
    world.command(Command::Admit(TransportId(77)));
    let mut media = world.clients[0].media();
    media.slots[0].ssrc = media.slots[2].ssrc;
    world.renegotiate(0, media);
    assert_eq!(
        world.events,
        [
            Event::Refused(TransportId(77), Refusal::UnknownTransport),
            Event::Refused(TransportId(0), Refusal::InvalidParameters)
        ]
    );
}
