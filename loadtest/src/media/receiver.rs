//! A received stream: whose media came, in what order, how late, and what is missing.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed};

use super::{
    context::Context,
    order::{HELD_BACK_NS, Order, Place},
    picture::Picture,
};
use crate::{
    findings::{Fault, Finding},
    plan::{ANYBODY, Kind, ReceivePlan, Shown},
    srtp::Srtp,
    wire::{
        rtcp::ReportBlock,
        rtp::Header,
        stamp::Stamp,
        twcc::{Arrivals, nearest},
        vp8,
    },
};

/// How long packets of the one who was shown before are tolerated.
const CHANGE_NS: u64 = 1_000_000_000;
/// How long media of somebody may be ahead of the layout that announces them.
const AHEAD_NS: u64 = 2_000_000_000;
/// How long a gap may be mere reordering.
const REORDERING_NS: u64 = 5_000_000;
/// From one request to the next.
const ASK_AGAIN_NS: u64 = 40_000_000;
/// How long something missing is asked for.
const PATIENCE_NS: u64 = 600_000_000;
/// Packets that are asked for at one time.
const MISSING_MAX: usize = 128;
/// Answered requests that are remembered.
const ANSWERED_MAX: usize = 32;

#[derive(Debug, Clone, Copy)]
struct Missing {
    index: u64,
    since_ns: u64,
    ask_ns: u64,
    asked: bool,
}

/// Packets of somebody whom the stream does not show, or not yet: media may overtake the layout.
#[derive(Debug, Clone, Copy)]
struct Early {
    finding: Finding,
    sender: u32,
    packets: u64,
    since_ns: u64,
}

/// A stream that is received.
#[derive(Debug)]
pub struct Receiver {
    plan: ReceivePlan,
    /// Who receives.
    participant: u32,
    previous: Option<(Option<Shown>, u64)>,
    early: Option<Early>,
    order: Option<Order>,
    /// What a decoder would show; None for sound, and before anything came.
    picture: Option<Picture>,
    newest: Option<u64>,
    rtx_newest: Option<u64>,
    missing: Vec<Missing>,
    /// Indices that were asked for and have come: they may come again.
    answered: VecDeque<u64>,
    packets: u32,
    begin: u64,
    last_report: (u32, u64),
    keyframe_wanted: bool,
    begins_to_show: bool,
}

impl Receiver {
    /// A stream of which nothing has come.
    pub fn new(plan: ReceivePlan, participant: u32) -> Self {
        Self {
            plan,
            participant,
            previous: None,
            early: None,
            order: None,
            picture: None,
            newest: None,
            rtx_newest: None,
            missing: Vec::new(),
            answered: VecDeque::new(),
            packets: 0,
            begin: 0,
            last_report: (0, 0),
            keyframe_wanted: false,
            begins_to_show: false,
        }
    }

    /// Its SSRC.
    pub fn ssrc(&self) -> u32 {
        self.plan.ssrc
    }

    /// Whether an SSRC is this stream's, or its retransmissions'.
    pub fn owns(&self, ssrc: u32) -> bool {
        self.plan.ssrc == ssrc || self.plan.rtx.is_some_and(|rtx| rtx.ssrc == ssrc)
    }

    /// It carries somebody else's media from now on.
    pub fn show(&mut self, shown: Option<Shown>, now_ns: u64) {
        if self.plan.shown != shown {
            self.previous = Some((self.plan.shown, now_ns + CHANGE_NS));
            self.plan.shown = shown;
        }
        // What was ahead of its announcement was right.
        self.early = self.early.filter(|early| shown.is_none_or(|shown| shown.sender != early.sender));
    }

    /// Takes a packet in.
    pub fn packet(
        &mut self,
        header: &Header,
        packet: &mut [u8],
        arrival_ns: u64,
        keys: &Srtp,
        arrivals: Option<&mut Arrivals>,
        context: &mut Context<'_>,
    ) {
        let is_rtx = header.ssrc != self.plan.ssrc;
        let newest = if is_rtx { &mut self.rtx_newest } else { &mut self.newest };
        let reference = newest.unwrap_or(u64::from(header.sequence));
        let index = nearest(reference, header.sequence);
        let Some(end) = keys.open_rtp(header.ssrc, index, packet, header.length) else {
            context.measure.find(self.finding(Fault::Unauthenticated, arrival_ns));
            return;
        };
        let first = newest.is_none();
        *newest = Some(newest.unwrap_or(index).max(index));
        if let (Some(id), Some(arrivals)) = (self.plan.transport_cc_id, arrivals)
            && let Some([n0, n1]) = header.extension(packet, id)
        {
            arrivals.note(u16::from_be_bytes([*n0, *n1]), arrival_ns);
        }
        let Some(mut payload) = packet.get(header.length..end) else { return };
        let mut original = index;
        if is_rtx {
            let Some((number, rest)) = payload.split_first_chunk() else { return };
            original = nearest(self.newest.unwrap_or(0), u16::from_be_bytes(*number));
            payload = rest;
        }
        if payload.is_empty() || (header.padded && payload.last() == Some(&(payload.len() as u8))) {
            context.measure.counters.padding += 1;
            return;
        }
        context.measure.counters.received += 1;
        let asked = self.was_asked(original) || is_rtx;
        if !is_rtx {
            if first {
                self.begin = index;
            } else if index > reference {
                self.note_gap(reference, index, context.now_ns);
            }
            self.packets = self.packets.wrapping_add(1);
        }
        self.judge(header, payload, arrival_ns, asked, context);
    }

    /// What the stamp says: is it the right one, is it in order, how late is it.
    fn judge(
        &mut self,
        header: &Header,
        payload: &[u8],
        arrival_ns: u64,
        asked: bool,
        context: &mut Context<'_>,
    ) {
        let stamp_at = if self.plan.kind == Kind::Video { vp8::STAMP_AT } else { 1 };
        // What is no stamp at this kind's place may be one of the other kind's.
        let other_at = if self.plan.kind == Kind::Video { 1 } else { vp8::STAMP_AT };
        let read = |at: usize| payload.get(at..).and_then(Stamp::read);
        let Some(stamp) = read(stamp_at).or_else(|| read(other_at)) else {
            context.measure.find(self.finding(Fault::Garbled, arrival_ns));
            return;
        };
        let finding = |fault| Finding {
            sender: Some(stamp.sender),
            sequence: Some(stamp.sequence),
            ..self.finding(fault, arrival_ns)
        };
        if !context.is_together(stamp.sender, self.participant) || stamp.sender == self.participant {
            context.measure.find(finding(Fault::Misrouted));
            return;
        }
        if stamp.kind != self.plan.kind {
            context.measure.find(finding(Fault::WrongTrack));
            return;
        }
        let previous =
            self.previous.filter(|(_, until)| context.now_ns < *until).and_then(|(shown, _)| shown);
        let of_sender = |shown: &Shown| shown.sender == stamp.sender || shown.sender == ANYBODY;
        let Some(shown) = self.plan.shown.filter(of_sender).or(previous.filter(of_sender)) else {
            let finding = finding(Fault::Misrouted);
            self.early(finding, stamp.sender, context);
            return;
        };
        if shown.csrc.is_some() && shown.csrc != header.csrc {
            context.measure.find(finding(Fault::WrongCsrc));
            return;
        }
        self.order(&stamp, arrival_ns, asked, context);
    }

    fn finding(&self, fault: Fault, at_ns: u64) -> Finding {
        let at_s = at_ns as f64 / 1e9;
        let (receiver, track) = (self.participant, self.plan.kind);
        Finding { fault, at_s, receiver, track, sender: None, sequence: None, late_ms: None }
    }

    /// Somebody's whom nobody has announced: misrouted, unless the announcement comes soon.
    fn early(&mut self, finding: Finding, sender: u32, context: &mut Context<'_>) {
        let now_ns = context.now_ns;
        let early = match self.early {
            Some(early) if early.sender == sender => Early { packets: early.packets + 1, ..early },
            other => {
                other.into_iter().for_each(|early| misrouted(&early, context));
                Early { finding, sender, packets: 1, since_ns: now_ns }
            }
        };
        self.early = Some(early);
        self.judge_early(context);
    }

    /// Whose announcement has not come by now has no business here.
    fn judge_early(&mut self, context: &mut Context<'_>) {
        if let Some(early) = &mut self.early
            && context.now_ns.saturating_sub(early.since_ns) > AHEAD_NS
        {
            misrouted(early, context);
            early.packets = 0;
        }
    }

    /// Its place among what its sender sent: in order, late, or there already.
    fn order(&mut self, stamp: &Stamp, arrival_ns: u64, asked: bool, context: &mut Context<'_>) {
        let ends = (stamp.sender, self.participant);
        let order = match &mut self.order {
            Some(order) if order.sender() == stamp.sender => order,
            _ => {
                self.close_order(context);
                self.order = Some(Order::begin(stamp.sender, stamp.sequence, stamp.sent_ns));
                self.picture = None;
                context.measure.delay(ends, stamp.sent_ns, arrival_ns);
                return self.look(stamp, arrival_ns);
            }
        };
        let place = order.note(stamp.sequence, stamp.sent_ns, asked);
        let late_ms = Some(arrival_ns.saturating_sub(stamp.sent_ns) as f64 / 1e6);
        let (sender, sequence) = (Some(stamp.sender), Some(stamp.sequence));
        let finding = |fault| Finding { sender, sequence, late_ms, ..self.finding(fault, arrival_ns) };
        match place {
            Place::Newest { missed, gone } => {
                context.measure.counters.gaps += u64::from(missed);
                if gone.is_some() {
                    // Counted when the window ends; only its name is noted here.
                    let gone = Finding { sequence: gone, late_ms: None, ..finding(Fault::Lost) };
                    context.measure.findings.note(gone);
                }
            }
            Place::Repaired => context.measure.counters.repaired += 1,
            Place::Repeated => context.measure.counters.repeated += 1,
            Place::Duplicate => return context.measure.find(finding(Fault::Duplicate)),
            Place::Overtaken { by_ns, was_repaired } => {
                context.measure.counters.late_after_repair += u64::from(was_repaired);
                let fault = if by_ns < HELD_BACK_NS { Fault::Reordered } else { Fault::Delayed };
                context.measure.find(finding(fault));
            }
        }
        if !asked {
            context.measure.delay(ends, stamp.sent_ns, arrival_ns);
        }
        self.look(stamp, arrival_ns);
    }

    /// Hands a packet to the picture.
    fn look(&mut self, stamp: &Stamp, arrival_ns: u64) {
        if stamp.kind != Kind::Video {
            return;
        }
        let picture = self.picture.get_or_insert_with(Picture::new);
        let had_shown = picture.has_shown();
        picture.packet(stamp.sequence, stamp.frame, arrival_ns);
        self.begins_to_show |= !had_shown && picture.has_shown();
    }

    /// Whether the first frame of somebody was shown since the last call.
    pub fn take_begins_to_show(&mut self) -> bool {
        std::mem::take(&mut self.begins_to_show)
    }

    fn was_asked(&mut self, index: u64) -> bool {
        if self.missing.is_empty() && self.answered.is_empty() {
            return false;
        }
        let Some(at) = self.missing.iter().position(|missing| missing.index == index) else {
            return self.answered.contains(&index);
        };
        let asked = self.missing.swap_remove(at).asked;
        // Over RTX a retransmission says itself that it is one.
        if asked && self.plan.rtx.is_none() {
            self.answered.truncate(ANSWERED_MAX - 1);
            self.answered.push_front(index);
        }
        asked
    }

    fn note_gap(&mut self, newest: u64, index: u64, now_ns: u64) {
        if !self.plan.nack || index == newest + 1 {
            return;
        }
        let room = MISSING_MAX.saturating_sub(self.missing.len());
        let gap = (newest + 1..index).rev().take(room);
        let ask_ns = now_ns + REORDERING_NS;
        self.missing.extend(gap.map(|index| Missing { index, since_ns: now_ns, ask_ns, asked: false }));
    }

    /// When [`Self::ask`] has something to do.
    pub fn ask_at(&self) -> Option<u64> {
        self.missing.iter().map(|missing| missing.ask_ns).min()
    }

    /// The (sequence, mask) entries to ask for now.
    pub fn ask(&mut self, now_ns: u64, entries: &mut Vec<(u16, u16)>) -> u64 {
        entries.clear();
        let before = self.missing.len();
        self.missing.retain(|missing| now_ns - missing.since_ns < PATIENCE_NS);
        self.keyframe_wanted |= before > self.missing.len() && self.plan.kind == Kind::Video;
        let mut due: Vec<u64> = Vec::new();
        for missing in self.missing.iter_mut().filter(|missing| missing.ask_ns <= now_ns) {
            missing.ask_ns = now_ns + ASK_AGAIN_NS;
            missing.asked = true;
            due.push(missing.index);
        }
        due.sort_unstable();
        let mut base = 0;
        for index in &due {
            match entries.last_mut() {
                Some((_, mask)) if (1..=16).contains(&(index - base)) => *mask |= 1 << (index - base - 1),
                _ => {
                    base = *index;
                    entries.push((*index as u16, 0));
                }
            }
        }
        due.len() as u64
    }

    /// Whether a key frame is to be asked for, once.
    pub fn take_keyframe_wanted(&mut self) -> bool {
        std::mem::take(&mut self.keyframe_wanted)
    }

    /// Notes a sender report.
    pub fn sender_report(&mut self, ntp_middle: u32, now_ns: u64) {
        self.last_report = (ntp_middle, now_ns);
    }

    /// What a receiver report says about it. None before the first packet.
    pub fn report(&self, now_ns: u64) -> Option<ReportBlock> {
        let newest = self.newest?;
        let (last_report, at_ns) = self.last_report;
        let since_report = match last_report {
            0 => 0,
            _ => ((u128::from(now_ns.saturating_sub(at_ns)) << 16) / 1_000_000_000) as u32,
        };
        let expected = (newest - self.begin.min(newest) + 1) as u32;
        let lost = expected.saturating_sub(self.packets);
        Some(ReportBlock { ssrc: self.plan.ssrc, lost, highest: newest as u32, last_report, since_report })
    }

    /// A measuring window begins.
    pub fn begin_window(&mut self) {
        if let Some(order) = &mut self.order {
            order.begin_window();
        }
        if let Some(picture) = &mut self.picture {
            picture.begin_window();
        }
    }

    /// The window ends: what is missing counts as lost.
    pub fn end_window(&mut self, context: &mut Context<'_>) {
        self.judge_early(context);
        self.close_order(context);
        self.begin_window();
        let Some(shown) = self.plan.shown else { return };
        let pace = context.options.profile_of(shown.sender).pace(self.plan.kind);
        if pace.interval_ns == 0 {
            return;
        }
        // What is still on its way is not lost; a second of it is.
        let slides = pace.slides.map_or(0, |slides| slides.packets);
        let slack = u64::from(pace.burst) * (1_000_000_000 / pace.interval_ns + 1)
            + u64::from(slides + pace.keyframe_burst);
        let sent = context.sent(shown.sender, self.plan.kind).load(Relaxed);
        let newest = match &self.order {
            Some(order) if order.sender() == shown.sender => order.newest() + 1,
            _ => 0,
        };
        let behind = u64::from(sent.saturating_sub(newest)).saturating_sub(slack);
        context.measure.counters.lost += behind;
        context.measure.counters.lost_at_the_end += behind;
    }

    fn close_order(&mut self, context: &mut Context<'_>) {
        if let Some(order) = &self.order {
            context.measure.counters.lost += u64::from(order.lost());
            let named = order.missing().take(order.lost() as usize);
            for sequence in named {
                let (sender, sequence) = (Some(order.sender()), Some(sequence));
                let finding = self.finding(Fault::Lost, context.now_ns);
                context.measure.findings.note(Finding { sender, sequence, ..finding });
            }
        }
        if let Some(picture) = &mut self.picture {
            let seen = picture.take_seen(context.now_ns);
            let counters = &mut context.measure.counters;
            counters.frames += seen.frames;
            counters.freezes += seen.freezes;
            counters.frozen_ms += seen.frozen_ns / 1_000_000;
        }
    }
}

fn misrouted(early: &Early, context: &mut Context<'_>) {
    if let Some(more) = early.packets.checked_sub(1) {
        context.measure.find(early.finding);
        context.measure.counters.misrouted += more;
    }
}
