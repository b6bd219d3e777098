//! A connected transport's media: what is sent, what is received, and the RTCP about both.

use prefetch::prefetch;

use super::{context::Context, receiver::Receiver, sender::Sender, socket::PACKET_BYTES_MAX};
use crate::{
    plan::{Keying, ReceivePlan, Shown, TransportPlan},
    srtp::{OVERHEAD_BYTES_MAX, Srtp},
    wire::{
        rtcp::{self, Item, Writer},
        rtp::Header,
        twcc::Arrivals,
    },
};

/// From one transport-wide feedback to the next, in nanoseconds.
const FEEDBACK_NS: u64 = 50_000_000;
/// From one request for a key frame to the next.
const KEYFRAME_NS: u64 = 500_000_000;
/// SSRCs of a participant that are awaited at a time.
const EARLY_SSRCS_MAX: usize = 8;

/// Everything after the handshake.
pub struct Session {
    participant: u32,
    rtcp: bool,
    send: Srtp,
    receive: Srtp,
    senders: Vec<Sender>,
    receivers: Vec<Receiver>,
    /// SSRCs that no answer has announced yet, and how many packets they had: media may overtake the answer.
    early: Vec<(u32, u64)>,
    arrivals: Option<Box<Arrivals>>,
    transport_cc: u16,
    rtcp_index: u32,
    report_at_ns: u64,
    feedback_at_ns: u64,
    ask_at_ns: u64,
    keyframe_at_ns: u64,
    /// Whether a picture was shown.
    has_seen: bool,
}

impl Session {
    /// Begins to carry out what is left of the plan.
    pub fn new(plan: &mut TransportPlan, send: Srtp, receive: Srtp, context: &Context<'_>) -> Self {
        let raw = matches!(plan.keying, Keying::Raw { .. });
        let now_ns = context.now_ns;
        let sender = |track: crate::plan::SendPlan| {
            Sender::new(
                track.clone(),
                context.options.profile_of(plan.participant).pace(track.kind),
                plan.participant,
                raw,
                now_ns,
            )
        };
        let senders = std::mem::take(&mut plan.sends).into_iter().map(sender).collect();
        let mut session = Self {
            participant: plan.participant,
            rtcp: plan.rtcp,
            send,
            receive,
            senders,
            receivers: Vec::new(),
            early: Vec::new(),
            arrivals: None,
            transport_cc: 1,
            rtcp_index: 1,
            report_at_ns: if plan.rtcp { now_ns + 200_000_000 } else { u64::MAX },
            feedback_at_ns: u64::MAX,
            ask_at_ns: u64::MAX,
            keyframe_at_ns: 0,
            has_seen: false,
        };
        session.receive(std::mem::take(&mut plan.receives));
        session
    }

    /// Has the processor fetch what a packet or a timer touches of it …
    pub fn prefetch(&self) {
        prefetch(self);
    }

    /// … then its streams.
    pub fn prefetch_streams(&self) {
        self.senders.iter().for_each(prefetch);
        self.receivers.iter().for_each(prefetch);
    }

    /// More streams; one that is known begins anew.
    pub fn receive(&mut self, streams: Vec<ReceivePlan>) {
        for stream in streams {
            if self.rtcp && stream.transport_cc_id.is_some() && self.arrivals.is_none() {
                self.arrivals = Some(Box::default());
                self.feedback_at_ns = 0;
            }
            self.early.retain(|(ssrc, _)| *ssrc != stream.ssrc);
            self.receivers.retain(|known| known.ssrc() != stream.ssrc);
            self.receivers.push(Receiver::new(stream, self.participant));
        }
    }

    /// Somebody else's media on a stream.
    pub fn show(&mut self, ssrc: u32, shown: Option<Shown>, now_ns: u64) {
        self.receivers.iter_mut().filter(|r| r.ssrc() == ssrc).for_each(|r| r.show(shown, now_ns));
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> u64 {
        let next = self.senders.iter().map(|sender| sender.next_ns).min().unwrap_or(u64::MAX);
        next.min(self.report_at_ns).min(self.feedback_at_ns).min(self.ask_at_ns)
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) {
        for sender in &mut self.senders {
            sender.poll(&self.send, &mut self.transport_cc, context);
        }
        if self.ask_at_ns <= context.now_ns {
            self.ask(context);
        }
        if self.feedback_at_ns <= context.now_ns {
            self.feedback_at_ns = context.now_ns + FEEDBACK_NS;
            self.feedback(context);
        }
        if self.report_at_ns <= context.now_ns {
            let interval = context.options.profile_of(self.participant).report_interval_ns;
            // RFC 3550 §6.2: spread, so that not everybody reports at once.
            let spread =
                u64::from(self.participant.wrapping_mul(2_654_435_761).wrapping_add(self.rtcp_index) % 1_000);
            self.report_at_ns = context.now_ns + interval / 2 + interval * spread / 1_000;
            self.report(context);
        }
    }

    /// Takes RTP or RTCP in.
    pub fn handle_datagram(&mut self, datagram: &mut [u8], arrival_ns: u64, context: &mut Context<'_>) {
        // RFC 5761 §4
        if datagram.get(1).is_some_and(|kind| (192..=223).contains(kind)) {
            match self.receive.open_rtcp(datagram) {
                Some(length) => self.rtcp(datagram.get(..length).unwrap_or_default(), context),
                None => context.measure.counters.unauthenticated += 1,
            }
            return;
        }
        let Some(header) = Header::read(datagram) else { return };
        let Some(receiver) = self.receivers.iter_mut().find(|receiver| receiver.owns(header.ssrc)) else {
            self.count_early(header.ssrc, context);
            return;
        };
        let arrivals = self.arrivals.as_deref_mut();
        receiver.packet(&header, datagram, arrival_ns, &self.receive, arrivals, context);
        if receiver.take_begins_to_show() && !std::mem::replace(&mut self.has_seen, true) {
            context.first_frame(self.participant, arrival_ns);
        }
        if self.rtcp
            && let Some(at) = receiver.ask_at()
        {
            self.ask_at_ns = self.ask_at_ns.min(at);
        }
    }

    fn count_early(&mut self, ssrc: u32, context: &mut Context<'_>) {
        if let Some((_, packets)) = self.early.iter_mut().find(|(known, _)| *known == ssrc) {
            *packets += 1;
        } else if self.early.len() < EARLY_SSRCS_MAX {
            self.early.push((ssrc, 1));
        } else {
            context.measure.counters.unknown_ssrc += 1;
        }
    }

    fn rtcp(&mut self, compound: &[u8], context: &mut Context<'_>) {
        context.measure.counters.rtcp_received += 1;
        let (senders, receivers, keys) = (&mut self.senders, &mut self.receivers, &self.send);
        rtcp::read(compound, |item| match item {
            Item::SenderReport { ssrc, ntp_middle } => {
                let now_ns = context.now_ns;
                let of = receivers.iter_mut().filter(|r| r.ssrc() == ssrc);
                of.for_each(|receiver| receiver.sender_report(ntp_middle, now_ns));
            }
            Item::Nack { ssrc, sequence, mask } => {
                for sender in senders.iter_mut().filter(|sender| sender.ssrc() == ssrc) {
                    let further = (0..16).filter(|bit| mask & 1 << bit != 0).map(|bit| bit + 1);
                    for ahead in std::iter::once(0).chain(further) {
                        context.measure.counters.nack_received += 1;
                        sender.again(sequence.wrapping_add(ahead), keys, context);
                    }
                }
            }
            Item::Keyframe { ssrc } => {
                context.measure.counters.keyframes_wanted += 1;
                senders.iter_mut().filter(|s| s.ssrc() == ssrc).for_each(|s| s.keyframe_wanted = true);
            }
            Item::TransportCc => context.measure.counters.transport_cc_received += 1,
            Item::ReceiverReport => {}
        });
    }

    /// The SSRC that reports are from.
    fn own_ssrc(&self) -> u32 {
        self.senders.first().map_or(1, Sender::ssrc)
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        let own = self.own_ssrc();
        let mut entries = Vec::new();
        let may_want_keyframe = self.keyframe_at_ns <= context.now_ns;
        let mut asked = (0, 0);
        let mut receivers = std::mem::take(&mut self.receivers);
        self.compound(context, |writer, now_ns| {
            writer.receiver_report(own, std::iter::empty());
            for receiver in &mut receivers {
                let count = receiver.ask(now_ns, &mut entries);
                if count > 0 {
                    writer.nack(own, receiver.ssrc(), &entries);
                    asked.0 += count;
                }
                if may_want_keyframe && receiver.take_keyframe_wanted() {
                    writer.pli(own, receiver.ssrc());
                    asked.1 += 1;
                }
            }
            asked != (0, 0)
        });
        self.receivers = receivers;
        self.ask_at_ns = self.receivers.iter().filter_map(Receiver::ask_at).min().unwrap_or(u64::MAX);
        context.measure.counters.nack_sent += asked.0;
        context.measure.counters.pli_sent += asked.1;
        if asked.1 > 0 {
            self.keyframe_at_ns = context.now_ns + KEYFRAME_NS;
        }
    }

    fn feedback(&mut self, context: &mut Context<'_>) {
        let own = self.own_ssrc();
        let Some(mut arrivals) = self.arrivals.take() else { return };
        if !arrivals.is_empty() {
            let media = self.receivers.first().map_or(0, Receiver::ssrc);
            let mut content = [0; 1_200];
            let length = arrivals.write(own, media, &mut content);
            self.compound(context, |writer, _| {
                writer.receiver_report(own, std::iter::empty());
                writer.transport_cc(content.get(..length).unwrap_or_default());
                length > 0
            });
        }
        self.arrivals = Some(arrivals);
    }

    fn report(&mut self, context: &mut Context<'_>) {
        let own = self.own_ssrc();
        let senders = std::mem::take(&mut self.senders);
        let receivers = std::mem::take(&mut self.receivers);
        self.compound(context, |writer, now_ns| {
            for sender in senders.iter().filter(|sender| sender.has_sent()) {
                writer.sender_report(&sender.info(now_ns));
            }
            writer.receiver_report(own, receivers.iter().filter_map(|receiver| receiver.report(now_ns)));
            writer.cname(own);
            true
        });
        (self.senders, self.receivers) = (senders, receivers);
    }

    /// Seals and sends what `write` writes, if it says that there is something.
    fn compound(&mut self, context: &mut Context<'_>, write: impl FnOnce(&mut Writer<'_>, u64) -> bool) {
        let (index, now_ns, keys) = (self.rtcp_index, context.now_ns, &self.send);
        let mut something = false;
        context.out(|to| {
            let mut writer = Writer::new(to.get_mut(..PACKET_BYTES_MAX - OVERHEAD_BYTES_MAX)?);
            something = write(&mut writer, now_ns);
            let length = writer.finish();
            if something { keys.seal_rtcp(index, to, length) } else { None }
        });
        if something {
            self.rtcp_index += 1;
            context.measure.counters.rtcp_sent += 1;
        }
    }

    /// A measuring window begins.
    pub fn begin_window(&mut self) {
        self.early.clear();
        self.receivers.iter_mut().for_each(Receiver::begin_window);
    }

    /// It ends.
    pub fn end_window(&mut self, context: &mut Context<'_>) {
        context.measure.counters.unknown_ssrc += self.early.iter().map(|(_, packets)| packets).sum::<u64>();
        self.receivers.iter_mut().for_each(|receiver| receiver.end_window(context));
    }
}
