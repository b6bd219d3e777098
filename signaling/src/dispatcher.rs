//! Takes the shards' events to their consults, and sweeps away once a second what has run out.

use std::sync::Arc;

use media_engine::api::Event;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{Shared, consult::Moment, limits::SWEEP_INTERVAL};

/// Runs until the media plane's events end.
pub(crate) async fn run(shared: Arc<Shared>, mut events: mpsc::Receiver<Event>) {
    let mut sweeps = interval(SWEEP_INTERVAL);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => shared.registry().handle_event(Moment::now(), event),
                None => break,
            },
            _ = sweeps.tick() => sweep(&shared),
        }
    }
    tracing::info!("the media plane's events have ended");
}

fn sweep(shared: &Shared) {
    let mut registry = shared.registry();
    registry.sweep(Moment::now());
    shared.resources().retain(|transport| registry.has_transport(transport));
}
