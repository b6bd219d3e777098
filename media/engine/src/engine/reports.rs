//! RTCP to clients: reports on what they send, requests for what is missing of it, and the clocks of what they receive.

use std::time::{Duration, Instant};

use super::Engine;
use crate::{
    api::TransmitBuffer,
    rtp::rtcp::{CompoundWriter, SenderInfo},
};

/// Between two receiver reports to one transport (RFC 3550 §6.2 would allow fewer; browsers expect about one a second).
pub const RECEIVER_REPORT_INTERVAL: Duration = Duration::from_secs(1);

impl Engine {
    /// Does whatever is due for one transport; reports and feedback that are due until `soon`, too.
    pub(super) fn serve(&mut self, now: Instant, soon: Instant, place: usize, out: &mut TransmitBuffer) {
        let Some(peer) = self.peer_mut(place) else { return };
        let progress = peer.connection.handle_timeout(now, out);
        self.progress(now, place, progress, out);
        self.send_feedback(now, soon, place, out);
        self.send_requests(now, place, out);
        self.send_receiver_report(now, soon, place, out);
        self.send_sender_reports(now, soon, place, out);
    }

    /// When its packets arrived, for its bandwidth estimation.
    fn send_feedback(&mut self, now: Instant, soon: Instant, place: usize, out: &mut TransmitBuffer) {
        let Some(peer) = self.peer_mut(place) else { return };
        let connection = &mut peer.connection;
        if !connection.is_connected() {
            return;
        }
        // Several messages when much has come since; the count bounds a round, the rest is due again.
        for _ in 0..FEEDBACK_MESSAGES_MAX {
            let Some(due) = connection.feedback.poll_timeout().filter(|due| *due <= soon) else { return };
            let mut buffer = [0; FEEDBACK_BYTES_MAX];
            let Some(length) = connection.feedback.poll(now.max(due), &mut buffer) else { return };
            let message = buffer.get(..length).unwrap_or_default();
            let sent = connection.send_rtcp(out, |space| {
                space.get_mut(..message.len())?.copy_from_slice(message);
                Some(message.len())
            });
            if let Err(reason) = sent {
                self.counters.drop(reason);
                return;
            }
        }
    }

    /// What is missing of what it sends.
    fn send_requests(&mut self, now: Instant, place: usize, out: &mut TransmitBuffer) {
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else { return };
        if !peer.connection.is_connected() {
            return;
        }
        let own = peer.connection.rtcp_ssrc;
        for published in &mut peer.publishing.tracks {
            if published.due_at().is_none_or(|due| due > now) {
                continue;
            }
            let mut asked = false;
            let sent = peer.connection.send_rtcp(out, |space| {
                let mut compound = CompoundWriter::new(space);
                asked = published.track.poll_rtcp(now, own, &mut compound);
                Some(compound.len())
            });
            self.counters.keyframe_requests += u64::from(asked);
            if let Err(reason) = sent {
                self.counters.drop(reason);
            }
        }
    }

    /// How well its packets arrive (RFC 3550 §6.4.2).
    fn send_receiver_report(&mut self, now: Instant, soon: Instant, place: usize, out: &mut TransmitBuffer) {
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else { return };
        if !peer.connection.is_connected() || !peer.publishing.is_heard || soon < peer.report_at {
            return;
        }
        peer.publishing.is_heard = false;
        peer.report_at = now + RECEIVER_REPORT_INTERVAL;
        self.note_codecs(now, place);
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else { return };
        if peer.publishing.tracks.iter().all(|t| t.track.ssrc().is_none()) {
            return;
        }
        let own = peer.connection.rtcp_ssrc;
        let (tracks, cname) = (&mut peer.publishing.tracks, &peer.cname);
        let blocks = tracks.iter_mut().filter_map(|published| published.track.report_block(now));
        let sent = peer.connection.send_rtcp(out, |space| {
            let mut compound = CompoundWriter::new(space);
            compound.receiver_report(own, blocks);
            compound.sdes(own, cname);
            Some(compound.len())
        });
        if let Err(reason) = sent {
            self.counters.drop(reason);
        }
    }

    /// Looks whether it sends what the answer prefers: a client is free to send any format that was agreed upon. Runs with
    /// the reports, so that one that changes it with every packet causes no more work than others.
    fn note_codecs(&mut self, now: Instant, place: usize) {
        let Some(peer) = self.peers.get(place).and_then(Option::as_ref) else { return };
        let consult = peer.consult;
        let member = self.consults.get(&consult).and_then(|c| c.member(place));
        let is_news = |(source, codec)| member.is_some_and(|m| m.prefers_other(source, codec));
        if peer.publishing.codecs().any(is_news) {
            let sent: Vec<_> = peer.publishing.codecs().collect();
            self.change_consult(now, consult, |c| c.with_member(place, |m| m.sends(&sent)));
        }
    }

    /// What the clock of each of its slots shows (RFC 3550 §6.4.1), with the publisher's newest mapping.
    fn send_sender_reports(&mut self, now: Instant, soon: Instant, place: usize, out: &mut TransmitBuffer) {
        let ntp = self.epoch.ntp_at(now);
        // Out of its place for the while, so that publishers can be looked at too.
        let Some(mut peer) = self.peers.get_mut(place).and_then(Option::take) else { return };
        for slot in &mut peer.slots {
            let Some((shown, newest)) = slot.take_report(now, soon) else { continue };
            let Some(publisher) = self.peers.get(shown.from).and_then(Option::as_ref) else { continue };
            let publishing = &publisher.publishing;
            let Some(published) = publishing.tracks.iter().find(|t| t.params.source == shown.source) else {
                continue;
            };
            let captured =
                published.track.capture_time(&publishing.clock, newest.source_timestamp, newest.arrival);
            let since = now.saturating_duration_since(captured);
            let info = SenderInfo {
                ssrc: slot.params().ssrc,
                ntp,
                rtp_timestamp: newest.timestamp.wrapping_add(slot.ticks(since)),
                packet_count: slot.packets_sent,
                octet_count: slot.octets_sent,
            };
            let sent = peer.connection.send_rtcp(out, |space| {
                let mut compound = CompoundWriter::new(space);
                compound.sender_report(&info, []);
                compound.sdes(info.ssrc, &peer.cname);
                Some(compound.len())
            });
            if let Err(reason) = sent {
                self.counters.drop(reason);
            }
        }
        if let Some(home) = self.peers.get_mut(place) {
            *home = Some(peer);
        }
    }
}

/// A message tells of 512 packets at most.
const FEEDBACK_MESSAGES_MAX: usize = 8;
/// Well within a datagram, sealed.
const FEEDBACK_BYTES_MAX: usize = 1_200;
