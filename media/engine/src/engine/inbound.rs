//! Datagrams: checks, the handshake, and a media packet's way from its publisher to everybody's slots.

use std::time::Instant;

use super::{
    Engine,
    peer::Peer,
    publishing::{Flow, Published, Publishing},
    rounds::Rounds,
    shedding::Shed,
};
use crate::{
    Counters, DropReason,
    api::{Datagram, Event, TransmitBuffer},
    forwarder::{Content, Numbers, PictureIds},
    publisher::{PublisherClock, TrackPacket},
    rtp::{ExtensionBlocks, Extensions},
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
                peer.rounds = Rounds::new(now);
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
        let unknown = DropReason::AddressUnknown;
        // Out of its place for the while, so that publisher and subscribers can be looked at together: nobody hears himself.
        let mut publisher = self.peers.get_mut(place).and_then(Option::take).ok_or(unknown)?;
        let forwarded = self.forward_rtp(now, (place, shed), &mut publisher, datagram, out);
        if let Some(home) = self.peers.get_mut(place) {
            *home = Some(publisher);
        }
        forwarded?;
        self.serve_along(now, place, out);
        Ok(())
    }

    /// Opens a packet, hands it to its track and, if it is one to be seen or heard, to everybody's slots.
    fn forward_rtp(
        &mut self,
        now: Instant,
        (place, shed): (usize, Shed),
        publisher: &mut Peer,
        datagram: Datagram<'_>,
        out: &mut TransmitBuffer,
    ) -> Result<(), DropReason> {
        let Peer { connection, publishing, extensions: ids, scheduled, rounds, .. } = publisher;
        let data = datagram.data;
        let opened = connection.inbound()?.open_rtp(data)?;
        connection.ice.carries((datagram.remote, datagram.local));
        if shed == Shed::Opened {
            return Err(DropReason::Overload);
        }
        let plain = data.get(..opened.payload.end).ok_or(DropReason::RtpMalformed)?;
        let header = &opened.header;
        let payload =
            header.payload_range(plain).and_then(|range| plain.get(range).ok_or(DropReason::RtpMalformed))?;
        let extensions = Extensions::parse(header, plain, ids);
        if let Some(number) = extensions.transport_cc.filter(|_| publishing.wants_transport_cc) {
            connection.feedback.record(now, number, header.ssrc);
        }
        // What a packet may have made due: feedback on it, a report on who is heard again …
        for due in [connection.feedback.poll_timeout(), rounds.note(now)].into_iter().flatten() {
            self.timers.arm(scheduled, place, due);
        }

        let (at, flow) = publishing.bind(header, &extensions)?;
        let Publishing { tracks, clock, .. } = publishing;
        let track = tracks.get_mut(at).ok_or(DropReason::SsrcUnknown)?;
        let kind = Counters::kind_index(track.kind());
        self.counters.rtp_received[kind] += 1;
        let packet = match flow {
            Flow::Media => track.track.receive(now, opened.index, header, &extensions, payload),
            Flow::Retransmission => track.track.receive_rtx(now, header, &extensions, payload),
        };
        // … and what is missing, or a picture that is lost.
        if let Some(due) = track.due_at() {
            self.timers.arm(scheduled, place, due);
        }
        let packet = packet.as_ref().map_err(|reason| *reason)?;
        if !publisher.admitted {
            return Err(DropReason::NotAdmitted);
        }
        if track.muted {
            return Err(DropReason::Muted);
        }
        let wants_keyframe = self.forward(now, clock, track, packet, out);
        track.track.keep(packet);
        if wants_keyframe {
            track.request_keyframe(now);
            if let Some(due) = track.due_at() {
                self.timers.arm(scheduled, place, due);
            }
        }
        Ok(())
    }

    /// Hands a track's packet to every slot that the route table names for it. Says whether somebody waits for a key frame.
    fn forward(
        &mut self,
        now: Instant,
        clock: &PublisherClock,
        track: &Published,
        packet: &TrackPacket<'_>,
        out: &mut TransmitBuffer,
    ) -> bool {
        let epoch = self.epoch.instant;
        let captured =
            || track.track.capture_time(clock, packet.timestamp, now).saturating_duration_since(epoch);
        let content = content(packet);
        let mut blocks = ExtensionBlocks::new(passed(packet));
        let (mut forwarded, mut wants_keyframe) = (0, false);
        for target in &track.targets {
            #[cfg(feature = "planted-faults")]
            if self.misroute(target, &content, out) {
                continue;
            }
            let Some(peer) = self.peers.get_mut(target.place).and_then(Option::as_mut) else { continue };
            let Some(slot) = peer.slots.get_mut(target.slot) else { continue };
            let departed = if peer.connection.is_connected() {
                slot.forward(now, &content, captured).and_then(|departure| {
                    let block = blocks.of(&peer.extensions);
                    peer.connection.send_rtp(content.bytes_max(), out, |space| {
                        Slot::write(&departure, &content, block, space)
                    })
                })
            } else {
                Err(DropReason::SubscriberNotConnected)
            };
            match departed {
                Ok(bytes) => {
                    forwarded += 1;
                    peer.repair.forwarded(bytes);
                }
                Err(reason) => {
                    wants_keyframe |= reason == DropReason::AwaitingKeyframe;
                    self.counters.drop(reason);
                }
            }
            // A source that begins is reported on at once, and who hears something again with the next round.
            let begun = slot.report_at().filter(|at| *at <= now);
            for at in [begun, peer.rounds.note(now)].into_iter().flatten() {
                self.timers.arm(&mut peer.scheduled, target.place, at);
            }
        }
        self.counters.rtp_forwarded[Counters::kind_index(track.kind())] += forwarded;
        wants_keyframe
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
        vp8: packet.facts.vp8,
        payload: packet.payload,
    }
}

/// What of a track's packet goes on in header extensions.
pub(super) fn passed(packet: &TrackPacket<'_>) -> Extensions {
    Extensions { audio_level: packet.audio_level, orientation: packet.orientation, ..Extensions::default() }
}
