//! What is measured of a connection is what the way was like. Of the 5 % that are lost here, sound is half and is not sent again.

mod common;

use common::{consult_of_three, secs};
use media_engine::api::{Event, LeaveReason, Quality};
use media_sim::{Conditions, World};

/// What the engine told of each transport, in the order in which they left.
fn measured(world: &World) -> Vec<Quality> {
    let told = world.events.windows(2).filter_map(|pair| match pair {
        [Event::Measured(measured, quality), Event::Left(left, LeaveReason::Requested)] => {
            assert_eq!(measured, left, "it is told just before");
            Some(*quality)
        }
        _ => None,
    });
    told.collect()
}

fn after_a_minute(seed: u64, conditions: Conditions) -> Vec<Quality> {
    let mut world = consult_of_three(seed, conditions);
    world.run_for(secs(60));
    (0..3).for_each(|place| world.leave(place));
    measured(&world)
}

#[test]
fn what_a_way_loses_and_nobody_sends_again_is_measured_and_nothing_else() {
    for (conditions, permille) in [(Conditions::GOOD, 0..=0), (Conditions::BAD, 15..=35)] {
        let qualities = after_a_minute(31, conditions);
        assert_eq!(qualities.len(), 3);
        for Quality { expected, lost, .. } in qualities {
            assert!(expected > 5_000, "{expected} of one who sends 100 a second");
            let found = lost * 1_000 / expected;
            assert!(permille.contains(&found), "{found} ‰ of {expected}");
        }
    }
}
