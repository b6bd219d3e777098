//! RTCP from clients: what publishers say of their clocks, and what subscribers miss.

use std::time::Instant;

use super::{
    Engine,
    inbound::{content, passed},
};
use crate::{
    Counters, DropReason,
    api::{Datagram, TransmitBuffer},
    rtp::{
        ExtensionBlocks, duration_from_compact,
        rtcp::{Compound, Nack, Packet, ReportBlock},
    },
    subscriber::Slot,
};

impl Engine {
    pub(super) fn handle_rtcp(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
        out: &mut TransmitBuffer,
    ) -> Result<(), DropReason> {
        let place = self.place_at(&datagram)?;
        let peer = self.peer_mut(place).ok_or(DropReason::AddressUnknown)?;
        let data = datagram.data;
        let length = peer.connection.inbound()?.open_rtcp(data)?;
        let compound = data.get(..length).ok_or(DropReason::RtcpMalformed)?;
        self.counters.rtcp_received += 1;
        let mut requests_left = COMPOUND_REQUESTS_MAX;
        for packet in Compound::new(compound) {
            match packet? {
                Packet::SenderReport(report) => {
                    self.note_sender_report(now, place, &report.info);
                    report.blocks().for_each(|block| self.note_report(now, place, &block));
                }
                Packet::ReceiverReport(report) => {
                    report.blocks().for_each(|block| self.note_report(now, place, &block));
                }
                Packet::Nack(nack) => {
                    requests_left -= self.answer_nack(now, place, &nack, requests_left, out);
                }
                Packet::Pli(pli) => self.note_picture_loss(now, place, pli.media_ssrc),
                Packet::Fir(fir) => {
                    fir.entries().for_each(|entry| self.note_picture_loss(now, place, entry.ssrc));
                }
                // A stream that says goodbye sends nothing more, which is all there is to know; the server sends no
                // transport-wide numbers yet.
                Packet::Bye(_) | Packet::TransportCc(_) => {}
            }
        }
        self.serve_along(now, place, out);
        Ok(())
    }

    fn note_sender_report(&mut self, now: Instant, place: usize, info: &crate::rtp::rtcp::SenderInfo) {
        let Some(peer) = self.peer_mut(place) else { return };
        let publishing = &mut peer.publishing;
        let bound = publishing.tracks.iter_mut().find(|t| t.track.ssrc() == Some(info.ssrc));
        if let Some(published) = bound {
            published.track.handle_sender_report(now, &mut publishing.clock, info.ntp, info.rtp_timestamp);
        }
    }

    /// What a client says of a slot. The round trip by RFC 3550 §6.4.1: now, less the time of our report, less the time that the
    /// client kept it.
    fn note_report(&mut self, now: Instant, place: usize, block: &ReportBlock) {
        let ntp = self.epoch.ntp_at(now);
        let Some(peer) = self.peer_mut(place) else { return };
        let Some(slot) = peer.slots.iter_mut().find(|s| s.ssrc() == block.ssrc) else { return };
        peer.tally.note(&mut slot.reported, block, slot.packets_sent);
        if block.last_sr == 0 {
            return;
        }
        let elapsed = ntp.middle32().wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
        // Half of the circle is a report from the future.
        if elapsed < 1 << 31 {
            let round_trip = duration_from_compact(elapsed);
            peer.round_trip = Some(round_trip);
            peer.tally.note_round_trip(round_trip);
        }
    }

    fn note_picture_loss(&mut self, now: Instant, place: usize, ssrc: u32) {
        let Some(peer) = self.peer_mut(place) else { return };
        let shown = peer.slots.iter().find(|s| s.ssrc() == ssrc).and_then(Slot::shown);
        if let Some(shown) = shown {
            self.request_keyframe(now, shown);
        }
    }

    /// Answers so many of the requests at most, where such requests were agreed upon; how many they were.
    fn answer_nack(
        &mut self,
        now: Instant,
        place: usize,
        nack: &Nack<'_>,
        requests_max: usize,
        out: &mut TransmitBuffer,
    ) -> usize {
        let Some(peer) = self.peer_mut(place) else { return 0 };
        let asked = |slot: &Slot| slot.ssrc() == nack.media_ssrc && slot.answers_nack();
        let Some(slot) = peer.slots.iter().position(asked) else { return 0 };
        let mut requests = 0;
        for sequence in nack.sequences().take(requests_max) {
            requests += 1;
            if let Err(reason) = self.retransmit(now, place, slot, sequence, out) {
                self.counters.drop(reason);
            }
        }
        requests
    }

    /// Sends one packet again, out of the cache of the track that stands in the slot now.
    fn retransmit(
        &mut self,
        now: Instant,
        place: usize,
        slot: usize,
        sequence: u16,
        out: &mut TransmitBuffer,
    ) -> Result<(), DropReason> {
        let expired = DropReason::RetransmissionExpired;
        // Out of its place for the while, so that publisher and subscriber can be looked at together.
        let mut peer = self.peers.get_mut(place).and_then(Option::take).ok_or(expired)?;
        let sent = (|| {
            let round_trip = peer.round_trip;
            let slot = peer.slots.get_mut(slot).ok_or(expired)?;
            let shown = slot.shown().ok_or(DropReason::PreviousSource)?;
            let publisher = self.peers.get(shown.from).and_then(Option::as_ref).ok_or(expired)?;
            let track = publisher.publishing.tracks.iter().find(|t| t.params.source == shown.source);
            if track.is_some_and(|t| t.muted) {
                return Err(DropReason::Muted);
            }
            if !peer.repair.allows(now) {
                return Err(DropReason::RetransmissionOverBudget);
            }
            let source_sequence = slot.requested(now, sequence, round_trip)?;
            let packet = track.ok_or(expired)?.track.cached(now, source_sequence)?;
            let content = content(&packet);
            let departure = slot.retransmit(&content)?;
            let sent = peer.connection.send_rtp(content.bytes_max(), out, |space| {
                let mut blocks = ExtensionBlocks::new(passed(&packet));
                Slot::write(&departure, &content, blocks.of(&peer.extensions), space)
            })?;
            peer.repair.spend(sent);
            Ok(Counters::kind_index(shown.source.kind()))
        })();
        if let Some(home) = self.peers.get_mut(place) {
            *home = Some(peer);
        }
        let kind = sent?;
        self.counters.retransmitted += 1;
        self.counters.rtp_forwarded[kind] += 1;
        Ok(())
    }
}

/// Requests of one compound that are looked at; a receiver that misses more needs a key frame.
const COMPOUND_REQUESTS_MAX: usize = 256;
