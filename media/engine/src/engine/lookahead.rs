//! A batch of datagrams, looked at before it is handled: whatever its packets are going to touch is fetched side by side.
//!
//! One pass a step, over the whole batch, so that a pass finds in the caches what the one before has asked for:
//! who sends, his track, who gets it, in which slot. Who is about to be told something, too: what reports take.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use prefetch::prefetch_slice;

use super::{Engine, peer::Peer, publishing::Published, serving::SERVED_EARLY_MAX};
use crate::{
    demux::{Protocol, classify},
    subscriber::Slot,
};

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
    /// Its bytes, and those that follow it.
    pub data: &'a [u8],
    /// Datagrams of the train.
    pub datagrams: usize,
}

/// Packets of a train for which places are fetched.
const PACKETS_MAX: usize = 8;

/// A message's sender, and what it sent.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    place: Option<usize>,
    ssrc: u32,
    bytes: usize,
    packets: usize,
    is_rtcp: bool,
    /// Which of the sender's tracks it belongs to.
    track: Option<usize>,
}

impl Engine {
    /// Prepares for these messages; changes nothing. Worth its while from two messages on.
    pub fn expect<'a>(&self, now: Instant, coming: impl Iterator<Item = Coming<'a>> + Clone) {
        let mut expected = [Expected::default(); MESSAGES_MAX];
        let mut count = 0;
        coming.clone().for_each(|message| self.demux.prefetch(message.remote, message.local));
        for (entry, message) in expected.iter_mut().zip(coming) {
            *entry = self.look_up(&message);
            count += 1;
        }
        let expected = expected.get_mut(..count).unwrap_or_default();
        let soon = now + SERVED_EARLY_MAX;

        for (_, peer) in self.senders(expected) {
            peer.prefetch_sender();
        }
        for (entry, peer) in self.senders(expected) {
            if entry.is_rtcp {
                peer.connection.prefetch_inbound_rtcp();
                peer.publishing.prefetch_clock();
            } else {
                peer.publishing.prefetch_bindings();
                peer.connection.prefetch_windows(entry.ssrc);
            }
            if entry.is_rtcp || peer.is_due(soon) {
                peer.prefetch_served();
                peer.prefetch_reports();
            }
        }
        for entry in expected.iter_mut() {
            let Some(peer) = entry.place.and_then(|place| self.peer(place)) else { continue };
            if entry.is_rtcp {
                peer.connection.prefetch_inbound_rtcp_window(entry.ssrc);
            } else {
                entry.track = peer.publishing.place_of(entry.ssrc);
            }
            if peer.is_due(soon) {
                peer.connection.prefetch_outbound_rtcp();
            } else if let Some(track) = entry.track.and_then(|at| peer.publishing.tracks.get(at)) {
                track.prefetch();
            }
        }
        for (entry, track) in self.tracks(expected) {
            prefetch_slice(&track.targets);
            track.track.prefetch_next(entry.packets);
        }
        let targets = || self.tracks(expected).flat_map(|(_, track)| track.targets.iter().take(TARGETS_MAX));
        targets().filter_map(|target| self.peer(target.place)).for_each(Peer::prefetch_receiver);
        self.tracks(expected).for_each(|(entry, track)| track.track.prefetch_space(entry.bytes));
        for target in targets() {
            let slot = self.peer(target.place).and_then(|peer| peer.slots.get(target.slot));
            slot.into_iter().for_each(Slot::prefetch);
        }
    }

    /// Prepares for serving those in these places.
    pub(super) fn expect_to_serve(&self, places: &[Option<usize>]) {
        let peers = || places.iter().flatten().filter_map(|place| self.peer(*place));
        for peer in peers() {
            peer.prefetch_served();
            peer.publishing.prefetch();
        }
        for peer in peers() {
            peer.prefetch_reports();
            peer.connection.prefetch_outbound_rtcp();
        }
    }

    fn senders<'e>(&'e self, expected: &'e [Expected]) -> impl Iterator<Item = (&'e Expected, &'e Peer)> {
        expected.iter().filter_map(|entry| Some((entry, self.peer(entry.place?)?)))
    }

    fn tracks<'e>(&'e self, expected: &'e [Expected]) -> impl Iterator<Item = (&'e Expected, &'e Published)> {
        self.senders(expected)
            .filter_map(|(entry, peer)| Some((entry, peer.publishing.tracks.get(entry.track?)?)))
    }

    fn look_up(&self, message: &Coming<'_>) -> Expected {
        let is_rtcp = classify(message.data) == Ok(Protocol::Rtcp);
        // RFC 3550 §5.1 and §6.4.1: the sender's SSRC, in the clear also in SRTP and SRTCP.
        let offset = if is_rtcp { 4 } else { 8 };
        let Some(ssrc) = message.data.get(offset..).and_then(|rest| rest.first_chunk()) else {
            return Expected::default();
        };
        Expected {
            place: self.demux.peek(message.remote, message.local),
            ssrc: u32::from_be_bytes(*ssrc),
            bytes: message.data.len(),
            packets: message.datagrams.min(PACKETS_MAX),
            is_rtcp,
            track: None,
        }
    }

    fn peer(&self, place: usize) -> Option<&Peer> {
        self.peers.get(place)?.as_deref()
    }
}
