//! Coming in, waiting, being admitted.

use media_model::{ParticipantNumber, TenantId};
use signaling_protocol::{
    error::ErrorCode, limits::RESUME_VALIDITY, server::GoodbyeReason, ticket::ResumeToken,
};
use tokio::sync::mpsc;

use super::{Claim, ConnectionId, Consult, Moment, Registry, Seat, claim::Resumes, member::Standing};
use crate::{
    counters::Counters,
    journal::{Call, Departure, Forbidden, Way, Who},
    limits::{CONSULTS_MAX, EARLIER_TICKETS_MAX},
    session::Notice,
};

/// How an entry went.
pub(crate) enum Opening {
    /// Admitted; the token is to be signed and handed over.
    Present(Box<ResumeToken>),
    /// In the waiting room.
    Waiting,
}

/// A place that was kept while the journal is written.
pub(crate) struct Reservation {
    pub(crate) seat: Seat,
    pub(crate) who: Who,
    /// Somebody who comes back with a resume token within the grace time never left. A ticket is a coming of its own.
    pub(crate) is_return: bool,
    pub(crate) waits: bool,
}

impl Registry {
    /// Uses up the ticket and finds the person's place. Nobody else notices yet. A resume token is used up by the
    /// first message after the next `welcome`: only then is it known that its successor arrived.
    pub(crate) fn reserve(&mut self, now: Moment, claim: &Claim, way: Way) -> Result<Reservation, ErrorCode> {
        if self.closing {
            return Err(ErrorCode::Internal);
        }
        self.tickets.check(claim.ticket, claim.consult)?;
        // Without the leeway that clocks have: what ran out sends everybody away who is there.
        if claim.glass.is_some_and(|glass| glass.until_unix_s <= now.unix_s()) {
            return Err(ErrorCode::TicketExpired);
        }
        // Also where the node has started again and knows nothing else of them.
        let is_superseded = |resumes: Resumes| self.tickets.is_superseded(claim.ticket, resumes.generation);
        if claim.resumes.is_some_and(is_superseded) {
            return Err(ErrorCode::TicketInUse);
        }
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        if claim.resumes.is_none() {
            self.tickets.take(claim.ticket, way, claim.expires_unix_s)?;
        }
        let reserved = self.reserve_place(now, claim, way, connection);
        if reserved.is_err() && claim.resumes.is_none() {
            self.tickets.release(claim.ticket, way);
        }
        reserved
    }

    fn reserve_place(
        &mut self,
        now: Moment,
        claim: &Claim,
        way: Way,
        connection: ConnectionId,
    ) -> Result<Reservation, ErrorCode> {
        if !self.consults.contains_key(&claim.consult) && self.consults.len() >= CONSULTS_MAX {
            return Err(ErrorCode::NodeFull);
        }
        let new = || Consult::new(claim.consult, claim.tenant, now.steady);
        let consult = self.consults.entry(claim.consult).or_insert_with(new);
        if consult.tenant != claim.tenant {
            return Err(ErrorCode::TicketInvalid);
        }
        consult.empty_since = now.steady;
        let is_full = consult.present() >= self.participants_max;
        let member = consult.member_of(claim)?;
        let is_present = member.is_present();
        if is_full && !is_present {
            return Err(ErrorCode::ConsultFull);
        }
        let good = member.confirmed_generation..=member.generation;
        if claim.resumes.is_some_and(|resumes| !good.contains(&resumes.generation)) {
            return Err(ErrorCode::TicketInUse);
        }
        // Whoever broke a glass comes where they are seen to have done so, and in no other way.
        if way != Way::WebSocket && claim.glass.is_some() {
            return Err(ErrorCode::Forbidden);
        }
        // A person comes by WebSocket or by WHIP and WHEP: two cameras of one person could not be told apart.
        if way != Way::WebSocket && member.connection.is_some() {
            return Err(ErrorCode::TicketInUse);
        }
        // From now on it is taken back with them, though it may be a while until they are in.
        member.comes_with(claim.ticket);
        let seat = Seat { consult: claim.consult, participant: member.number, connection };
        Ok(Reservation {
            seat,
            who: Who { break_glass: claim.glass.map(|glass| glass.id), ..member.as_who() },
            is_return: is_present && claim.resumes.is_some(),
            waits: claim.waits && !is_present,
        })
    }

    /// Gives a reservation back: the journal could not be written.
    pub(crate) fn give_up(&mut self, claim: &Claim, way: Way) {
        if claim.resumes.is_none() {
            self.tickets.release(claim.ticket, way);
        }
    }

    /// Whether a reservation is still what it was. Somebody whose place it was may have left since, or been sent away: what the
    /// journal has of their coming is not so any more, and who waited before has to wait again. What they came with opens another
    /// time, unless it was taken back.
    fn check_reservation(
        &mut self,
        claim: &Claim,
        reservation: &Reservation,
        way: Way,
    ) -> Result<(), ErrorCode> {
        self.tickets.check(claim.ticket, claim.consult)?;
        let Seat { consult, participant, .. } = reservation.seat;
        let member = self.member(consult, participant).ok_or(ErrorCode::Internal)?;
        let was_present = reservation.is_return || (claim.waits && !reservation.waits);
        if was_present && !member.is_present() {
            self.give_up(claim, way);
            return Err(ErrorCode::Internal);
        }
        Ok(())
    }

    /// Takes the reserved place. An earlier connection of the same person is told that it was replaced.
    pub(crate) fn open(
        &mut self,
        now: Moment,
        claim: &Claim,
        reservation: &Reservation,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Opening, ErrorCode> {
        self.check_reservation(claim, reservation, Way::WebSocket)?;
        let Seat { consult: id, participant, connection } = reservation.seat;
        let consult = self.consults.get_mut(&id).ok_or(ErrorCode::Internal)?;
        let turn = consult.next_turn();
        let member = consult.members.get_mut(&participant).ok_or(ErrorCode::Internal)?;
        let (who, mut over) = (member.as_who(), member.comings());
        let was_connected = member.connection.is_some();
        member.dismiss(Notice::Goodbye(GoodbyeReason::Replaced));
        member.connection = Some(connection);
        member.notices = Some(notices);
        (member.is_layout_due, member.are_mutes_due) = (true, true);
        let earlier = std::mem::replace(&mut member.ticket, claim.ticket);
        let is_new = earlier != claim.ticket && !member.earlier_tickets.contains(&earlier);
        if is_new && member.earlier_tickets.len() < EARLIER_TICKETS_MAX {
            member.earlier_tickets.push(earlier);
        }
        member.unconfirmed_ticket = claim.resumes.is_none().then_some(claim.ticket);
        member.role = claim.role;
        member.display_name = claim.display_name.clone();
        member.glass = claim.glass;
        member.call = claim.call.clone();
        let goes_on = reservation.is_return && !over.is_empty();
        member.coming = if goes_on { over.remove(0) } else { claim.coming(now) };
        let waits = reservation.waits && !member.is_present();
        member.standing = if waits { Standing::Waiting(turn) } else { Standing::Present { lost_at: None } };
        let others =
            member.transports.iter().filter(|t| t.way != Way::WebSocket).map(|t| t.id).collect::<Vec<_>>();
        for transport in others {
            self.remove_transport(now, transport, false);
        }
        if was_connected {
            Counters::add(&self.counters.replaced);
            tracing::info!(consult = %id, participant = participant.csrc(), "replaced by a newer connection");
        }
        for coming in over {
            self.note_left(now, id, who.clone(), &coming, Departure::Replaced);
        }
        if waits {
            self.tell_lobby(id);
            return Ok(Opening::Waiting);
        }
        self.welcome(now, reservation.seat).map(|token| Opening::Present(Box::new(token)))
    }

    /// Takes the reserved place for a WHIP or WHEP session, which is connected by its transport alone.
    pub(crate) fn open_resource(&mut self, now: Moment, claim: &Claim, seat: Seat) -> Result<(), ErrorCode> {
        self.tickets.check(claim.ticket, claim.consult)?;
        let member = self.member(seat.consult, seat.participant).ok_or(ErrorCode::Internal)?;
        if member.connection.is_some() {
            return Err(ErrorCode::TicketInUse);
        }
        let replaced = matches!(member.standing, Standing::Present { lost_at: Some(_) });
        let replaced = replaced.then(|| (member.as_who(), member.coming.clone()));
        member.coming = claim.coming(now);
        member.ticket = claim.ticket;
        member.role = claim.role;
        member.display_name = claim.display_name.clone();
        member.standing = Standing::Present { lost_at: None };
        let others =
            member.transports.iter().filter(|t| t.way == Way::WebSocket).map(|t| t.id).collect::<Vec<_>>();
        for transport in others {
            self.remove_transport(now, transport, false);
        }
        if let Some((who, coming)) = replaced {
            self.note_left(now, seat.consult, who, &coming, Departure::Replaced);
        }
        Ok(())
    }

    /// Gives the place of a WHIP or WHEP session back that came to nothing.
    pub(crate) fn close_resource(&mut self, now: Moment, claim: &Claim, seat: Seat, way: Way) {
        self.give_up(claim, way);
        self.end_presence(now, seat.consult, seat.participant, claim.coming(now), Departure::Lost);
    }

    /// Makes the next resume token of somebody who is admitted; earlier ones are good until it is confirmed.
    pub(crate) fn welcome(&mut self, now: Moment, seat: Seat) -> Result<ResumeToken, ErrorCode> {
        let tenant = self.tenant_of(seat.consult).ok_or(ErrorCode::Internal)?;
        let member = self.seated(seat).filter(|m| m.is_present()).ok_or(ErrorCode::Internal)?;
        member.generation = member.generation.saturating_add(1);
        Ok(ResumeToken {
            tenant,
            consult: seat.consult,
            participant: seat.participant,
            ticket: member.ticket,
            person: member.person.clone(),
            role: member.role,
            display_name: member.display_name.clone(),
            generation: member.generation,
            waits: false,
            break_glass: member.glass,
            issued_at_unix_s: now.unix_s(),
            expires_at_unix_s: now.unix_s() + RESUME_VALIDITY.as_secs(),
        })
    }

    /// The connection has said something after its `welcome`, which has arrived then.
    pub(crate) fn confirm(&mut self, now: Moment, seat: Seat) {
        let Some(member) = self.seated(seat).filter(|member| !member.is_confirmed()) else { return };
        let (generation, superseded) = member.confirm();
        for ticket in superseded {
            self.tickets.supersede(ticket, generation, now.unix_s());
        }
    }

    /// Who sits here and was admitted, by which connection they came, and whose consult it is.
    pub(crate) fn admitted(&mut self, seat: Seat) -> Result<(TenantId, Who, Option<Call>), ErrorCode> {
        let tenant = self.tenant_of(seat.consult).ok_or(ErrorCode::Internal)?;
        let member = self.seated(seat).filter(|member| member.is_present()).ok_or(ErrorCode::Internal)?;
        // Not from where: whoever admitted sits elsewhere.
        let call = member.coming.call.as_ref().map(|call| Call { request: call.request, address: None });
        Ok((tenant, member.as_who(), call))
    }

    /// Takes an admission back that could not be written down. The person may come and wait again.
    pub(crate) fn unadmit(&mut self, now: Moment, seat: Seat) {
        let Some(member) = self.seated(seat) else { return };
        if let Some(ticket) = member.unconfirmed_ticket.take() {
            self.tickets.release(ticket, Way::WebSocket);
        }
        self.send_away(now, seat.consult, seat.participant, Departure::Lost);
    }

    /// Tells staff who has just come in who waits.
    pub(crate) fn greet(&mut self, seat: Seat) {
        let Some(consult) = self.consults.get_mut(&seat.consult) else { return };
        let lobby = consult.lobby();
        let Some(member) = self.seated(seat) else { return };
        if member.may_admit() && !lobby.is_empty() {
            member.tell(Notice::Lobby(lobby));
        }
    }

    /// Lets somebody in. Someone who is not waiting (any more) is left as they are: two may press at once.
    pub(crate) fn admit(
        &mut self,
        now: Moment,
        by: Seat,
        participant: ParticipantNumber,
    ) -> Result<(), ErrorCode> {
        let staff = self.seated(by).ok_or(ErrorCode::Internal)?;
        if !staff.may_admit() {
            self.note_forbidden(now, by, Forbidden::Admission);
            return Err(ErrorCode::Forbidden);
        }
        let Some(member) = self.member(by.consult, participant) else { return Ok(()) };
        if matches!(member.standing, Standing::Waiting(_)) {
            member.standing = Standing::Present { lost_at: None };
            member.coming.since = now.steady;
            member.tell(Notice::Admitted { by: by.participant });
            self.tell_lobby(by.consult);
        }
        Ok(())
    }
}
