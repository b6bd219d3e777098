//! Whatever comes from the network, nobody in the consult notices.

mod common;

use std::net::SocketAddr;

use common::{assert_nothing_wrong, consult_of_three, packets_in, secs};
use media_sim::{Conditions, Random};

#[test]
fn random_and_truncated_datagrams_change_nothing() {
    let mut world = consult_of_three(6, Conditions::GOOD);
    world.run_for(secs(2));
    let mut random = Random::new(world.seed());
    let transports = world.counters().transports;
    for round in 0..40_000_u32 {
        let length = random.below(200) as usize;
        let mut data: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        // Half of them begin as something that is spoken here.
        if let (Some(first), 0) = (data.first_mut(), round % 2) {
            *first = [0, 1, 20, 22, 0x80, 0x90, 0xb0][random.below(7) as usize];
        }
        // From strangers, and with the address of somebody present.
        let from = match round % 3 {
            0 => SocketAddr::from(([203, 0, 113, random.below(256) as u8], 9)),
            who => world.clients[who as usize].address,
        };
        world.inject(from, &mut data);
        if round % 400 == 0 {
            world.run_for(std::time::Duration::from_millis(20));
        }
    }
    let received = packets_in(&mut world, secs(5));
    assert!(received.iter().all(|count| *count > 900), "{received:?}");
    assert_eq!(world.counters().transports, transports);
    assert!(world.counters().dropped.iter().sum::<u64>() >= 39_000);
    assert_nothing_wrong(&world);
}
