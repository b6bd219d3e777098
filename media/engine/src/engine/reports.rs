//! RTCP to clients: reports on what they send, requests for what is missing of it, and the clocks of what they receive.
//!
//! Whatever is due for a transport leaves in one compound, as long as it fits. Requests never wait; reports and feedback
//! go along with what leaves anyway. Each compound begins in the same way, so that one SSRC tells whose it is:
//!
//! ```text
//! receiver report, its CNAME │ sender report, its CNAME │ … │ transport-wide feedback │ NACK, PLI, FIR
//! ```

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use super::{
    Engine,
    peer::Peer,
    publishing::Published,
    rounds::{Other, QUIET_INTERVAL, QUIET_PACKETS},
    serving::SERVE_DATAGRAMS_MAX,
};
use crate::{
    api::TransmitBuffer,
    quality::Tally,
    rtp::rtcp::{CompoundWriter, SenderInfo},
    subscriber::Slot,
    transport::feedback::{MESSAGE_BYTES_MIN, TransportFeedback},
};

/// A slot's early report takes others along that would be due so soon after it: the slots of one publisher begin within
/// a few packets of each other.
const EARLY_REPORTS_WINDOW: Duration = Duration::from_millis(50);

/// What [`PublishedTrack::poll_rtcp`](crate::publisher::PublishedTrack::poll_rtcp) writes at most: a NACK of 128 packets,
/// each of which takes four bytes at worst, and a FIR.
const REQUEST_BYTES_MAX: usize = 12 + 4 * 128 + 20;

/// What is to be said, and how far that has come.
struct Due {
    /// Whether everything is reported on.
    is_round: bool,
    /// Slots are reported on whose turn comes until then.
    early_until: Instant,
    /// Slots in which little has been sent are reported on again if it was before then.
    quiet_since: Option<Instant>,
    /// Whether a compound begins with a report even if none is due (RFC 3550 §6.1); not where RFC 5506 was agreed on.
    begins_with_report: bool,
    /// Tracks before it have been reported on, …
    reported: usize,
    /// … slots before it, too, …
    told: usize,
    /// … and what was missing of tracks before it has been asked for.
    asked: usize,
    /// Key frames asked for.
    keyframe_requests: u64,
}

impl Engine {
    /// Does whatever is due for one transport; reports and feedback that are due until `soon`, too.
    pub(super) fn serve(&mut self, now: Instant, soon: Instant, place: usize, out: &mut TransmitBuffer) {
        let Some(peer) = self.peer_mut(place) else { return };
        let progress = peer.connection.handle_timeout(now, out);
        self.progress(now, place, progress, out);
        let Some(peer) = self.peer_mut(place) else { return };
        if !peer.connection.is_connected() {
            return;
        }
        let round_due = peer.rounds.due();
        // Out of its place for the while, so that publishers can be looked at too.
        let Some(mut peer) = self.peers.get_mut(place).and_then(Option::take) else { return };
        if let Some(due) = Due::of(&mut peer, now, soon) {
            self.send_due(now, due, &mut peer, out);
        }
        let was_round = peer.rounds.due() != round_due;
        if let Some(home) = self.peers.get_mut(place) {
            *home = Some(peer);
        }
        if was_round {
            self.note_codecs(now, place);
        }
    }

    /// Everything that is due, in as few datagrams as it takes.
    fn send_due(&mut self, now: Instant, mut due: Due, peer: &mut Peer, out: &mut TransmitBuffer) {
        let Peer { connection, publishing, slots, cname, tally, .. } = peer;
        let own = connection.rtcp_ssrc;
        for _ in 0..SERVE_DATAGRAMS_MAX {
            let mut is_full = false;
            let sent = connection.send_rtcp(out, |feedback, space| {
                let mut compound = CompoundWriter::new(space);
                due.begin(now, (own, cname), (&mut publishing.tracks, tally), slots, &mut compound);
                let begun = compound.len();
                let written = (|| {
                    self.write_sender_reports(now, &mut due, slots, cname, &mut compound)?;
                    write_feedback(now, feedback, &mut compound)?;
                    due.write_requests(now, own, &mut publishing.tracks, &mut compound)
                })();
                is_full = written.is_break() || due.is_round && due.reported < publishing.tracks.len();
                let says_something = compound.len() > begun || due.is_round;
                says_something.then_some(compound.len())
            });
            match sent {
                Ok(sent) if is_full && sent > 0 => {}
                Ok(_) => break,
                Err(reason) => {
                    self.counters.drop(reason);
                    break;
                }
            }
        }
        self.counters.keyframe_requests += due.keyframe_requests;
    }

    /// Looks whether it sends what the answer prefers: a client is free to send any format that was agreed upon. Runs with
    /// the reports, so that one that changes it with every packet causes no more work than others.
    fn note_codecs(&mut self, now: Instant, place: usize) {
        let Some(peer) = self.peer_mut(place) else { return };
        if !peer.publishing.take_codec_news() {
            return;
        }
        let Some(peer) = self.peers.get(place).and_then(Option::as_ref) else { return };
        let consult = peer.consult;
        let member = self.consults.get(&consult).and_then(|c| c.member(place));
        let is_news = |(source, codec)| member.is_some_and(|m| m.prefers_other(source, codec));
        if peer.publishing.codecs().any(is_news) {
            let sent: Vec<_> = peer.publishing.codecs().collect();
            self.change_consult(now, consult, |c| c.with_member(place, |m| m.sends(&sent)));
        }
    }

    /// What the clock of each slot shows (RFC 3550 §6.4.1). Breaks off when there is no room for another.
    fn write_sender_reports(
        &self,
        now: Instant,
        due: &mut Due,
        slots: &mut [Slot],
        cname: &str,
        compound: &mut CompoundWriter<'_>,
    ) -> ControlFlow<()> {
        let bytes = CompoundWriter::SENDER_REPORT_BYTES + CompoundWriter::sdes_bytes(cname);
        while let Some(slot) = slots.get_mut(due.told) {
            if due.wants(slot) {
                if compound.bytes_free() < bytes {
                    return ControlFlow::Break(());
                }
                if let Some(info) = self.sender_info(now, slot) {
                    compound.sender_report(&info, []);
                    compound.sdes(info.ssrc, cname);
                }
            }
            due.told += 1;
        }
        ControlFlow::Continue(())
    }

    /// A slot's clock, with the publisher's newest mapping.
    fn sender_info(&self, now: Instant, slot: &mut Slot) -> Option<SenderInfo> {
        let (shown, newest) = slot.take_report(now)?;
        let publishing = &self.peers.get(shown.from)?.as_ref()?.publishing;
        let published = publishing.tracks.iter().find(|t| t.track.source() == shown.source)?;
        let captured =
            published.track.capture_time(&publishing.clock, newest.source_timestamp, newest.arrival);
        let since = now.saturating_duration_since(captured);
        Some(SenderInfo {
            ssrc: slot.ssrc(),
            ntp: self.epoch.ntp_at(now),
            rtp_timestamp: newest.timestamp.wrapping_add(slot.ticks(since)),
            packet_count: slot.packets_sent,
            octet_count: slot.octets_sent,
        })
    }
}

impl Due {
    /// `None` when nothing is due. What only goes along, goes along with something.
    fn of(peer: &mut Peer, now: Instant, soon: Instant) -> Option<Self> {
        let Peer { connection, publishing, slots, rounds, .. } = peer;
        let feedback = &mut connection.feedback;
        let is_early = slots.iter().any(|slot| slot.report_at().is_some_and(|at| at <= soon));
        let is_asking = publishing.tracks.iter().any(|t| t.due_at().is_some_and(|at| at <= now));
        let is_feeding_back = feedback.poll_timeout().is_some_and(|at| at <= soon);
        let leaves_anyway = is_early || is_asking || is_feeding_back;
        let other = match feedback.poll_timeout() {
            _ if leaves_anyway => Other::Leaves,
            Some(_) => Other::Expected,
            None => Other::None,
        };
        let is_round = rounds.poll(now, soon, other);
        if !leaves_anyway && !is_round {
            return None;
        }
        feedback.go_along(now, soon);
        Some(Self {
            is_round,
            early_until: soon.max(now + EARLY_REPORTS_WINDOW),
            quiet_since: now.checked_sub(QUIET_INTERVAL * 9 / 10),
            begins_with_report: true,
            reported: 0,
            told: 0,
            asked: 0,
            keyframe_requests: 0,
        })
    }

    fn wants(&self, slot: &Slot) -> bool {
        let is_early = slot.report_at().is_some_and(|at| at <= self.early_until);
        let is_usual = || slot.unreported() >= QUIET_PACKETS || slot.reported_last() <= self.quiet_since;
        is_early || self.is_round && slot.unreported() > 0 && is_usual()
    }

    /// How well its packets arrive (RFC 3550 §6.4.2): as many tracks as one report holds.
    fn begin(
        &mut self,
        now: Instant,
        (own, cname): (u32, &str),
        (tracks, tally): (&mut [Published], &mut Tally),
        slots: &[Slot],
        compound: &mut CompoundWriter<'_>,
    ) {
        let has_reports = self.is_round || slots.iter().skip(self.told).any(|slot| self.wants(slot));
        if !has_reports && !self.begins_with_report {
            return;
        }
        let unreported = tracks.get_mut(self.reported..).filter(|_| self.is_round).unwrap_or_default();
        let mut blocks = 0;
        let reported = unreported.iter_mut().map_while(|published| {
            (blocks < CompoundWriter::REPORT_BLOCKS_MAX).then(|| {
                self.reported += 1;
                let block = published.track.report_block(now);
                if let Some(block) = &block {
                    tally.note(&mut published.reported, block, block.highest_sequence);
                    blocks += 1;
                }
                block
            })
        });
        compound.receiver_report(own, reported.flatten());
        compound.sdes(own, cname);
    }

    /// What is missing of what it sends. Breaks off when there may be no room for all of one track.
    fn write_requests(
        &mut self,
        now: Instant,
        own: u32,
        tracks: &mut [Published],
        compound: &mut CompoundWriter<'_>,
    ) -> ControlFlow<()> {
        while let Some(published) = tracks.get_mut(self.asked) {
            if published.due_at().is_some_and(|due| due <= now) {
                if compound.bytes_free() < REQUEST_BYTES_MAX {
                    return ControlFlow::Break(());
                }
                self.keyframe_requests += u64::from(published.track.poll_rtcp(now, own, compound));
            }
            self.asked += 1;
        }
        ControlFlow::Continue(())
    }
}

/// When its packets arrived, for its bandwidth estimation. Breaks off when there is more to tell than fits.
fn write_feedback(
    now: Instant,
    feedback: &mut TransportFeedback,
    compound: &mut CompoundWriter<'_>,
) -> ControlFlow<()> {
    while feedback.poll_timeout().is_some_and(|due| due <= now) {
        if compound.bytes_free() < MESSAGE_BYTES_MIN {
            return ControlFlow::Break(());
        }
        compound.append(|space| feedback.poll(now, space));
    }
    ControlFlow::Continue(())
}
