//! Who is sent out gets and sends nothing from the order on, also nothing again, on a way that loses much.

mod common;

use std::time::{Duration, Instant};

use common::{assert_nothing_wrong, consult_of_three, secs};
use media_engine::api::Command;
use media_sim::{Conditions, World};

/// When a client got something of a participant's last; of anybody's without one.
fn heard_at(world: &World, client: usize, of: Option<u32>) -> Option<Instant> {
    let last = world.clients[client].received().flat_map(|(_, _, received)| &received.last_from);
    last.filter(|(from, _)| of.is_none_or(|of| **from == of)).map(|(_, at)| *at).max()
}

#[test]
fn who_is_sent_out_gets_and_sends_nothing_more_retransmissions_included() {
    for seed in 1..=5 {
        let mut world = consult_of_three(seed, Conditions::BAD);
        world.run_for(secs(10));
        let recovered = |world: &World| -> u64 {
            world.clients.iter().flat_map(|client| client.received()).map(|(.., r)| r.recovered).sum()
        };
        assert!(recovered(&world) > 50, "packets are sent again all the time");
        let (ordered_at, transport) = (world.now(), world.clients[2].transport);
        // The client knows nothing of it: it goes on to send, to ask for what it misses, and to answer who asks.
        world.command(Command::Leave(transport));
        world.run_for(secs(10));
        let latest = ordered_at + Duration::from_millis(100);
        for (client, of) in [(0, Some(3)), (1, Some(3)), (2, None)] {
            let at = heard_at(&world, client, of).expect("something came before");
            let after = at.saturating_duration_since(ordered_at);
            assert!(at <= latest, "client {client} got something {after:?} after the order");
        }
        assert!(heard_at(&world, 0, Some(2)) > Some(latest), "the others go on");
        assert_nothing_wrong(&world);
    }
}
