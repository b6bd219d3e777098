//! What the control plane asks.

use std::time::Instant;

use media_model::{
    Source, TransportId,
    limits::{CONSULT_TRANSPORTS_MAX, SHARD_TRANSPORTS_MAX},
};

use super::{
    Engine, parameters,
    peer::{Belonging, Peer},
};
use crate::{
    api::{Command, Event, Join, LeaveReason, MediaParams, Refusal, Renegotiate, TransmitBuffer},
    consult::{Consult, Member},
    transport::connection::Connection,
};

impl Engine {
    pub(super) fn carry_out(&mut self, now: Instant, command: Command, out: &mut TransmitBuffer) {
        let (transport, done) = match command {
            Command::Join(join) => (join.transport, self.join(now, *join)),
            Command::Renegotiate(next) => (next.transport, self.renegotiate(now, *next)),
            Command::Admit(transport) => (transport, self.admit(now, transport)),
            Command::Mute { transport, source, muted } => {
                (transport, self.mute(now, transport, source, muted))
            }
            Command::Leave(transport) => (transport, self.leave(now, transport, out)),
            Command::EndConsult(consult) => {
                let members = self.consults.get(&consult).map(Consult::members).unwrap_or_default();
                let places: Vec<usize> = members.iter().map(|m| m.place).collect();
                for place in places {
                    self.remove(now, place, LeaveReason::Requested, out);
                }
                return;
            }
        };
        if let Err(refusal) = done {
            self.events.push(Event::Refused(transport, refusal));
        }
    }

    fn join(&mut self, now: Instant, join: Join) -> Result<(), Refusal> {
        if self.places.contains_key(&join.transport) || !parameters::are_valid(&join.media) {
            return Err(Refusal::InvalidParameters);
        }
        let present = self.consults.get(&join.consult).map_or(0, |c| c.members().len());
        if present >= CONSULT_TRANSPORTS_MAX {
            return Err(Refusal::ConsultFull);
        }
        if self.places.len() >= SHARD_TRANSPORTS_MAX {
            return Err(Refusal::ShardFull);
        }
        let connection = Connection::new(
            now,
            (&join.ice_local, &join.ice_remote),
            &self.config.identity,
            join.fingerprint,
            self.random.next() as u32,
        );
        let whose = Belonging { id: join.transport, consult: join.consult, admitted: join.admitted };
        let mut peer = Peer::new(now, whose, connection);
        let ufrags = peer.connection.ice.local_ufrags();
        let named: Vec<_> = ufrags.cloned().collect();
        let place = self.vacant.last().copied().unwrap_or(self.peers.len());
        if self.demux.set_ufrags(place, named.iter()).is_err() {
            return Err(Refusal::InvalidParameters);
        }
        if self.vacant.pop().is_none() {
            self.peers.push(None);
        }
        let mut member = Member::new(place, join.transport, join.participant, join.admitted);
        member.negotiate(&join.media.tracks, &join.media.slots);
        peer.negotiate(now, join.media, &mut self.random);
        self.places.insert(join.transport, place);
        if let Some(vacant) = self.peers.get_mut(place) {
            *vacant = Some(Box::new(peer));
        }
        self.events.push(Event::Joined(join.transport));
        self.consults.entry(join.consult).or_default();
        self.change_consult(now, join.consult, |consult| consult.add(member));
        self.arm(place);
        self.count_presence();
        Ok(())
    }

    fn renegotiate(&mut self, now: Instant, next: Renegotiate) -> Result<(), Refusal> {
        let place = self.place_of(next.transport)?;
        let Renegotiate { ice, media, .. } = next;
        if !parameters::are_valid(&media) {
            return Err(Refusal::InvalidParameters);
        }
        // Everything that may say no stands before everything that changes something.
        if !self.peer_mut(place).is_some_and(|peer| peer.has_room_for(&media)) {
            return Err(Refusal::InvalidParameters);
        }
        if let Some((local, remote)) = &ice {
            self.restart_ice(place, local, remote)?;
        }
        let MediaParams { tracks, slots, .. } = media.clone();
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else {
            return Err(Refusal::UnknownTransport);
        };
        peer.negotiate(now, media, &mut self.random);
        let consult = peer.consult;
        for track in &tracks {
            self.set_muted(now, place, track.source, track.muted);
        }
        self.change_consult(now, consult, |c| c.with_member(place, |m| m.negotiate(&tracks, &slots)));
        self.request_awaited_keyframes(now, place);
        self.arm(place);
        Ok(())
    }

    fn restart_ice(
        &mut self,
        place: usize,
        local: &crate::api::IceCredentials,
        remote: &crate::api::IceCredentials,
    ) -> Result<(), Refusal> {
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else {
            return Err(Refusal::UnknownTransport);
        };
        // The earlier fragment goes on working (RFC 8445 §9), so both have to be free.
        let mut ufrags: Vec<_> = peer.connection.ice.local_ufrags().cloned().collect();
        ufrags.push(local.ufrag.clone());
        ufrags.dedup();
        self.demux.set_ufrags(place, ufrags.iter()).map_err(|_| Refusal::InvalidParameters)?;
        peer.connection.ice.restart(local, remote);
        let known: Vec<_> = peer.connection.ice.local_ufrags().cloned().collect();
        self.demux.set_ufrags(place, known.iter()).map_err(|_| Refusal::InvalidParameters)
    }

    fn admit(&mut self, now: Instant, transport: TransportId) -> Result<(), Refusal> {
        let place = self.place_of(transport)?;
        let Some(peer) = self.peer_mut(place) else { return Err(Refusal::UnknownTransport) };
        peer.admitted = true;
        let consult = peer.consult;
        self.change_consult(now, consult, |c| c.with_member(place, |m| m.admitted = true));
        Ok(())
    }

    fn mute(
        &mut self,
        now: Instant,
        transport: TransportId,
        source: Source,
        muted: bool,
    ) -> Result<(), Refusal> {
        let place = self.place_of(transport)?;
        let Some(peer) = self.peer_mut(place) else { return Err(Refusal::UnknownTransport) };
        let consult = peer.consult;
        // A source that is not sent is as silent as it is going to be.
        if self.set_muted(now, place, source, muted) {
            let noted = self.consults.get_mut(&consult).map(|c| c.mute(place, source, muted));
            let (news, routes_changed) = noted.unwrap_or_default();
            if routes_changed {
                self.apply_routes(now, consult);
            }
            self.tell(news);
            self.arm(place);
        }
        Ok(())
    }

    /// Keeps a source back from everybody who gets it, or lets it go on from its next picture. Says whether that is a change.
    fn set_muted(&mut self, now: Instant, place: usize, source: Source, muted: bool) -> bool {
        let Some(track) = self.peer_mut(place).and_then(|peer| peer.publishing.track_of(source)) else {
            return false;
        };
        if !track.set_muted(muted) {
            return false;
        }
        if !muted {
            track.request_keyframe(now);
        }
        for target in track.targets.clone() {
            let slots = self.peer_mut(target.place).map(|p| &mut p.slots);
            if let Some(slot) = slots.and_then(|s| s.get_mut(target.slot)) {
                slot.withhold();
            }
        }
        true
    }

    fn leave(
        &mut self,
        now: Instant,
        transport: TransportId,
        out: &mut TransmitBuffer,
    ) -> Result<(), Refusal> {
        let place = self.place_of(transport)?;
        self.remove(now, place, LeaveReason::Requested, out);
        Ok(())
    }

    /// Removes a transport with everything that leads to it or comes from it.
    pub(super) fn remove(
        &mut self,
        now: Instant,
        place: usize,
        reason: LeaveReason,
        out: &mut TransmitBuffer,
    ) {
        let Some(mut peer) = self.peers.get_mut(place).and_then(Option::take) else { return };
        peer.connection.close(out);
        self.demux.remove(place);
        self.timers.remove(place);
        self.places.remove(&peer.id);
        self.change_consult(now, peer.consult, |consult| consult.remove(place));
        if self.consults.get(&peer.consult).is_some_and(|c| c.members().is_empty()) {
            self.consults.remove(&peer.consult);
        }
        self.vacant.push(place);
        if let Some(quality) = peer.tally.quality() {
            self.events.push(Event::Measured(peer.id, quality));
        }
        self.events.push(Event::Left(peer.id, reason));
        self.count_presence();
    }

    fn place_of(&self, transport: TransportId) -> Result<usize, Refusal> {
        self.places.get(&transport).copied().ok_or(Refusal::UnknownTransport)
    }

    fn count_presence(&mut self) {
        self.counters.consults = self.consults.len() as u64;
        self.counters.transports = self.places.len() as u64;
    }
}
