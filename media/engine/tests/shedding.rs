//! A shard that falls behind withholds video, never sound, and brings it back with a key frame.

mod support;

use media_engine::{DropReason, SHEDDING_STEPS};
use media_model::Source;
use support::{
    World,
    client::slot_ssrc,
    payload::{opus, vp8},
};

const AUDIO_0: usize = 0;
const VIDEO_0: usize = 1;

/// Two people, of whom the second sees and hears the first.
fn running() -> World {
    let mut world = World::with_participants(2);
    world.send(0, Source::Microphone, 1, 0, &opus(1));
    world.send(0, Source::Camera, 1, 0, &vp8(true, 10, 5, 1));
    assert_eq!(world.take_of(1, slot_ssrc(VIDEO_0)).len(), 1);
    world
}

fn dropped(world: &World) -> u64 {
    world.engine.counters().dropped_for(DropReason::Overload)
}

#[test]
fn all_video_goes_and_all_sound_stays() {
    let mut world = running();
    world.engine.withhold_video(world.now, SHEDDING_STEPS);
    let received = world.engine.counters().rtp_received;
    world.take(1);
    for n in 2..200 {
        world.send(0, Source::Microphone, n, n as u32 * 960, &opus(n as u8));
        world.send(0, Source::Camera, n, n as u32 * 3_000, &vp8(n % 30 == 0, 10 + n as u16, 5, n as u8));
    }
    assert_eq!(world.take_of(1, slot_ssrc(AUDIO_0)).len(), 198);
    assert!(world.take_of(1, slot_ssrc(VIDEO_0)).is_empty());
    assert_eq!(dropped(&world), 198);
    let opened = world.engine.counters().rtp_received;
    assert_eq!((opened[0] - received[0], opened[1] - received[1]), (198, 0), "no picture gets further");
}

#[test]
fn a_picture_goes_on_with_a_key_frame_that_was_asked_for() {
    let mut world = running();
    world.engine.withhold_video(world.now, SHEDDING_STEPS);
    (2..40).for_each(|n| world.send(0, Source::Camera, n, n as u32 * 3_000, &vp8(false, 9, 5, 0)));
    world.advance(2_000);
    let requests = world.engine.counters().keyframe_requests;
    assert_eq!(requests, 0, "nobody is asked for what is going to be dropped");
    world.engine.withhold_video(world.now, 0);
    world.advance(50);
    assert_eq!(world.engine.counters().keyframe_requests, 1);
    world.send(0, Source::Camera, 40, 120_000, &vp8(false, 50, 6, 1));
    assert!(world.take_of(1, slot_ssrc(VIDEO_0)).is_empty(), "its picture has a hole");
    world.send(0, Source::Camera, 41, 123_000, &vp8(true, 51, 7, 2));
    world.send(0, Source::Camera, 42, 126_000, &vp8(false, 52, 8, 3));
    assert_eq!(world.take_of(1, slot_ssrc(VIDEO_0)).len(), 2);
}

#[test]
fn each_step_takes_another_quarter_of_the_publishers() {
    let mut world = World::with_participants(4);
    for sender in 0..4 {
        world.send(sender, Source::Camera, 1, 0, &vp8(true, 10, 5, 1));
    }
    for quarters in 0..=SHEDDING_STEPS {
        world.engine.withhold_video(world.now, quarters);
        let before = dropped(&world);
        let n = 2 + u64::from(quarters);
        (0..4).for_each(|sender| world.send(sender, Source::Camera, n, 3_000, &vp8(true, 11, 6, 2)));
        assert_eq!(dropped(&world) - before, u64::from(quarters));
    }
}

#[test]
fn a_stream_that_was_withheld_for_long_can_still_be_opened() {
    let mut world = running();
    world.engine.withhold_video(world.now, SHEDDING_STEPS);
    // More than the index could be guessed over (RFC 3711 §3.3.1).
    let end = 150_000;
    for n in 2..end {
        world.send(0, Source::Camera, n, n as u32 * 3_000, &vp8(false, 9, 5, 0));
    }
    world.engine.withhold_video(world.now, 0);
    world.send(0, Source::Camera, end, 0, &vp8(true, 51, 7, 2));
    assert_eq!(world.engine.counters().dropped_for(DropReason::RtpUnauthenticated), 0);
    assert_eq!(world.take_of(1, slot_ssrc(VIDEO_0)).len(), 1);
}
