//! A consult of three over 5 % loss and 50 ms jitter, 300 s.

mod common;

use common::{assert_nothing_wrong, consult_of_three, secs};
use media_model::MediaKind;
use media_sim::Conditions;

#[test]
fn hardly_anything_is_missing_in_the_end() {
    let wall = std::time::Instant::now();
    let mut world = consult_of_three(1, Conditions::BAD);
    world.run_for(secs(300));
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let of_kind = |w: &media_sim::World| -> Vec<_> {
            w.clients.iter().flat_map(|c| c.received()).filter(|r| r.1 == kind).map(|r| r.2.clone()).collect()
        };
        let received = of_kind(&world);
        let packets: u64 = received.iter().map(|r| r.packets).sum();
        let lost: u64 = received.iter().map(|r| r.lost).sum();
        let recovered: u64 = received.iter().map(|r| r.recovered).sum();
        let late = received.iter().map(|r| r.late_max).max().unwrap_or_default();
        println!(
            "{kind:?}: {packets} packets, {recovered} overtaken or repaired, {lost} lost, up to {late:?} late"
        );
        assert!(packets > 80_000, "{kind:?}: only {packets} packets");
        assert!((lost as f64) < packets as f64 * 0.001, "{kind:?}: {lost} of {packets} lost");
    }
    println!("{:?} for {:?}; {:?}", wall.elapsed(), world.elapsed(), world.counters());
    assert_nothing_wrong(&world);
}
