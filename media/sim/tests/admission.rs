//! Nobody is seen or sees before they are admitted, nor what is muted.

mod common;

use common::{ahead_ms, assert_nothing_wrong, consult_of_three, packets_in, secs};
use media_engine::{DropReason, api::Command};
use media_model::{MediaKind, Source};
use media_sim::{Conditions, World};

#[test]
fn who_is_not_admitted_neither_sends_nor_receives() {
    let mut world = World::new(7, Conditions::GOOD);
    world.join(1, ahead_ms(0), 2, true);
    world.join(2, ahead_ms(0), 2, true);
    let waiting = world.join(3, ahead_ms(0), 2, false);
    world.run_for(secs(3));
    assert!(world.clients[waiting].is_connected());
    let received = packets_in(&mut world, secs(5));
    assert!(received[0] > 450 && received[0] < 600, "only one other: {received:?}");
    assert_eq!(received[waiting], 0);
    assert!(world.counters().dropped_for(DropReason::NotAdmitted) > 0);
    let transport = world.clients[waiting].transport;
    world.command(Command::Admit(transport));
    world.run_for(secs(1));
    let received = packets_in(&mut world, secs(5));
    assert!(received.iter().all(|count| *count > 900), "{received:?}");
    assert_nothing_wrong(&world);
}

#[test]
fn what_is_muted_is_not_forwarded() {
    let mut world = consult_of_three(8, Conditions::GOOD);
    world.run_for(secs(3));
    let transport = world.clients[0].transport;
    let set = |world: &mut World, muted| {
        for source in [Source::Microphone, Source::Camera] {
            world.command(Command::Mute { transport, source, muted });
        }
    };
    let sound = |world: &World| -> u64 {
        world.clients[1].received().filter(|r| r.1 == MediaKind::Audio).map(|r| r.2.packets).sum()
    };
    set(&mut world, true);
    world.run_for(secs(1));
    let before = sound(&world);
    let received = packets_in(&mut world, secs(5));
    assert!(received[1] > 450 && received[1] < 600, "only one other: {received:?}");
    assert!(sound(&world) - before < 300);
    set(&mut world, false);
    world.run_for(secs(1));
    let received = packets_in(&mut world, secs(5));
    assert!(received.iter().all(|count| *count > 900), "{received:?}");
    assert_nothing_wrong(&world);
}
