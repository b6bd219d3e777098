//! A published track: packets on a clock, and again when they are asked for.

use std::sync::atomic::Ordering::Relaxed;

use super::{context::Context, socket::PACKET_BYTES_MAX};
use crate::{
    plan::{Kind, Pace, SendPlan},
    srtp::Srtp,
    wire::{
        rtcp::SenderInfo,
        rtp::{self, Elements, Fields},
        stamp::{InFrame, Stamp},
        twcc::nearest,
        vp8,
    },
};

/// Packets that can be sent again: those of five seconds, within these bounds.
const REMEMBERED_NS: u64 = 5_000_000_000;
const REMEMBERED_MIN: u64 = 8;
const REMEMBERED_MAX: u64 = 256;
/// How long every packet names its line.
const MID_NS: u64 = 2_000_000_000;
/// Later than that, what was due is left out instead of sent in a burst.
const LAG_NS_MAX: u64 = 500_000_000;
/// From one packet of silence to the next, as Opus sends them with DTX.
const SILENCE_INTERVAL_NS: u64 = 400_000_000;
/// What stands behind the stamp, the same in every packet so that one can be written again.
const FILLER: [u8; PACKET_BYTES_MAX] = [0xa5; PACKET_BYTES_MAX];

/// All that is needed to write a packet, and to write it again byte for byte.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    index: u64,
    sent_ns: u64,
    timestamp: u32,
    number: u32,
    picture_id: u16,
    transport_cc: u16,
    starts_frame: bool,
    keyframe: bool,
    marker: bool,
    with_mid: bool,
}

/// A track that is sent.
#[derive(Debug)]
pub struct Sender {
    plan: SendPlan,
    pace: Pace,
    participant: u32,
    /// When the next burst is due.
    pub next_ns: u64,
    /// Whether the next picture is to be a key frame.
    pub keyframe_wanted: bool,
    next: Sent,
    rtx_index: u64,
    sent: Vec<Sent>,
    packets: u32,
    bytes: u32,
    mid_until_ns: u64,
    spurt: Spurt,
    /// When the next large frame is due.
    slide_ns: u64,
}

/// Talk or silence, until when.
#[derive(Debug, Clone, Copy, Default)]
struct Spurt {
    talks: bool,
    until_ns: u64,
    number: u32,
}

impl Sender {
    /// A track that begins now, somewhere in its interval so that not all send at once.
    pub fn new(plan: SendPlan, pace: Pace, participant: u32, raw: bool, now_ns: u64) -> Self {
        let phase = phase_ns(participant, plan.kind, pace.interval_ns);
        let begin = if raw { 0 } else { u64::from(plan.ssrc & 0x0fff) };
        let timestamp = if raw { 0 } else { plan.ssrc.rotate_left(9) };
        Self {
            pace,
            participant,
            next_ns: if pace.interval_ns == 0 { u64::MAX } else { now_ns + phase },
            keyframe_wanted: true,
            next: Sent { index: begin, timestamp, ..Sent::default() },
            rtx_index: begin,
            sent: Vec::new(),
            packets: 0,
            bytes: 0,
            mid_until_ns: now_ns + MID_NS,
            spurt: Spurt { talks: pace.spurts.is_none(), until_ns: now_ns, number: 0 },
            slide_ns: pace.slides.map_or(u64::MAX, |slides| {
                now_ns + slides.every_ns * u64::from(participant.wrapping_mul(7_919) % 1_000) / 1_000
            }),
            plan,
        }
    }

    /// Its SSRC.
    pub fn ssrc(&self) -> u32 {
        self.plan.ssrc
    }

    /// Sends what is due.
    pub fn poll(&mut self, keys: &Srtp, transport_cc: &mut u16, context: &mut Context<'_>) {
        while self.next_ns <= context.now_ns {
            let lag = context.now_ns - self.next_ns;
            let begins_to_talk = self.turn();
            self.next_ns += self.interval_ns();
            if lag > LAG_NS_MAX {
                context.measure.counters.skipped += u64::from(self.pace.burst);
                continue;
            }
            context.measure.lag_ns.saturating_record(lag.max(1));
            self.burst(begins_to_talk, keys, transport_cc, context);
        }
    }

    /// From this packet to the next.
    fn interval_ns(&self) -> u64 {
        if self.spurt.talks { self.pace.interval_ns } else { self.pace.interval_ns.max(SILENCE_INTERVAL_NS) }
    }

    /// Goes on to talk, or to silence, where it is time. Says whether talk begins with the packet that is due.
    fn turn(&mut self) -> bool {
        let Some(spurts) = self.pace.spurts.filter(|_| self.spurt.until_ns <= self.next_ns) else {
            return false;
        };
        let Spurt { talks, number, .. } = self.spurt;
        let mean_ns = if talks { spurts.silence_ns } else { spurts.talk_ns };
        // Lengths are spread as those of waiting times are, and always the same for a participant.
        let random = (self.participant ^ number.rotate_left(16)).wrapping_mul(2_654_435_761) >> 8;
        let share = -(f64::from(random.max(1)) / f64::from(1_u32 << 24)).ln();
        let length_ns = (mean_ns as f64 * share) as u64;
        let until_ns = self.next_ns + length_ns.max(self.pace.interval_ns);
        self.spurt = Spurt { talks: !talks, until_ns, number: number.wrapping_add(1) };
        !talks
    }

    /// Packets of the frame that is due.
    fn packets_due(&mut self, keyframe: bool) -> u32 {
        if keyframe {
            return self.pace.keyframe_burst;
        }
        match self.pace.slides {
            Some(slides) if self.slide_ns <= self.next_ns => {
                self.slide_ns += slides.every_ns;
                slides.packets
            }
            _ => self.pace.burst,
        }
    }

    fn burst(
        &mut self,
        begins_to_talk: bool,
        keys: &Srtp,
        transport_cc: &mut u16,
        context: &mut Context<'_>,
    ) {
        let is_video = self.plan.kind == Kind::Video;
        let keyframe = std::mem::take(&mut self.keyframe_wanted) && is_video;
        let burst = self.packets_due(keyframe);
        for i in 0..burst {
            self.next.starts_frame = is_video && i == 0;
            self.next.keyframe = keyframe;
            // RFC 3551 §4.1: the first packet of talk is marked too.
            self.next.marker = if is_video { i + 1 == burst } else { begins_to_talk };
            self.next.transport_cc = *transport_cc;
            self.next.with_mid = context.now_ns < self.mid_until_ns;
            self.next.sent_ns = context.stamp_ns();
            if self.plan.transport_cc_id.is_some() {
                *transport_cc = transport_cc.wrapping_add(1);
            }
            let packet = self.next;
            if context.out(|to| self.write(&packet, None, keys, to)) {
                self.remember(packet);
                self.packets = self.packets.wrapping_add(1);
                self.bytes = self.bytes.wrapping_add(self.pace.packet_bytes as u32);
                context.measure.counters.sent += 1;
            }
            self.next.number = self.next.number.wrapping_add(1);
            self.next.index += 1;
        }
        context.sent(self.participant, self.plan.kind).store(self.next.number, Relaxed);
        self.next.picture_id = self.next.picture_id.wrapping_add(1) & 0x7fff;
        let clock_rate = u64::from(clock_rate_hz(self.plan.kind));
        let ticks = self.interval_ns() * clock_rate / 1_000_000_000;
        self.next.timestamp = self.next.timestamp.wrapping_add(ticks as u32);
    }

    fn remember(&mut self, packet: Sent) {
        if self.sent.is_empty() {
            let packets = REMEMBERED_NS / self.pace.interval_ns.max(1) * u64::from(self.pace.burst);
            let places = packets.clamp(REMEMBERED_MIN, REMEMBERED_MAX) as usize;
            self.sent = vec![Sent { index: u64::MAX, ..Sent::default() }; places];
        }
        let places = self.sent.len();
        if let Some(place) = self.sent.get_mut(packet.index as usize % places) {
            *place = packet;
        }
    }

    /// Sends a packet again, over RTX where there is one.
    pub fn again(&mut self, sequence: u16, keys: &Srtp, context: &mut Context<'_>) {
        let index = nearest(self.next.index, sequence);
        let place = (index as usize).checked_rem(self.sent.len());
        let Some(packet) = place.and_then(|place| self.sent.get(place)).copied() else { return };
        if packet.index != index {
            return;
        }
        let rtx = self.plan.rtx.map(|rtx| (rtx.ssrc, rtx.payload_type, self.rtx_index));
        if context.out(|to| self.write(&packet, rtx, keys, to)) {
            self.rtx_index += u64::from(rtx.is_some());
            context.measure.counters.nack_answered += 1;
        }
    }

    /// Writes and seals a packet; `rtx` is SSRC, payload type and index of a retransmission (RFC 4588 §4).
    fn write(&self, packet: &Sent, rtx: Option<(u32, u8, u64)>, keys: &Srtp, to: &mut [u8]) -> Option<usize> {
        let (ssrc, payload_type, index) =
            rtx.unwrap_or((self.plan.ssrc, self.plan.payload_type, packet.index));
        let mut elements = Elements::default();
        if let Some(id) = self.plan.transport_cc_id {
            elements.add(id, &packet.transport_cc.to_be_bytes());
        }
        if let (Some(id), Kind::Audio) = (self.plan.audio_level_id, self.plan.kind) {
            elements.add(id, &[0x80 | 30]);
        }
        if let Some(mid) = self.plan.mid.as_ref().filter(|_| packet.with_mid) {
            elements.add(mid.id, mid.mid.as_bytes());
        }
        let fields = Fields {
            marker: packet.marker,
            payload_type,
            sequence: index as u16,
            timestamp: packet.timestamp,
            ssrc,
        };
        let header = rtp::write(to, &fields, &elements);
        let mut at = header;
        if rtx.is_some() {
            to.get_mut(at..at + 2)?.copy_from_slice(&(packet.index as u16).to_be_bytes());
            at += 2;
        }
        let stamp = Stamp {
            sender: self.participant,
            kind: self.plan.kind,
            frame: match self.plan.kind {
                Kind::Audio => InFrame::default(),
                Kind::Video => {
                    InFrame { starts: packet.starts_frame, ends: packet.marker, is_key: packet.keyframe }
                }
            },
            sequence: packet.number,
            sent_ns: packet.sent_ns,
        };
        // RFC 4588 §4: the original number and then the whole payload.
        let length = self.pace.packet_bytes.max(header + vp8::STAMP_AT + 20) + at - header;
        let payload = to.get_mut(at..length)?;
        payload.copy_from_slice(FILLER.get(..payload.len())?);
        let stamp_at = match self.plan.kind {
            // One frame of 20 ms, full band, in CELT mode (RFC 6716 §3.1).
            Kind::Audio => {
                *payload.first_mut()? = 0xfc;
                1
            }
            Kind::Video => {
                vp8::write(payload, packet.picture_id, packet.starts_frame, packet.keyframe);
                vp8::STAMP_AT
            }
        };
        if !stamp.write(payload.get_mut(stamp_at..)?) {
            return None;
        }
        keys.seal_rtp(ssrc, index, to, header, length)
    }

    /// Figures for a sender report.
    pub fn info(&self, now_ns: u64) -> SenderInfo {
        let interval = self.interval_ns().max(1);
        let since = now_ns.saturating_sub(self.next_ns.saturating_sub(interval));
        let ticks = since * u64::from(clock_rate_hz(self.plan.kind)) / 1_000_000_000;
        let step = interval * u64::from(clock_rate_hz(self.plan.kind)) / 1_000_000_000;
        let previous = self.next.timestamp.wrapping_sub(step as u32);
        SenderInfo {
            ssrc: self.plan.ssrc,
            now_ns,
            rtp_timestamp: previous.wrapping_add(ticks as u32),
            packets: self.packets,
            bytes: self.bytes,
        }
    }

    /// Whether anything was sent yet.
    pub fn has_sent(&self) -> bool {
        self.packets > 0
    }
}

/// When in its interval a track begins: anywhere, as by lot, and always the same. A rule that counts up, such as a multiple of
/// the number, falls into step with the rate of joins: then all send in the same few milliseconds of the interval.
fn phase_ns(participant: u32, kind: Kind, interval_ns: u64) -> u64 {
    // SplitMix64.
    let mut drawn = ((u64::from(participant) << 8) | kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    drawn ^= drawn >> 31;
    ((u128::from(drawn) * u128::from(interval_ns)) >> 64) as u64
}

fn clock_rate_hz(kind: Kind) -> u32 {
    match kind {
        Kind::Audio => 48_000,
        Kind::Video => 90_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_who_join_at_an_even_rate_do_not_send_in_step() {
        // A consult of three each twelfth of a second, 250 of them, a picture each 40 ms: how many begin in which millisecond.
        let mut begins = [0_u32; 40];
        for participant in 0..750 {
            let joined_ns = u64::from(participant / 3) * 1_000_000_000 / 12;
            let at_ns = (joined_ns + phase_ns(participant, Kind::Video, 40_000_000)) % 40_000_000;
            begins[at_ns as usize / 1_000_000] += 1;
        }
        // 18.75 on the average; lots that are drawn are off by 4.3, and hardly ever by four times that.
        assert!(begins.iter().all(|count| (4..=36).contains(count)), "{begins:?}");
        assert_ne!(phase_ns(5, Kind::Audio, 1 << 20), phase_ns(5, Kind::Video, 1 << 20));
    }
}
