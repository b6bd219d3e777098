//! Publishers' clocks are seconds apart; people come and go; lips stay in sync.

mod common;

use std::time::Duration;

use common::{ahead_ms, assert_nothing_wrong, secs};
use media_sim::{ClientClock, Conditions, World};

/// What a viewer notices (ITU-R BT.1359 allows 45 ms ahead and 125 ms behind).
const SKEW_MAX: Duration = Duration::from_millis(80);

#[test]
fn skew_is_small_two_seconds_after_each_of_ten_re_points() {
    let jitter = Duration::from_millis(50);
    let mut world = World::new(2, Conditions { jitter, ..Conditions::GOOD });
    let viewer = world.join(1, ahead_ms(0), 1, true);
    let mut shown = world.join(2, ahead_ms(3_000), 1, true);
    world.run_for(secs(10));
    let mut worst = Duration::ZERO;
    for round in 0..10_u32 {
        // The one slot of the viewer goes to whoever comes next, whose clock is 3 s off the one before.
        world.leave(shown);
        let ahead = Duration::from_secs(u64::from(round % 2) * 3);
        let clock = ClientClock { ahead, drift_ppm: f64::from(round) * 20.0 - 100.0 };
        shown = world.join(3 + round, clock, 1, true);
        let is_shown = |w: &World| w.clients[viewer].lip_skews_ns().iter().any(|s| s.0 == 3 + round);
        assert!(world.run_until(secs(2), is_shown), "round {round}: not shown");
        world.run_for(secs(2));
        for _ in 0..50 {
            world.run_for(Duration::from_millis(100));
            let skews = world.clients[viewer].lip_skews_ns();
            assert_eq!(skews.len(), 1, "round {round}: sound and picture of one publisher");
            for (_, nanos) in skews {
                let skew = Duration::from_nanos(nanos.unsigned_abs());
                worst = worst.max(skew);
                assert!(skew < SKEW_MAX, "round {round}: {skew:?}");
            }
        }
    }
    println!("worst skew {worst:?}");
    assert_nothing_wrong(&world);
}
