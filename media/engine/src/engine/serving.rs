//! What is due for a transport: along with a packet of its own where one comes, else together with others.

use std::time::{Duration, Instant};

use media_model::limits::{DATAGRAM_BYTES_MAX, TRANSPORT_MEDIA_MAX};

use super::Engine;
use crate::api::TransmitBuffer;

/// A request for every track, reports and feedback.
pub(super) const SERVE_DATAGRAMS_MAX: usize = TRANSPORT_MEDIA_MAX + 16;

/// Reports and feedback may go so much early: no longer than the longest silence of somebody who speaks.
pub(super) const SERVED_EARLY_MAX: Duration = Duration::from_millis(20);

/// When one transport has to be served, so are those that would be so soon after it: the thread is awake, and what is known
/// of them is fetched side by side.
const TOGETHER_WITHIN: Duration = Duration::from_millis(5);
const TOGETHER_MAX: usize = 16;

/// What is due again at once, because there was no room for it, is not tried in a circle.
const TIMER_STEP_MIN: Duration = Duration::from_millis(1);

impl Engine {
    /// Works off one step of a handshake, and does what is due, for whom it is due, while there is room for what they are
    /// told. Who has to wait is due at once, when `out` has been sent.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut TransmitBuffer) {
        let before = out.bytes_free();
        self.step_handshake(now, out);
        while has_room_to_serve(out) && self.timers.next().is_some_and(|at| at <= now) {
            self.serve_some(now, out);
        }
        self.counters.bytes_sent += (before - out.bytes_free()) as u64;
    }

    /// Serves those who are due first.
    fn serve_some(&mut self, now: Instant, out: &mut TransmitBuffer) {
        let soon = now + TOGETHER_WITHIN;
        let mut places = [None; TOGETHER_MAX];
        places.iter_mut().for_each(|place| *place = self.timers.pop_due(soon));
        self.expect_to_serve(&places);
        for place in places.into_iter().flatten() {
            if has_room_to_serve(out) {
                self.serve_and_arm(now, soon, place, out);
            } else if let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) {
                peer.scheduled = None;
                self.timers.arm(&mut peer.scheduled, place, now);
            }
        }
    }

    /// Does what a transport is due in a moment along with a datagram of its own: the shard is awake and sends anyway.
    pub(super) fn serve_along(&mut self, now: Instant, place: usize, out: &mut TransmitBuffer) {
        let soon = now + SERVED_EARLY_MAX;
        let is_due = self.peer_mut(place).is_some_and(|peer| peer.is_due(soon));
        if is_due && has_room_to_serve(out) {
            self.timers.remove(place);
            self.serve_and_arm(now, soon, place, out);
        }
    }

    fn serve_and_arm(&mut self, now: Instant, soon: Instant, place: usize, out: &mut TransmitBuffer) {
        let Some(peer) = self.peer_mut(place) else { return };
        peer.scheduled = None;
        self.serve(now, soon, place, out);
        if let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) {
            let at = peer.deadline().max(now + TIMER_STEP_MIN);
            self.timers.arm(&mut peer.scheduled, place, at);
        }
    }

    /// Sees to it that a transport is served in time, after something of it changed.
    pub(super) fn arm(&mut self, place: usize) {
        if let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) {
            let at = peer.deadline();
            self.timers.arm(&mut peer.scheduled, place, at);
        }
    }
}

/// Whether whatever one transport is told fits for sure. An empty buffer has to do.
fn has_room_to_serve(out: &TransmitBuffer) -> bool {
    let fits = out.datagrams_free() >= SERVE_DATAGRAMS_MAX
        && out.bytes_free() >= SERVE_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX;
    fits || out.is_empty()
}
