//! A batch of datagrams, looked at before it is handled: whatever its packets are going to touch is fetched side by side.
//!
//! One pass a step, over the whole batch, so that a pass finds in the caches what the one before has asked for:
//! who sends, his track, who gets it, in which slot.

use std::net::{IpAddr, SocketAddr};

use super::{Engine, peer::Peer};
use crate::prefetch::{prefetch, prefetch_slice};

/// Messages of a batch that are looked at; the shell takes in no more at a time.
const MESSAGES_MAX: usize = 32;

/// Subscribers of a packet that are fetched: with more, the first are used before the last have come.
const TARGETS_MAX: usize = 8;

/// The first datagram of a train from one sender, sealed as it came.
#[derive(Debug, Clone, Copy)]
pub struct Coming<'a> {
    /// Who sent it.
    pub remote: SocketAddr,
    /// The local address that it was sent to.
    pub local: IpAddr,
    /// Its bytes.
    pub data: &'a [u8],
}

/// A message's sender and stream.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    place: Option<usize>,
    ssrc: u32,
}

impl Engine {
    /// Prepares for these messages; changes nothing. Worth its while from two messages on.
    pub fn expect<'a>(&self, coming: impl Iterator<Item = Coming<'a>>) {
        let mut expected = [Expected::default(); MESSAGES_MAX];
        let mut count = 0;
        for (entry, message) in expected.iter_mut().zip(coming) {
            *entry = self.look_up(&message);
            count += 1;
        }
        let expected = expected.get(..count).unwrap_or_default();
        let senders = || expected.iter().filter_map(|entry| Some((self.peer(entry.place?)?, entry.ssrc)));
        senders().for_each(|(peer, _)| peer.prefetch_sender());
        senders().for_each(|(peer, _)| peer.publishing.prefetch_bindings());
        let tracks = || senders().filter_map(|(peer, ssrc)| Some((peer, peer.publishing.sent_with(ssrc)?)));
        for (peer, track) in tracks() {
            peer.connection.prefetch_windows();
            prefetch_slice(&track.targets);
            track.track.prefetch_next();
        }
        let targets = || tracks().flat_map(|(_, track)| track.targets.iter().take(TARGETS_MAX));
        targets().filter_map(|target| self.peer(target.place)).for_each(Peer::prefetch_receiver);
        tracks().for_each(|(_, track)| track.track.prefetch_space());
        for target in targets() {
            let slot = self.peer(target.place).and_then(|peer| peer.slots.get(target.slot));
            slot.into_iter().for_each(prefetch);
        }
    }

    fn look_up(&self, message: &Coming<'_>) -> Expected {
        // RFC 3550 §5.1: the SSRC, in the clear also in SRTP.
        let Some(ssrc) = message.data.get(8..).and_then(|rest| rest.first_chunk()) else {
            return Expected::default();
        };
        let place = self.demux.peek(message.remote, message.local);
        Expected { place, ssrc: u32::from_be_bytes(*ssrc) }
    }

    fn peer(&self, place: usize) -> Option<&Peer> {
        self.peers.get(place)?.as_deref()
    }
}
