//! Offers become transports; the shards' events find their people.
//!
//! When somebody comes back with another certificate (a reloaded page), the new transport joins beside the old one, which
//! leaves when the new one's handshake is done. The engine forwards a person's newest connected transport into the one
//! slot that they have, so the others keep the old picture until there is a new one, and nobody is seen twice or vanishes
//! in between. An offer with the certificate of the running transport (a WebSocket that broke alone) goes on with that
//! transport and costs nobody anything.

use std::{collections::HashSet, sync::Arc};

use media_engine::api::{self, Command, Event, IceCredentials, Join, LeaveReason, Refusal, Renegotiate};
use media_model::{Codec, ConsultId, MediaKind, ParticipantNumber, SlotPool, TransportId};
use signaling_protocol::{
    error::ErrorCode,
    limits::{SLOTS_INITIAL, SLOTS_MAX},
    server::{GoodbyeReason, Reoffer, ReofferReason, SlotCounts},
    ticket::TicketId,
};
use tokio::sync::oneshot;

use super::{
    Coming, Moment, Owed, Registry, Seat,
    member::{Member, Standing, Transport, refusal_code},
    parting::has_broken,
};
use crate::{
    counters::Counters,
    journal::{Departure, Way},
    media::{Overloaded, Shard},
    sdp::Negotiated,
    session::Notice,
};

/// What an offer is to be answered on.
pub(crate) struct Ground {
    pub(crate) shard: Arc<dyn Shard>,
    pub(crate) previous: Option<Arc<Negotiated>>,
    /// Video codecs that everyone else who is present decodes; `None` where nobody else receives video.
    pub(crate) decoded_by_all: Option<HashSet<Codec>>,
}

/// A negotiation on its way to the shard.
pub(crate) struct Placed {
    /// A new transport: the shard still has to say whether it takes it. Otherwise the running one goes on with other parameters.
    pub(crate) joining: Option<(TransportId, oneshot::Receiver<Result<(), Refusal>>)>,
    /// What the client is to be told before the answer.
    pub(crate) muted: Vec<Notice>,
}

impl Registry {
    /// Where this person's next offer is answered.
    pub(crate) fn ground(&mut self, seat: Seat, way: Way) -> Result<Ground, ErrorCode> {
        let media = Arc::clone(&self.media);
        let consult = self.consults.get_mut(&seat.consult).ok_or(ErrorCode::Internal)?;
        let shard = match &consult.shard {
            Some(shard) => Arc::clone(shard),
            None => media.place(consult.id).map_err(|Overloaded| ErrorCode::NodeFull)?,
        };
        consult.shard = Some(Arc::clone(&shard));
        let others =
            consult.members.values().map(Box::as_ref).filter(|member| member.number != seat.participant);
        let decoded_by_all = decoded_by_all(others);
        let member = consult.members.get(&seat.participant).filter(|member| may_negotiate(member, seat, way));
        let member = member.ok_or(ErrorCode::Internal)?;
        // A POST always makes a session of its own: it must not change a running one and then fail.
        let running = member.transport(way).filter(|_| way == Way::WebSocket);
        let previous = running.map(|transport| Arc::clone(&transport.agreed));
        Ok(Ground { shard, previous, decoded_by_all })
    }

    /// Adds a transport, which supersedes an earlier one of the same person and way.
    pub(crate) fn join(
        &mut self,
        now: Moment,
        seat: Seat,
        way: Way,
        session: Option<(TicketId, Coming)>,
        mut agreed: Negotiated,
    ) -> Result<Placed, ErrorCode> {
        let shard = self.shard(seat.consult).ok_or(ErrorCode::Internal)?;
        let id = TransportId(self.next_transport);
        self.next_transport += 1;
        let member = self.member(seat.consult, seat.participant).ok_or(ErrorCode::Internal)?;
        if !may_negotiate(member, seat, way) {
            return Err(ErrorCode::Internal);
        }
        let muted = member.keep_muted(way, &mut agreed.media);
        let abandoned: Vec<_> =
            member.transports.iter().filter(|t| t.way == way && !t.connected).map(|t| t.id).collect();
        let join = Join {
            transport: id,
            consult: seat.consult,
            participant: seat.participant,
            admitted: true,
            ice_local: agreed.ice_local.clone(),
            ice_remote: agreed.ice_remote.clone(),
            fingerprint: agreed.fingerprint,
            media: agreed.media.clone(),
        };
        if way == Way::WebSocket {
            // Whoever renews it offers anew. WHIP and WHEP restart ICE with the answer that stands.
            agreed.answer = String::new();
        }
        agreed.answer.shrink_to_fit();
        let (reply, replied) = oneshot::channel();
        let (ticket, coming) = session.unwrap_or_else(|| (member.ticket, member.coming.clone()));
        let reply = Some(reply);
        member.transports.push(Transport {
            id,
            way,
            ticket,
            coming,
            agreed: Arc::new(agreed),
            connected: false,
            reply,
        });
        member.layout_base = member.layout_last;
        self.owners.insert(id, (seat.consult, seat.participant));
        for transport in abandoned {
            self.supersede(now, way, transport);
        }
        if shard.send(Command::Join(Box::new(join))).is_err() {
            Counters::add(&self.counters.shard_overloaded);
            self.forget_transport(id);
            return Err(ErrorCode::Internal);
        }
        Ok(Placed { joining: Some((id, replied)), muted })
    }

    /// Gives the running transport other parameters.
    pub(crate) fn renegotiate(
        &mut self,
        seat: Seat,
        way: Way,
        agreed: Negotiated,
    ) -> Result<Placed, ErrorCode> {
        let member = self.member(seat.consult, seat.participant).ok_or(ErrorCode::Internal)?;
        let running = member.transport(way).ok_or(ErrorCode::Internal)?.id;
        self.alter(seat, running, agreed)
    }

    /// Gives this transport other parameters.
    fn alter(&mut self, seat: Seat, id: TransportId, mut agreed: Negotiated) -> Result<Placed, ErrorCode> {
        let shard = self.shard(seat.consult).ok_or(ErrorCode::Internal)?;
        let member = self.member(seat.consult, seat.participant).ok_or(ErrorCode::Internal)?;
        let way = find(member, id).ok_or(ErrorCode::Internal)?.way;
        if !may_negotiate(member, seat, way) {
            return Err(ErrorCode::Internal);
        }
        let muted = member.keep_muted(way, &mut agreed.media);
        let transport = find(member, id).ok_or(ErrorCode::Internal)?;
        let ice = agreed.ice_restarted.then(|| (agreed.ice_local.clone(), agreed.ice_remote.clone()));
        let command = Renegotiate { transport: transport.id, ice, media: agreed.media.clone() };
        if shard.send(Command::Renegotiate(Box::new(command))).is_err() {
            Counters::add(&self.counters.shard_overloaded);
            return Err(ErrorCode::Internal);
        }
        if way == Way::WebSocket {
            agreed.answer = String::new();
        }
        transport.agreed = Arc::new(agreed);
        Ok(Placed { joining: None, muted })
    }

    /// Removes a transport at once, both directions; `broke` where its person did not mean to be without.
    pub(crate) fn remove_transport(&mut self, now: Moment, id: TransportId, broke: bool) {
        let Some((consult, _)) = self.owners.get(&id).copied() else { return };
        self.note_parting(now.steady, id, broke);
        self.forget_transport(id);
        if let Some(shard) = self.shard(consult) {
            self.command(&shard, Owed::Leave(id));
        }
    }

    /// Gives a transport new ICE credentials and leaves the rest. Returns the answer that still holds.
    pub(crate) fn restart_ice(
        &mut self,
        seat: Seat,
        id: TransportId,
        ours: IceCredentials,
        theirs: IceCredentials,
    ) -> Result<String, ErrorCode> {
        let member = self.member(seat.consult, seat.participant).ok_or(ErrorCode::Internal)?;
        let agreed = &find(member, id).ok_or(ErrorCode::Internal)?.agreed;
        let mut agreed = agreed.as_ref().clone();
        agreed.ice_local = ours;
        agreed.ice_remote = theirs;
        agreed.ice_restarted = true;
        let answer = agreed.answer.clone();
        self.alter(seat, id, agreed)?;
        Ok(answer)
    }

    /// Ends a WHIP or WHEP session: its transport, and its person's presence with the last of them.
    pub(crate) fn end_resource(&mut self, now: Moment, id: TransportId, why: Departure) {
        let Some((consult, participant)) = self.owners.get(&id).copied() else { return };
        let coming = self.owner(id).and_then(|member| find(member, id)).map(|session| session.coming.clone());
        self.remove_transport(now, id, matches!(why, Departure::Lost | Departure::Replaced));
        if let Some(coming) = coming {
            self.end_presence(now, consult, participant, coming, why);
        }
    }

    /// One WHIP or WHEP session is over. With it goes its person, whom neither a WebSocket nor another transport connects.
    pub(crate) fn end_presence(
        &mut self,
        now: Moment,
        consult: ConsultId,
        participant: ParticipantNumber,
        coming: Coming,
        why: Departure,
    ) {
        let Some(member) = self.member(consult, participant) else { return };
        let is_in_grace = matches!(member.standing, Standing::Present { lost_at: Some(_) });
        if member.transports.is_empty() && member.connection.is_none() && !is_in_grace {
            member.coming = coming;
            return self.send_away(now, consult, participant, why);
        }
        let who = member.as_who();
        self.note_left(now, consult, who, &coming, why);
    }

    /// Whether this transport is still there.
    pub(crate) fn has_transport(&self, id: TransportId) -> bool {
        self.owners.contains_key(&id)
    }

    /// A shard says something.
    pub(crate) fn handle_event(&mut self, now: Moment, event: Event) {
        match event {
            Event::Joined(id) => self.reply(id, Ok(())),
            Event::Refused(id, refusal) => {
                self.forget_parting(id);
                self.handle_refused(now, id, refusal);
            }
            Event::Connected(id) => self.take_over(now, id),
            Event::Layout(layout) => self.handle_layout(&layout),
            Event::ReofferNeeded(id, reason) => self.handle_reoffer(id, reason),
            Event::Measured(id, quality) => self.handle_measured(now.steady, id, quality),
            Event::Left(id, reason) => {
                self.note_parting(now.steady, id, has_broken(reason));
                self.handle_left(now, id, reason);
                self.note_measured(now, id);
            }
        }
    }

    fn reply(&mut self, id: TransportId, result: Result<(), Refusal>) {
        let reply = self.owner(id).and_then(|member| find(member, id)).and_then(|t| t.reply.take());
        if let Some(reply) = reply {
            // Nobody listens any more when the connection has gone meanwhile.
            let _ = reply.send(result);
        }
    }

    fn handle_refused(&mut self, now: Moment, id: TransportId, refusal: Refusal) {
        let Some(member) = self.owner(id) else { return };
        let is_join = find(member, id).is_some_and(|transport| transport.reply.is_some());
        if !is_join {
            // A renegotiation whose answer is out already: client and shard no longer agree on anything.
            tracing::warn!(?id, ?refusal, "the shard refused parameters that were answered");
            member.dismiss(Notice::Refused(refusal_code(refusal)));
            member.standing = Standing::Present { lost_at: Some(now.steady) };
            return;
        }
        self.reply(id, Err(refusal));
        self.forget_transport(id);
    }

    /// A transport is connected: what it supersedes leaves.
    fn take_over(&mut self, now: Moment, id: TransportId) {
        let Some(member) = self.owner(id) else { return };
        let Some(at) = member.transports.iter().position(|transport| transport.id == id) else { return };
        let Some(transport) = member.transports.get_mut(at) else { return };
        transport.connected = true;
        let way = transport.way;
        if way == Way::WebSocket {
            member.is_path_asked_for = false;
        }
        let older = member.transports.iter().take(at).filter(|t| t.way == way);
        let superseded: Vec<_> = older.map(|t| t.id).collect();
        for transport in superseded {
            self.supersede(now, way, transport);
        }
    }

    fn supersede(&mut self, now: Moment, way: Way, transport: TransportId) {
        match way {
            // A page that was loaded again, or a line that came back: the connection had to be made anew.
            Way::WebSocket => self.remove_transport(now, transport, true),
            Way::Whip | Way::Whep => self.end_resource(now, transport, Departure::Replaced),
        }
    }

    fn handle_layout(&mut self, layout: &api::Layout) {
        let Some((id, participant)) = self.owners.get(&layout.transport).copied() else { return };
        let Some(consult) = self.consults.get_mut(&id) else { return };
        let Some(member) = consult.members.get_mut(&participant) else { return };
        let is_current = member.transport(Way::WebSocket).is_some_and(|t| t.id == layout.transport);
        if !is_current {
            return;
        }
        let revision = member.layout_base.wrapping_add(layout.revision);
        member.layout_last = revision;
        member.layout = Some(layout.clone());
        let named = consult.name_layout(revision, layout);
        let told = self.member(id, participant).is_none_or(|member| member.tell(Notice::Layout(named)));
        self.count_cut(usize::from(!told));
    }

    /// Tells a new connection that goes on with a running transport who is in which slot.
    pub(crate) fn relay_layout(&mut self, seat: Seat) {
        let Some(member) = self.seated(seat) else { return };
        if !std::mem::take(&mut member.is_layout_due) {
            return;
        }
        let running = member.transport(Way::WebSocket).map(|transport| transport.id);
        let layout = member.layout.clone().filter(|layout| Some(layout.transport) == running);
        let (Some(layout), revision) = (layout, member.layout_last) else { return };
        let Some(consult) = self.consults.get(&seat.consult) else { return };
        let named = consult.name_layout(revision, &layout);
        let told = self.seated(seat).is_none_or(|member| member.tell(Notice::Layout(named)));
        self.count_cut(usize::from(!told));
    }

    fn handle_reoffer(&mut self, id: TransportId, reason: api::ReofferReason) {
        let Some(member) = self.owner(id) else { return };
        let Some(transport) = member.transport(Way::WebSocket).filter(|t| t.id == id) else { return };
        let has = slot_counts(&transport.agreed.media);
        let (reason, slots) = match reason {
            api::ReofferReason::Slots { camera, screen } => {
                let slots = SlotCounts {
                    camera: camera.min(SLOTS_MAX.camera).max(has.camera),
                    screen: screen.min(SLOTS_MAX.screen).max(has.screen),
                };
                (ReofferReason::Slots, slots)
            }
            api::ReofferReason::Codec => (ReofferReason::Codec, has),
        };
        if reason == ReofferReason::Slots && slots == has {
            return;
        }
        let told = member.tell(Notice::Reoffer(Reoffer { reason, slots, ice_restart: false }));
        self.count_cut(usize::from(!told));
    }

    fn handle_left(&mut self, now: Moment, id: TransportId, reason: LeaveReason) {
        let Some((consult, participant)) = self.owners.get(&id).copied() else { return };
        let Some(member) = self.owner(id) else { return };
        let Some(transport) = find(member, id) else { return };
        let (way, slots) = (transport.way, slot_counts(&transport.agreed.media));
        let coming = transport.coming.clone();
        let was_newest = member.transport(way).is_some_and(|t| t.id == id);
        tracing::info!(%consult, participant = participant.csrc(), ?reason, "transport ended");
        self.forget_transport(id);
        if way != Way::WebSocket {
            return self.end_presence(now, consult, participant, coming, Departure::Lost);
        }
        let Some(member) = self.member(consult, participant) else { return };
        if !was_newest {
            return;
        }
        // A client that closed its side is about to offer anew, or to leave; everyone else is told.
        if reason == LeaveReason::ClosedByPeer || member.connection.is_none() {
            return;
        }
        if may_pass(reason) && !std::mem::replace(&mut member.is_path_asked_for, true) {
            let reoffer = Reoffer { reason: ReofferReason::Path, slots, ice_restart: true };
            let told = member.tell(Notice::Reoffer(reoffer));
            return self.count_cut(usize::from(!told));
        }
        member.is_path_asked_for = false;
        member.dismiss(Notice::Goodbye(GoodbyeReason::MediaLost));
        member.standing = Standing::Present { lost_at: Some(now.steady) };
    }

    fn forget_transport(&mut self, id: TransportId) {
        let Some((consult, participant)) = self.owners.remove(&id) else { return };
        let Some(member) = self.member(consult, participant) else { return };
        let Some(at) = member.transports.iter().position(|transport| transport.id == id) else { return };
        let transport = member.transports.remove(at);
        if transport.way != Way::WebSocket {
            self.tickets.release(transport.ticket, transport.way);
        }
    }

    fn owner(&mut self, id: TransportId) -> Option<&mut Member> {
        let (consult, participant) = self.owners.get(&id).copied()?;
        self.member(consult, participant)
    }

    pub(super) fn shard(&self, consult: ConsultId) -> Option<Arc<dyn Shard>> {
        self.consults.get(&consult)?.shard.clone()
    }
}

fn find(member: &mut Member, id: TransportId) -> Option<&mut Transport> {
    member.transports.iter_mut().find(|transport| transport.id == id)
}

/// Whether another transport may fare better than one that left for this reason.
const fn may_pass(reason: LeaveReason) -> bool {
    matches!(reason, LeaveReason::ShardFailed | LeaveReason::ConsentExpired | LeaveReason::ConnectTimeout)
}

/// A WebSocket negotiates while it is the one that counts, WHIP and WHEP while their person is admitted and has none.
fn may_negotiate(member: &Member, seat: Seat, way: Way) -> bool {
    let is_its_turn = match way {
        Way::WebSocket => member.is_linked_by(seat.connection),
        Way::Whip | Way::Whep => member.connection.is_none(),
    };
    member.is_present() && is_its_turn
}

/// The slot pairs that a client has, and never fewer than it was first asked for.
fn slot_counts(media: &api::MediaParams) -> SlotCounts {
    let pairs = |pool: SlotPool| {
        let of_pool = media.slots.iter().filter(|slot| slot.slot.pool == pool);
        of_pool.map(|slot| slot.slot.index.saturating_add(1)).max().unwrap_or(0)
    };
    SlotCounts {
        camera: pairs(SlotPool::Camera).max(SLOTS_INITIAL.camera),
        screen: pairs(SlotPool::Screen).max(SLOTS_INITIAL.screen),
    }
}

/// The video codecs that each of these members decodes in every one of their slots.
fn decoded_by_all<'a>(members: impl Iterator<Item = &'a Member>) -> Option<HashSet<Codec>> {
    members
        .filter(|member| member.is_present())
        .flat_map(|member| &member.transports)
        .flat_map(|transport| &transport.agreed.media.slots)
        .filter(|slot| slot.kind == MediaKind::Video && !slot.codecs.is_empty())
        .map(|slot| slot.codecs.iter().map(|format| format.codec).collect::<HashSet<_>>())
        .reduce(|all, slot| &all & &slot)
}
