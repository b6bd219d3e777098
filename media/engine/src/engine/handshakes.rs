//! Handshakes, a step at a time: a storm of joins must not keep media waiting.
//!
//! A step of a DTLS handshake takes up to some hundred microseconds of public-key cryptography, as much as forwarding a
//! hundred packets. So its datagrams wait here, and each [`Engine::handle_timeout`] works off one of them, between one
//! batch of media and the next. What finds the queue full is dropped and counted; the client sends it again.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use media_model::TransportId;

use super::Engine;
use crate::{
    DropReason,
    api::{Datagram, TransmitBuffer},
};

/// Datagrams that wait, of all transports: 100 to 200 ms of work, no more than a client waits before it repeats itself.
const WAITING_MAX: usize = 512;

/// Datagrams that wait, of one transport: a client's longest flight has three, and it may repeat it.
const WAITING_OF_ONE_MAX: u8 = 6;

/// A datagram that waits.
struct Waiting {
    transport: TransportId,
    from: (SocketAddr, IpAddr),
    since: Instant,
    data: Box<[u8]>,
}

/// The queue.
#[derive(Default)]
pub struct Handshakes(VecDeque<Waiting>);

impl Handshakes {
    /// Since when the oldest waits.
    pub fn due(&self) -> Option<Instant> {
        self.0.front().map(|waiting| waiting.since)
    }
}

impl Engine {
    /// Takes a DTLS datagram from a validated address. After the handshake, where there are only alerts and repetitions, it
    /// is dealt with at once.
    pub(super) fn handle_dtls(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
        out: &mut TransmitBuffer,
    ) -> Result<(), DropReason> {
        let place = self.place_at(&datagram)?;
        let is_full = self.handshakes.0.len() >= WAITING_MAX;
        let peer = self.peer_mut(place).ok_or(DropReason::AddressUnknown)?;
        let from = (datagram.remote, datagram.local);
        if peer.connection.is_connected() {
            return self.take_dtls(now, place, from, datagram.data, out);
        }
        if is_full || peer.handshakes_waiting >= WAITING_OF_ONE_MAX {
            return Err(DropReason::HandshakeQueueFull);
        }
        peer.handshakes_waiting += 1;
        let data = Box::from(&*datagram.data);
        let waiting = Waiting { transport: peer.id, from, since: now, data };
        self.handshakes.0.push_back(waiting);
        Ok(())
    }

    /// Works off the datagram that waits longest.
    pub(super) fn step_handshake(&mut self, now: Instant, out: &mut TransmitBuffer) {
        let Some(Waiting { transport, from, data, .. }) = self.handshakes.0.pop_front() else { return };
        // Whoever has left meanwhile needs no answer.
        let Some(place) = self.places.get(&transport).copied() else { return };
        if let Some(peer) = self.peer_mut(place) {
            peer.handshakes_waiting = peer.handshakes_waiting.saturating_sub(1);
        }
        if let Err(reason) = self.take_dtls(now, place, from, &data, out) {
            self.counters.drop(reason);
        }
    }

    fn take_dtls(
        &mut self,
        now: Instant,
        place: usize,
        from: (SocketAddr, IpAddr),
        data: &[u8],
        out: &mut TransmitBuffer,
    ) -> Result<(), DropReason> {
        let peer = self.peer_mut(place).ok_or(DropReason::AddressUnknown)?;
        let progress = peer.connection.handle_dtls(now, data, out);
        if progress.is_ok() {
            peer.connection.ice.carries(from);
        }
        self.arm(place);
        self.progress(now, place, progress?, out);
        Ok(())
    }
}
