//! What a client receives in one slot, and what it measures there.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use media_engine::rtp::{NtpTime, RtpHeader, nearest_sequence, rtcp::SenderInfo};
use media_model::{MediaKind, SlotIndex};

use super::publish::Tag;

/// Before a missing packet is asked for, between two requests, and until it is given up.
const REORDERING: Duration = Duration::from_millis(20);
const ASK_AGAIN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What was measured in one slot.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Packets, retransmissions included.
    pub packets: u64,
    /// Of them, those that had been missing.
    pub recovered: u64,
    /// Packets that never came, though asked for.
    pub lost: u64,
    /// Packets whose sequence number had come already: asked for, but only overtaken, not lost.
    pub repeated: u64,
    /// Packets whose CSRC is not the publisher who made them.
    pub wrong_csrc: u64,
    /// Packets of somebody whom the layout neither shows nor just showed in this slot.
    pub wrong_slot: u64,
    /// Pictures of a new publisher that began without a key frame.
    pub started_without_keyframe: u64,
    /// Consecutive packets whose VP8 picture ids or timestamps do not follow each other.
    pub discontinuities: u64,
    /// Packets whose payload cannot be what was sent.
    pub garbled: u64,
    /// The longest that a packet was missing before it came after all: what a jitter buffer has to bear.
    pub late_max: Duration,
    /// When the last packet came.
    pub last_packet: Option<Instant>,
    /// When a packet of this participant came last, first or again.
    pub last_from: BTreeMap<u32, Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    since: Instant,
    due: Instant,
}

/// The packet last seen, and what it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    index: u64,
    pub timestamp: u32,
    pub csrc: u32,
    pub tag: Tag,
    picture_id: u16,
}

/// One slot of one kind.
#[derive(Debug)]
pub struct Slot {
    pub slot: SlotIndex,
    pub kind: MediaKind,
    pub ssrc: u32,
    pub rtx_ssrc: u32,
    pub received: Received,
    pub newest: Option<Newest>,
    missing: BTreeMap<u64, Missing>,
    report: Option<SenderInfo>,
    /// Whom the layout shows here, and whom it showed before.
    pub shown: Option<u32>,
    pub shown_before: Option<u32>,
    pub keyframe_wanted: bool,
}

impl Slot {
    pub fn new(slot: SlotIndex, kind: MediaKind, ssrc: u32) -> Self {
        Self {
            slot,
            kind,
            ssrc,
            rtx_ssrc: ssrc + 1,
            received: Received::default(),
            newest: None,
            missing: BTreeMap::new(),
            report: None,
            shown: None,
            shown_before: None,
            keyframe_wanted: false,
        }
    }

    /// Takes a plain packet of the slot's SSRC, or of its retransmissions.
    pub fn packet(&mut self, now: Instant, header: &RtpHeader, csrc: Option<u32>, payload: &[u8]) {
        let (sequence, payload) = if header.ssrc == self.rtx_ssrc {
            match payload.split_first_chunk::<2>() {
                Some((original, payload)) => (u16::from_be_bytes(*original), payload),
                None => return,
            }
        } else {
            (header.sequence, payload)
        };
        let (Some(tag), Some(csrc)) = (Tag::read(payload), csrc) else {
            self.received.garbled += 1;
            return;
        };
        self.received.last_from.insert(csrc, now);
        let reference = self.newest.map_or(1 << 32 | u64::from(sequence), |n| n.index);
        let index = nearest_sequence(reference, sequence);
        let picture_id = match payload.get(2..4) {
            Some(id) if self.kind == MediaKind::Video => u16::from_be_bytes([id[0], id[1]]) & 0x7fff,
            _ => 0,
        };
        let packet = Newest { index, timestamp: header.timestamp, csrc, tag, picture_id };
        if !self.order(now, &packet) {
            self.received.repeated += 1;
            return;
        }
        self.received.packets += 1;
        self.received.last_packet = Some(now);
        self.received.wrong_csrc += u64::from(csrc != tag.publisher);
        let expected = [self.shown, self.shown_before].contains(&Some(csrc));
        self.received.wrong_slot += u64::from(!expected);
        match self.newest {
            Some(newest) if newest.index >= index => return,
            Some(newest) => self.compare(&newest, &packet, payload),
            None => {}
        }
        self.newest = Some(packet);
    }

    /// Whether the packet is the first of its number; keeps the list of what is missing.
    fn order(&mut self, now: Instant, packet: &Newest) -> bool {
        match self.newest {
            Some(newest) if packet.index <= newest.index => {
                let found = self.missing.remove(&packet.index);
                if let Some(missing) = found {
                    self.received.recovered += 1;
                    self.received.late_max = self.received.late_max.max(now - missing.since);
                }
                found.is_some()
            }
            Some(newest) => {
                let missing = Missing { since: now, due: now + REORDERING };
                // More than that is not loss but a jump, which the continuity check counts.
                let gap = (newest.index + 1..packet.index).take(1_000);
                self.missing.extend(gap.map(|index| (index, missing)));
                true
            }
            None => true,
        }
    }

    fn compare(&mut self, newest: &Newest, packet: &Newest, payload: &[u8]) {
        let ahead = packet.timestamp.wrapping_sub(newest.timestamp).cast_signed();
        let mut continues = ahead >= 0 && ahead < self.kind.clock_rate_hz().cast_signed() * 60;
        if self.kind == MediaKind::Video && packet.index == newest.index + 1 {
            let pictures = packet.picture_id.wrapping_sub(newest.picture_id) & 0x7fff;
            continues &= pictures == u16::from(ahead > 0);
            if packet.csrc != newest.csrc && !starts_with_keyframe(payload) {
                self.received.started_without_keyframe += 1;
            }
        }
        self.received.discontinuities += u64::from(!continues);
    }

    /// Notes the server's report about this slot.
    pub fn sender_report(&mut self, info: SenderInfo) {
        self.report = Some(info);
    }

    /// When the newest packet was captured by the server's word, minus when it really was, in nanoseconds; and whose it is.
    pub fn capture_error_ns(&self, begin: NtpTime) -> Option<(u32, i64)> {
        let (report, newest) = (self.report?, self.newest?);
        let ticks = i64::from(newest.timestamp.wrapping_sub(report.rtp_timestamp).cast_signed());
        let since_report = ticks * 1_000_000_000 / i64::from(self.kind.clock_rate_hz());
        let told = report.ntp.nanos_since(begin) + since_report;
        Some((newest.csrc, told - newest.tag.captured_ns.cast_signed()))
    }

    /// The sequence numbers to ask for now.
    pub fn nack(&mut self, now: Instant) -> Vec<u16> {
        let before = self.missing.len();
        self.missing.retain(|_, m| now - m.since < PATIENCE);
        let given_up = before - self.missing.len();
        if given_up > 0 {
            self.received.lost += given_up as u64;
            self.keyframe_wanted |= self.kind == MediaKind::Video;
        }
        let due = self.missing.iter_mut().filter(|(_, m)| m.due <= now);
        due.map(|(index, m)| {
            m.due = now + ASK_AGAIN;
            *index as u16
        })
        .collect()
    }

    /// The layout puts somebody else here.
    pub fn show(&mut self, publisher: Option<u32>) {
        if publisher != self.shown {
            // Between two people a slot may be empty, while packets of the first are still on their way.
            self.shown_before = self.shown.or(self.shown_before);
            self.shown = publisher;
            self.keyframe_wanted = false;
        }
    }
}

fn starts_with_keyframe(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first & 0x1f == 0x10)
        && payload.get(6).is_some_and(|header| header & 1 == 0)
}
