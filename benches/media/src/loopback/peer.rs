//! One participant's packets, as a node wants them and as the floor does.

use std::{
    io,
    net::UdpSocket,
    time::{Duration, Instant},
};

use media_engine::rtp::rtcp::{Compound, Packet};
use media_floor::Keys;
use media_model::Source;

use super::EXTENSION_BYTES;
use crate::{
    support::{Client, payload},
    traffic::sender_reports,
};

/// RFC 7675 §5.1 asks for consent within 30 s; clients renew it sooner.
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// At the end of each payload: when it was sent.
const STAMP_BYTES: usize = 8;
/// An RTCP packet's type is one of these where an RTP packet has its marker and payload type (RFC 5761 §4).
const RTCP_TYPES: std::ops::RangeInclusive<u8> = 192..=223;
/// The first byte of an RTP or RTCP packet (RFC 7983 §7).
const MEDIA: std::ops::RangeInclusive<u8> = 128..=191;

/// What a participant sends, and what becomes of what comes. Times of sending are the caller's own, and come back.
pub trait Peer {
    /// The next packet, sealed.
    fn packet(&mut self, source: Source, payload_bytes: usize, now: Instant, sent_ns: u64) -> Vec<u8>;

    /// When a packet of media was sent; `None` where it is none.
    fn take(&mut self, now: Instant, datagram: &mut [u8]) -> Option<u64>;

    /// What else is due now, other than media.
    fn chores(&mut self, now: Instant) -> Vec<Vec<u8>>;
}

fn stamped(payload: &mut [u8], sent_ns: u64) {
    if let Some(end) = payload.last_chunk_mut::<STAMP_BYTES>() {
        *end = sent_ns.to_be_bytes();
    }
}

fn stamp(payload: &[u8]) -> Option<u64> {
    payload.last_chunk().map(|end| u64::from_be_bytes(*end))
}

/// A client of a node, connected.
pub struct NodePeer {
    client: Client,
    /// Packets of sound and of pictures.
    sent: [u64; 2],
    wants_keyframe: bool,
    began: Instant,
    checked: Instant,
    reported: Instant,
}

impl NodePeer {
    /// Somebody who is connected. `n` is his number: not everybody does his chores at the same time.
    pub(super) fn new(client: Client, n: usize) -> Self {
        let began = Instant::now();
        let reported = began - REPORT_INTERVAL.mul_f64(n as f64 * 0.618 % 1.0);
        Self { client, sent: [0; 2], wants_keyframe: true, began, checked: reported, reported }
    }

    fn take_rtcp(&mut self, datagram: &mut [u8]) {
        let Some(length) = self.client.open_rtcp(datagram) else { return };
        let plain = datagram.get(..length).unwrap_or_default();
        self.wants_keyframe |=
            Compound::new(plain).flatten().any(|packet| matches!(packet, Packet::Pli(_) | Packet::Fir(_)));
    }
}

impl Peer for NodePeer {
    fn packet(&mut self, source: Source, payload_bytes: usize, now: Instant, sent_ns: u64) -> Vec<u8> {
        let sent = &mut self.sent[usize::from(source == Source::Camera)];
        let number = *sent;
        *sent += 1;
        let (mut payload, ticks_per_ms) = match source {
            Source::Microphone => (payload::opus(1), 48),
            _ => {
                let is_key = std::mem::take(&mut self.wants_keyframe);
                (payload::vp8(is_key, number as u16 & 0x7fff, number as u8, 1), 90)
            }
        };
        payload.resize(payload_bytes, 7);
        stamped(&mut payload, sent_ns);
        let since = now.duration_since(self.began).as_millis() as u32;
        self.client.packet(source, number + 1, since.wrapping_mul(ticks_per_ms), &payload)
    }

    fn take(&mut self, now: Instant, datagram: &mut [u8]) -> Option<u64> {
        let [first, second, ..] = *datagram else { return None };
        if !MEDIA.contains(&first) {
            self.client.handle(now, datagram);
            return None;
        }
        if RTCP_TYPES.contains(&second) {
            self.take_rtcp(datagram);
            return None;
        }
        let payload = self.client.open_media(datagram)?;
        stamp(&datagram[payload])
    }

    fn chores(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut due = Vec::new();
        if now.duration_since(self.checked) >= CONSENT_INTERVAL {
            self.checked = now;
            due.push(self.client.check());
        }
        let has_sent = self.sent != [0; 2];
        if has_sent && now.duration_since(self.reported) >= REPORT_INTERVAL {
            self.reported = now;
            let plain = sender_reports(now.duration_since(self.began), |source| self.client.ssrc(source));
            due.push(self.client.seal_rtcp(&plain));
        }
        due
    }
}

/// A participant whom the floor has registered.
pub struct FloorPeer {
    keys: Keys,
    number: u32,
    sequences: [u16; 2],
}

impl FloorPeer {
    /// Numbers begin with 0.
    pub(super) fn new(number: u32) -> Self {
        Self { keys: Keys::of(number), number, sequences: [0; 2] }
    }

    /// Where the socket's server learns of him.
    pub(super) fn register(&self, socket: &UdpSocket, group: u32) -> io::Result<()> {
        socket.send(&media_floor::registration(self.number, group)).map(drop)
    }
}

impl Peer for FloorPeer {
    fn packet(&mut self, source: Source, payload_bytes: usize, _: Instant, sent_ns: u64) -> Vec<u8> {
        let kind = usize::from(source == Source::Camera);
        let plain_len = media_floor::HEADER_BYTES + EXTENSION_BYTES + payload_bytes;
        let mut packet = vec![7; plain_len + media_floor::TAG_BYTES];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&self.sequences[kind].to_be_bytes());
        self.sequences[kind] = self.sequences[kind].wrapping_add(1);
        packet[8..12].copy_from_slice(&(self.number * 2 + kind as u32).to_be_bytes());
        stamped(&mut packet[..plain_len], sent_ns);
        let sealed = media_floor::seal(&self.keys.from_client, &mut packet);
        assert!(sealed.is_some(), "there is room for the tag");
        packet
    }

    fn take(&mut self, _: Instant, datagram: &mut [u8]) -> Option<u64> {
        let payload = media_floor::open(&self.keys.to_client, datagram)?;
        stamp(&datagram[payload])
    }

    fn chores(&mut self, _: Instant) -> Vec<Vec<u8>> {
        Vec::new()
    }
}
