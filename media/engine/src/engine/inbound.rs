//! Datagrams: checks, the handshake, and a media packet's way from its publisher to everybody's slots.

use std::time::Instant;

use super::{Engine, publishing::Flow, shedding::Shed};
use crate::{
    Counters, DropReason,
    api::{Datagram, Event, TransmitBuffer},
    forwarder::{Content, Numbers, PictureIds},
    publisher::TrackPacket,
    rtp::Extensions,
    subscriber::Slot,
    transport::{connection::Progress, stun::RESPONSE_BYTES_MAX},
};

impl Engine {
    pub(super) fn handle_check(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
        out: &mut TransmitBuffer,
    ) -> Result<(), DropReason> {
        let Datagram { remote, local, data } = datagram;
        let place = self.demux.transport_of_check(data)?;
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else {
            return Err(DropReason::StunUnknownUser);
        };
        let ice = &mut peer.connection.ice;
        let fragments_before = ice.local_ufrags().count();
        let mut answered = Err(DropReason::SendBufferFull);
        out.push(remote, local, RESPONSE_BYTES_MAX, |space| {
            answered = ice.handle_check(now, remote, local, data, space);
            answered.as_ref().map_or(0, |answer| answer.length)
        });
        let answer = answered?;
        self.counters.stun_checks += 1;
        if ice.local_ufrags().count() != fragments_before {
            // The restart is complete: the earlier fragment names nobody any more.
            let named: Vec<_> = ice.local_ufrags().cloned().collect();
            let _ours_already = self.demux.set_ufrags(place, named.iter());
        }
        if let Some(forgotten) = answer.forgotten {
            self.demux.forget(forgotten, place);
        }
        if answer.is_valid
            && let Some(displaced) = self.demux.learn(remote, local, place)
            && let Some(peer) = self.peer_mut(displaced)
        {
            peer.connection.ice.forget((remote, local));
        }
        Ok(())
    }

    /// What follows when an association is made or ends.
    pub(super) fn progress(
        &mut self,
        now: Instant,
        place: usize,
        progress: Progress,
        out: &mut TransmitBuffer,
    ) {
        match progress {
            Progress::Same => {}
            Progress::Gone(reason) => self.remove(now, place, reason, out),
            Progress::Connected => {
                let Some(peer) = self.peer_mut(place) else { return };
                let (id, consult) = (peer.id, peer.consult);
                peer.report_at = now + super::reports::RECEIVER_REPORT_INTERVAL;
                self.counters.handshakes += 1;
                self.events.push(Event::Connected(id));
                self.change_consult(now, consult, |c| c.with_member(place, |m| m.connected = true));
                self.request_awaited_keyframes(now, place);
                self.arm(place);
            }
        }
    }

    pub(super) fn handle_rtp(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
        out: &mut TransmitBuffer,
    ) -> Result<(), DropReason> {
        let place = self.place_at(&datagram)?;
        let shed = self.shed(place, datagram.data);
        if shed == Shed::Unopened {
            return Err(DropReason::Overload);
        }
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else {
            return Err(DropReason::AddressUnknown);
        };
        let data = datagram.data;
        let opened = peer.connection.inbound()?.open_rtp(data)?;
        peer.connection.ice.carries((datagram.remote, datagram.local));
        if shed == Shed::Opened {
            return Err(DropReason::Overload);
        }
        let plain = data.get(..opened.payload.end).ok_or(DropReason::RtpMalformed)?;
        let header = &opened.header;
        let payload =
            header.payload_range(plain).and_then(|range| plain.get(range).ok_or(DropReason::RtpMalformed))?;
        let extensions = Extensions::parse(header, plain, &peer.extensions);
        if let Some(number) = extensions.transport_cc {
            peer.connection.feedback.record(now, number, header.ssrc);
        }
        let at = peer.publishing_deadline();
        self.timers.arm(&mut peer.scheduled, place, at);

        let (track, flow) = peer.publishing.bind(header, &extensions)?;
        self.counters.rtp_received[Counters::kind_index(track.kind())] += 1;
        let packet = match flow {
            Flow::Media => track.track.receive(now, opened.index, header, &extensions, payload),
            Flow::Retransmission => track.track.receive_rtx(now, header, &extensions, payload),
        };
        let source = track.params.source;
        let muted = track.muted;
        // A gap or a lost picture may have made something due.
        let due = track.due_at();
        if let Some(at) = due {
            self.timers.arm(&mut peer.scheduled, place, at);
        }
        let packet = packet?;
        if !peer.admitted {
            return Err(DropReason::NotAdmitted);
        }
        if muted {
            return Err(DropReason::Muted);
        }
        self.forward(now, place, source, &packet, out);
        Ok(())
    }

    /// Hands a track's packet to every slot that the route table names for it.
    fn forward(
        &mut self,
        now: Instant,
        from: usize,
        source: media_model::Source,
        packet: &TrackPacket<'_>,
        out: &mut TransmitBuffer,
    ) {
        let Some(publisher) = self.peers.get_mut(from).and_then(Option::as_mut) else { return };
        let clock = &publisher.publishing.clock;
        let Some(track) = publisher.publishing.tracks.iter_mut().find(|t| t.params.source == source) else {
            return;
        };
        let captured = track.track.capture_time(clock, packet.timestamp, now);
        let captured = captured.saturating_duration_since(self.epoch.instant);
        let content = content(packet);
        let kind = Counters::kind_index(source.kind());
        let targets = std::mem::take(&mut track.targets);
        let mut wants_keyframe = false;
        for target in &targets {
            let Some(peer) = self.peers.get_mut(target.place).and_then(Option::as_mut) else { continue };
            let Some(slot) = peer.slots.get_mut(target.slot) else { continue };
            let departed = if peer.connection.is_connected() {
                slot.forward(now, &content, captured).and_then(|departure| {
                    peer.connection.send_rtp(departure.stream.index, content.bytes_max(), out, |space| {
                        Slot::write(&departure, &content, &peer.extensions, space)
                    })
                })
            } else {
                Err(DropReason::SubscriberNotConnected)
            };
            match departed {
                Ok(bytes) => {
                    self.counters.rtp_forwarded[kind] += 1;
                    peer.repair.forwarded(bytes);
                }
                Err(reason) => {
                    wants_keyframe |= reason == DropReason::AwaitingKeyframe;
                    self.counters.drop(reason);
                }
            }
            if let Some(at) = slot.report_at() {
                self.timers.arm(&mut peer.scheduled, target.place, at);
            }
        }
        let Some(publisher) = self.peers.get_mut(from).and_then(Option::as_mut) else { return };
        let Some(track) = publisher.publishing.track_of(source) else { return };
        track.targets = targets;
        if wants_keyframe {
            track.request_keyframe(now);
            if let Some(at) = track.due_at() {
                self.timers.arm(&mut publisher.scheduled, from, at);
            }
        }
    }
}

/// The part of a track's packet that slots share.
pub(super) fn content<'a>(packet: &TrackPacket<'a>) -> Content<'a> {
    let pictures = packet.facts.vp8.map_or(PictureIds::default(), |vp8| PictureIds {
        picture: vp8.picture_id.map(|id| id.value),
        tl0: vp8.tl0_picture_index,
    });
    Content {
        numbers: Numbers {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            restarts: packet.restarts,
            pictures,
        },
        codec: packet.codec,
        marker: packet.marker,
        starts_picture: packet.facts.keyframe && packet.facts.starts_frame,
        extensions: Extensions {
            audio_level: packet.audio_level,
            orientation: packet.orientation,
            ..Extensions::default()
        },
        payload: packet.payload,
    }
}
