//! Addresses change, ICE restarts, consent expires.

mod common;

use common::{assert_nothing_wrong, consult_of_three, packets_in, secs};
use media_engine::api::{Event, LeaveReason};
use media_sim::Conditions;

#[test]
fn a_client_whose_address_changes_goes_on() {
    let mut world = consult_of_three(3, Conditions::GOOD);
    world.run_for(secs(5));
    world.rebind(0);
    world.run_for(secs(4));
    let received = packets_in(&mut world, secs(5));
    assert!(received.iter().all(|count| *count > 900), "{received:?}");
    assert_eq!(world.counters().handshakes, 3);
    assert_nothing_wrong(&world);
}

#[test]
fn an_ice_restart_costs_no_handshake_and_no_media() {
    let mut world = consult_of_three(4, Conditions::GOOD);
    world.run_for(secs(5));
    world.restart_ice(1);
    let received = packets_in(&mut world, secs(40));
    assert!(received.iter().all(|count| *count > 7_500), "{received:?}");
    assert_eq!(world.counters().handshakes, 3);
    assert_nothing_wrong(&world);
}

#[test]
fn a_client_that_falls_silent_is_gone_after_thirty_seconds() {
    let mut world = consult_of_three(5, Conditions::GOOD);
    world.run_for(secs(5));
    let silent = world.clients[2].transport;
    world.clients[2].gone = true;
    world.run_for(secs(27));
    assert_eq!(world.left(silent), None);
    world.run_for(secs(4));
    assert_eq!(world.left(silent), Some(&Event::Left(silent, LeaveReason::ConsentExpired)));
    let received = packets_in(&mut world, secs(5));
    assert!(received[0] > 450 && received[1] > 450, "{received:?}");
}
