//! RTCP both ways: what is missing is sent again, clocks are told, publishers hear how they are received.

mod support;

use std::time::Duration;

use media_engine::{
    DropReason,
    api::TransmitBuffer,
    rtp::{
        Epoch, NtpTime,
        rtcp::{Compound, CompoundWriter, Packet, SenderInfo},
    },
};
use media_model::Source;
use support::{
    World,
    client::slot_ssrc,
    payload::{opus, vp8},
};

const AUDIO_0: usize = 0;
const VIDEO_0: usize = 1;

fn nack(ssrc: u32, sequences: &[u16]) -> Vec<u8> {
    compound(|writer| {
        writer.receiver_report(1, []);
        writer.nack(1, ssrc, sequences.iter().copied());
    })
}

fn compound(write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; 1_000];
    let mut writer = CompoundWriter::new(&mut bytes);
    write(&mut writer);
    let length = writer.len();
    bytes.truncate(length);
    bytes
}

#[test]
fn a_lost_video_packet_is_sent_again_in_the_stream_for_retransmissions() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Camera, 1, 0, &vp8(true, 1, 1, 1));
    world.send(0, Source::Camera, 2, 3_000, &vp8(false, 2, 2, 2));
    let original = world.take_of(1, slot_ssrc(VIDEO_0)).remove(1);
    let request = nack(slot_ssrc(VIDEO_0), &[original.header.sequence]);
    world.send_rtcp(1, &request);
    world.send_rtcp(1, &request);
    let again = world.take_of(1, slot_ssrc(VIDEO_0) + 500);
    assert_eq!(again.len(), 1, "asked again at once, sent once");
    assert_eq!(world.engine.counters().dropped_for(DropReason::RetransmissionTooSoon), 1);
    assert_eq!(again[0].payload[..2], original.header.sequence.to_be_bytes());
    assert_eq!(again[0].payload[2..], original.payload);
    assert_eq!((again[0].header.payload_type, &again[0].csrcs), (121, &original.csrcs));
    assert_eq!(again[0].header.timestamp, original.header.timestamp);
    world.advance(1_500);
    world.send_rtcp(1, &request);
    assert_eq!(world.engine.counters().dropped_for(DropReason::RetransmissionExpired), 1);
}

#[test]
fn reports_wait_for_room_instead_of_getting_lost() {
    let mut world = World::with_buffer(TransmitBuffer::new(16 * 1_024, 64)).fill(8);
    for n in 0..100_u64 {
        for client in 0..8 {
            world.send(client, Source::Microphone, 1 + n, n as u32 * 960, &opus(1));
        }
        world.advance(20);
    }
    assert_eq!(world.engine.counters().dropped_for(DropReason::SendBufferFull), 0);
    assert!((0..8).all(|client| reports(&world, client, slot_ssrc(AUDIO_0)).len() >= 3));
}

#[test]
fn whoever_asks_for_everything_again_and_again_gets_its_share() {
    let mut world = World::with_participants(2);
    let mut payload = vp8(true, 1, 1, 1);
    payload.resize(1_000, 7);
    for n in 1..=200 {
        world.send(0, Source::Camera, n, 0, &payload);
    }
    let sequences: Vec<u16> =
        world.take_of(1, slot_ssrc(VIDEO_0)).iter().map(|p| p.header.sequence).collect();
    let request = nack(slot_ssrc(VIDEO_0), &sequences);
    for _ in 0..20 {
        world.send_rtcp(1, &request);
        world.advance(25);
    }
    let bytes: usize = world.take_of(1, slot_ssrc(VIDEO_0) + 500).iter().map(|p| p.sealed.len()).sum();
    assert!((150_000..200_000).contains(&bytes), "{bytes} bytes in half a second");
    assert!(world.engine.counters().dropped_for(DropReason::RetransmissionOverBudget) > 1_000);
}

#[test]
fn only_who_agreed_to_ask_is_answered() {
    let mut world = World::with_participants(2);
    let mut media = world.clients[1].media();
    media.slots.iter_mut().flat_map(|s| &mut s.codecs).for_each(|c| c.feedback.nack = false);
    world.renegotiate(1, media);
    world.send(0, Source::Camera, 1, 0, &vp8(true, 1, 1, 1));
    let sequence = world.take_of(1, slot_ssrc(VIDEO_0))[0].header.sequence;
    world.send_rtcp(1, &nack(slot_ssrc(VIDEO_0), &[sequence]));
    assert_eq!((world.take(1).len(), world.engine.counters().retransmitted), (0, 0));
}

#[test]
fn lost_sound_is_sent_again_as_the_very_same_bytes() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Microphone, 1, 0, &opus(1));
    world.send(0, Source::Microphone, 2, 960, &opus(2));
    let before = world.take_of(1, slot_ssrc(AUDIO_0));
    world.clients[1].received.clone_from(&before);
    world.send_rtcp(1, &nack(slot_ssrc(AUDIO_0), &[before[0].header.sequence]));
    let after = world.take_of(1, slot_ssrc(AUDIO_0));
    assert_eq!(after.len(), 3);
    assert_eq!(after[2].sealed, before[0].sealed);
    let mut media = world.clients[1].media();
    media.extensions.audio_level = Some(9);
    world.renegotiate(1, media);
    world.advance(50);
    world.send_rtcp(1, &nack(slot_ssrc(AUDIO_0), &[before[0].header.sequence]));
    assert!(world.take(1).is_empty(), "the same bytes cannot be made under another mapping");
}

#[test]
fn nothing_of_the_previous_publisher_is_sent_again() {
    let mut world = World::with_participants(3);
    world.send(1, Source::Camera, 1, 0, &vp8(true, 1, 1, 1));
    let old = world.take_of(0, slot_ssrc(VIDEO_0)).remove(0);
    world.command(media_engine::api::Command::Leave(media_model::TransportId(1)));
    world.send_rtcp(0, &nack(slot_ssrc(VIDEO_0), &[old.header.sequence]));
    assert!(world.take(0).is_empty());
    assert_eq!(world.engine.counters().retransmitted, 0);
}

#[test]
fn what_a_publisher_lost_is_asked_for_and_found_its_place() {
    let mut world = World::with_participants(2);
    for n in [1, 2, 4, 5, 6_u64] {
        world.send(0, Source::Camera, n, n as u32 * 3_000, &vp8(n == 1, n as u16, n as u8, n as u8));
        world.advance(10);
    }
    let asked: Vec<u16> = world.clients[0]
        .rtcp
        .iter()
        .flat_map(|(_, c)| Compound::new(c).filter_map(Result::ok).collect::<Vec<_>>())
        .filter_map(|p| match p {
            Packet::Nack(nack) => Some(nack.sequences().collect::<Vec<_>>()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(asked, [3]);
    world.send(0, Source::Camera, 3, 9_000, &vp8(false, 3, 3, 3));
    let mut sequences: Vec<u16> =
        world.take_of(1, slot_ssrc(VIDEO_0)).iter().map(|p| p.header.sequence).collect();
    let first = sequences[0];
    sequences.sort_unstable();
    assert_eq!(sequences, (0..6).map(|n| first.wrapping_add(n)).collect::<Vec<_>>());
}

/// Sender reports that a client got for one slot: when, and what they said.
fn reports(world: &World, client: usize, ssrc: u32) -> Vec<(Duration, SenderInfo)> {
    let mut found = Vec::new();
    for (at, compound) in &world.clients[client].rtcp {
        for packet in Compound::new(compound).filter_map(Result::ok) {
            if let Packet::SenderReport(report) = packet
                && report.info.ssrc == ssrc
            {
                found.push((*at - world.start, report.info));
            }
        }
    }
    found
}

#[test]
fn a_slot_has_sender_reports_of_its_own_two_at_once_and_then_one_a_second() {
    let mut world = World::with_participants(2);
    let first_sent = world.now - world.start;
    for n in 0..195_u64 {
        world.send(0, Source::Microphone, 1 + n, n as u32 * 960, &opus(1));
        world.advance(20);
    }
    let reports = reports(&world, 1, slot_ssrc(AUDIO_0));
    let early = reports.iter().filter(|(at, _)| *at - first_sent <= Duration::from_millis(300)).count();
    assert_eq!(early, 2);
    assert_eq!(reports.len(), 5);
    let last_packet = world.take_of(1, slot_ssrc(AUDIO_0)).pop().unwrap();
    let (_, info) = reports[4];
    assert!(info.packet_count > 100);
    // The report's clocks agree with the packets'.
    let epoch = Epoch { instant: world.start, ntp: NtpTime::from_unix(Duration::from_secs(1_800_000_000)) };
    let reported_at = epoch.instant_at(info.ntp).unwrap();
    let elapsed = (last_packet.at - reported_at).as_micros() as i64 * 48 / 1_000;
    let ticks = i64::from(last_packet.header.timestamp.wrapping_sub(info.rtp_timestamp) as i32);
    assert!((elapsed - ticks).abs() < 48 * 2, "{elapsed} and {ticks}");
}

#[test]
fn sound_and_picture_of_a_publisher_keep_their_distance_on_the_slots_clocks() {
    let mut world = World::with_participants(2);
    let base = NtpTime::from_unix(Duration::from_secs(1_700_000_003));
    for n in 0..100_u64 {
        let time = Duration::from_millis(20 * n);
        if n % 25 == 0 {
            let report = |ssrc, rate: u32, offset: u32| SenderInfo {
                ssrc,
                ntp: base.wrapping_add(time),
                rtp_timestamp: offset.wrapping_add(rate / 50 * n as u32),
                packet_count: 1,
                octet_count: 1,
            };
            let (audio, video) =
                (world.clients[0].ssrc(Source::Microphone), world.clients[0].ssrc(Source::Camera));
            for info in [report(audio, 48_000, 77), report(video, 90_000, 4_000_000_000)] {
                let plain = compound(|w| {
                    w.sender_report(&info, []);
                });
                world.send_rtcp(0, &plain);
            }
        }
        world.send(0, Source::Microphone, 1 + n, 77 + n as u32 * 960, &opus(1));
        // The picture was taken at the same moment, but comes 60 ms later.
        let timestamp = 4_000_000_000_u32.wrapping_add(n as u32 * 1_800);
        if let Some(late) = n.checked_sub(3) {
            let timestamp = timestamp.wrapping_sub(3 * 1_800);
            world.send(0, Source::Camera, 1 + late, timestamp, &vp8(late == 0, late as u16, late as u8, 1));
        }
        world.advance(20);
    }
    let (audio, video) = (reports(&world, 1, slot_ssrc(AUDIO_0)), reports(&world, 1, slot_ssrc(VIDEO_0)));
    let received = world.take(1);
    let captured = |ssrc: u32, rate: f64, info: &SenderInfo| {
        let newest = received.iter().rev().find(|p| p.header.ssrc == ssrc).unwrap();
        let ticks = newest.header.timestamp.wrapping_sub(info.rtp_timestamp) as i32;
        info.ntp.nanos_since(base) as f64 / 1e9 + f64::from(ticks) / rate
    };
    let heard = captured(slot_ssrc(AUDIO_0), 48_000.0, &audio.last().unwrap().1);
    let seen = captured(slot_ssrc(VIDEO_0), 90_000.0, &video.last().unwrap().1);
    // The newest sound was taken 60 ms after the newest picture.
    assert!((heard - seen - 0.060).abs() < 0.005, "{} ms", (heard - seen) * 1e3);
}

#[test]
fn a_publisher_hears_how_its_packets_arrive() {
    let mut world = World::with_participants(2);
    for n in 0..120_u64 {
        world.send(0, Source::Microphone, 1 + n, n as u32 * 960, &opus(1));
        world.advance(20);
    }
    let (mut blocks, mut feedback) = (0, Vec::new());
    for (at, compound) in &world.clients[0].rtcp {
        for packet in Compound::new(compound) {
            match packet.expect("well-formed") {
                Packet::ReceiverReport(report) => {
                    blocks += report
                        .blocks()
                        .filter(|b| b.ssrc == world.clients[0].ssrc(Source::Microphone))
                        .count();
                }
                Packet::TransportCc(message) => feedback.push((*at, message.statuses().count())),
                _ => {}
            }
        }
    }
    assert_eq!(blocks, 2);
    assert!(feedback.windows(2).all(|w| w[1].0 - w[0].0 <= Duration::from_millis(261)), "{feedback:?}");
    assert!(feedback.iter().map(|(_, count)| count).sum::<usize>() >= 105);
}

#[test]
fn a_source_that_begins_anew_with_another_ssrc_stays_one_stream_for_subscribers() {
    let mut world = World::with_participants(2);
    world.send(0, Source::Camera, 60_000, 5, &vp8(true, 1, 1, 1));
    world.clients[0].ssrc_override = Some(999);
    world.advance(40);
    world.send(0, Source::Camera, 3, 70_000, &vp8(false, 300, 9, 2));
    world.send(0, Source::Camera, 4, 73_000, &vp8(true, 301, 10, 3));
    let seen = world.take_of(1, slot_ssrc(VIDEO_0));
    assert_eq!(seen.iter().map(|p| p.payload[6]).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(seen[1].header.sequence, seen[0].header.sequence.wrapping_add(1));
    let ticks = seen[1].header.timestamp.wrapping_sub(seen[0].header.timestamp);
    assert!((1..90_000).contains(&ticks), "{ticks}");
}

#[test]
fn a_camera_that_moves_to_another_m_line_never_gets_an_index_twice() {
    let mut world = World::with_participants(2);
    for n in 0..5_u64 {
        world.send(0, Source::Camera, 100 + n, n as u32 * 3_000, &vp8(n == 0, n as u16, n as u8, 1));
    }
    let mut media = world.clients[0].media();
    let camera = media.tracks.iter_mut().find(|t| t.source == Source::Camera).unwrap();
    // The MID of the client's packets names no m= line any more; the announced SSRC does.
    camera.mid = "cam2".parse().unwrap();
    world.renegotiate(0, media.clone());
    let ssrc = world.clients[0].ssrc(Source::Camera);
    media.tracks.iter_mut().find(|t| t.source == Source::Camera).unwrap().ssrc = Some(ssrc);
    media.extensions.mid = None;
    world.renegotiate(0, media);
    for n in 0..5_u64 {
        world.send(0, Source::Camera, 102 + 10 + n, n as u32 * 3_000, &vp8(n == 0, n as u16, n as u8, 2));
    }
    let seen = world.take_of(1, slot_ssrc(VIDEO_0));
    let sequences: Vec<u16> = seen.iter().map(|p| p.header.sequence).collect();
    assert_eq!(sequences, (0..10).map(|n| sequences[0].wrapping_add(n)).collect::<Vec<_>>());
}
