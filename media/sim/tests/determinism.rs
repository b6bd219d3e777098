//! The same seed gives the same run, or a printed seed would be worth nothing.

mod common;

use common::{consult_of_three, packets, secs};
use media_sim::Conditions;

#[test]
fn a_seed_determines_the_run() {
    let outcome = |seed| {
        let mut world = consult_of_three(seed, Conditions::BAD);
        world.run_for(secs(10));
        let counters = world.counters();
        (packets(&world), counters.rtp_received, counters.rtp_forwarded, counters.dropped)
    };
    assert_eq!(outcome(11), outcome(11));
    assert_ne!(outcome(11), outcome(12));
}
