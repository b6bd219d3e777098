//! What the scenarios share.

#![allow(dead_code, reason = "every scenario uses its part")]

use std::time::Duration;

use media_sim::{ClientClock, Conditions, World};

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A clock that is so many milliseconds ahead.
pub fn ahead_ms(milliseconds: u64) -> ClientClock {
    ClientClock { ahead: Duration::from_millis(milliseconds), drift_ppm: 0.0 }
}

/// Patient, doctor and interpreter, everybody connected.
pub fn consult_of_three(seed: u64, conditions: Conditions) -> World {
    let mut world = World::new(seed, conditions);
    for number in 1..=3 {
        world.join(number, ahead_ms(u64::from(number) * 700), 2, true);
    }
    let connected = world.run_until(secs(3), |w| w.clients.iter().all(|c| c.is_connected()));
    assert!(connected, "somebody did not connect");
    world
}

/// Packets that each client has received, by their order of joining.
pub fn packets(world: &World) -> Vec<u64> {
    world.clients.iter().map(|c| c.packets_received()).collect()
}

/// How many more packets each client receives in the next `span`.
pub fn packets_in(world: &mut World, span: Duration) -> Vec<u64> {
    let before = packets(world);
    world.run_for(span);
    packets(world).iter().zip(before).map(|(after, before)| after - before).collect()
}

/// Nothing that was received is anything but what it should be.
pub fn assert_nothing_wrong(world: &World) {
    for client in &world.clients {
        for (slot, kind, received) in client.received() {
            let wrong = [
                received.wrong_csrc,
                received.wrong_slot,
                received.started_without_keyframe,
                received.discontinuities,
                received.garbled,
            ];
            assert_eq!(wrong, [0; 5], "client {}, {slot:?} {kind:?}: {received:?}", client.participant);
        }
    }
}
