//! Leaving, being sent out, and what is taken back.

use media_model::{ConsultId, ParticipantNumber, Pii};
use signaling_protocol::{error::ErrorCode, server::GoodbyeReason, ticket::TicketId};

use super::{Moment, Owed, Registry, Seat, member::Standing};
use crate::{
    journal::{Departure, Entry, Forbidden, Way, What},
    limits::RESUME_GRACE,
    session::Notice,
};

impl Registry {
    /// Sends somebody out for good: whatever they came with is taken back, also what still waits to be written down, and of who has just
    /// left. Neither the database nor the network is asked. Nobody sends themselves out: whoever wants to go leaves.
    pub(crate) fn remove(
        &mut self,
        now: Moment,
        by: Seat,
        participant: ParticipantNumber,
    ) -> Result<(), ErrorCode> {
        let staff = self.seated(by).ok_or(ErrorCode::Internal)?;
        if !staff.may_remove() || participant == by.participant {
            self.note_forbidden(now, by, Forbidden::Removal);
            return Err(ErrorCode::Forbidden);
        }
        let Some(member) = self.member(by.consult, participant) else { return Ok(()) };
        let (who, was_here) = (member.as_who(), member.standing != Standing::Absent);
        let why = Departure::Removed { by: by.participant, ticket: member.ticket };
        let tickets: Vec<_> = member.tickets().collect();
        member.dismiss(Notice::Goodbye(GoodbyeReason::Removed));
        let taken_back =
            tickets.into_iter().filter(|ticket| self.tickets.revoke(*ticket, now.unix_s())).count();
        self.send_away(now, by.consult, participant, why);
        if !was_here && taken_back > 0 {
            let (tenant, who) = (self.tenant_of(by.consult), Some(who));
            let known = Entry::of(now.wall, What::Left(why));
            self.scribe.note(Entry { tenant, consult: Some(by.consult), who, ..known });
        }
        Ok(())
    }

    /// Whether somebody is in a consult, let in and not only waiting; or was when it was ended, not long ago.
    pub(crate) fn is_in(&self, consult: ConsultId, person: &Pii<String>) -> bool {
        match self.consults.get(&consult) {
            Some(consult) => consult.has_present(person),
            None => self.ended.had(consult, person),
        }
    }

    /// The connection is gone. Someone who said goodbye leaves at once; for others media goes on for a while, and a
    /// ticket whose `welcome` may have been lost opens again.
    pub(crate) fn depart(&mut self, now: Moment, seat: Seat, said_goodbye: bool) {
        let Some(member) = self.seated(seat) else { return };
        member.connection = None;
        member.notices = None;
        let unconfirmed = member.unconfirmed_ticket.take();
        let was_waiting = matches!(member.standing, Standing::Waiting(_));
        match member.standing {
            Standing::Absent => {}
            Standing::Waiting(_) => {
                self.send_away(now, seat.consult, seat.participant, Departure::Left);
            }
            Standing::Present { .. } if said_goodbye => {
                self.send_away(now, seat.consult, seat.participant, Departure::Left);
            }
            Standing::Present { .. } => member.standing = Standing::Present { lost_at: Some(now.steady) },
        }
        if let Some(ticket) = unconfirmed.filter(|_| !said_goodbye || was_waiting) {
            self.tickets.release(ticket, Way::WebSocket);
        }
    }

    /// Ends the grace time of those who did not come back.
    pub(super) fn expire_graces(&mut self, now: Moment) {
        let is_over = |standing: Standing| match standing {
            Standing::Present { lost_at: Some(at) } => {
                now.steady.saturating_duration_since(at) >= RESUME_GRACE
            }
            _ => false,
        };
        let over: Vec<_> = self
            .consults
            .values()
            .flat_map(|consult| consult.members.values().map(move |member| (consult.id, member)))
            .filter(|(_, member)| is_over(member.standing))
            .map(|(consult, member)| (consult, member.number))
            .collect();
        for (consult, participant) in over {
            self.send_away(now, consult, participant, Departure::Lost);
        }
    }

    /// Ends somebody's presence: transports, waiting room, journal. The connection was dismissed before.
    pub(super) fn send_away(
        &mut self,
        now: Moment,
        consult: ConsultId,
        participant: ParticipantNumber,
        why: Departure,
    ) {
        let Some(member) = self.member(consult, participant) else { return };
        let refusals = member.refusals.rest(now.steady);
        self.note_refusals(now, consult, participant, &refusals);
        let Some(member) = self.member(consult, participant) else { return };
        let comings = member.comings();
        member.muted_by.clear();
        let was = std::mem::replace(&mut member.standing, Standing::Absent);
        let who = member.as_who();
        let transports: Vec<_> = member.transports.iter().map(|transport| transport.id).collect();
        for transport in transports {
            self.remove_transport(now, transport, why == Departure::Lost);
        }
        if was == Standing::Absent {
            return;
        }
        for coming in comings {
            self.note_left(now, consult, who.clone(), &coming, why);
        }
        if matches!(was, Standing::Waiting(_)) {
            self.tell_lobby(consult);
        }
    }

    /// Takes a ticket back: whoever came in with it is gone, both directions at once.
    pub(crate) fn revoke_ticket(&mut self, now: Moment, ticket: TicketId) {
        self.tickets.revoke(ticket, now.unix_s());
        let holders: Vec<_> = self
            .consults
            .values()
            .flat_map(|consult| consult.members.values().map(move |member| (consult.id, member)))
            .filter(|(_, member)| member.has_ticket(ticket))
            .map(|(consult, member)| (consult, member.number))
            .collect();
        for (consult, participant) in holders {
            if let Some(member) = self.member(consult, participant) {
                member.dismiss(Notice::Refused(ErrorCode::TicketRevoked));
            }
            self.send_away(now, consult, participant, Departure::Revoked);
        }
    }

    /// Has a ticket open nothing any more. Whoever came in with it stays for as long as they are connected; who waits goes.
    pub(crate) fn bar_ticket(&mut self, now: Moment, ticket: TicketId) {
        let mut members = self.consults.values().flat_map(|consult| consult.members.values());
        let waits = members
            .any(|member| member.has_ticket(ticket) && matches!(member.standing, Standing::Waiting(_)));
        if waits {
            return self.revoke_ticket(now, ticket);
        }
        self.tickets.revoke(ticket, now.unix_s());
    }

    /// Whether a ticket was taken back and nobody is in a consult with it: who stays when tickets are barred keeps what theirs gave.
    pub(crate) fn is_revoked(&self, ticket: TicketId) -> bool {
        let mut members = self.consults.values().flat_map(|consult| consult.members.values());
        self.tickets.is_revoked(ticket)
            && !members.any(|member| member.is_present() && member.has_ticket(ticket))
    }

    /// Sends away whose break-glass has run out. What they came in with is taken back, so that no resume token brings them in again.
    pub(super) fn expire_glasses(&mut self, now: Moment) {
        let members = self.consults.values().flat_map(|consult| consult.members.values());
        let run_out: Vec<_> =
            members.filter(|member| member.has_run_out(now.unix_s())).map(|member| member.ticket).collect();
        for ticket in run_out {
            self.revoke_ticket(now, ticket);
        }
    }

    /// Ends a consult for everyone, for good.
    pub(crate) fn end_consult(&mut self, now: Moment, consult: ConsultId) {
        self.tickets.end(consult, now.unix_s());
        if let Some(consult) = self.consults.get(&consult) {
            self.ended.note(now.steady, consult.id, consult.people_present());
        }
        self.dismiss_all(now, consult, GoodbyeReason::ConsultEnded, Departure::ConsultEnded);
        if let Some(shard) = self.consults.remove(&consult).and_then(|consult| consult.shard) {
            self.command(&shard, Owed::EndConsult(consult));
            self.media.release(consult);
        }
    }

    /// Says goodbye to everyone on the node. Nobody comes in any more.
    pub(crate) fn close(&mut self, now: Moment) {
        self.closing = true;
        let consults: Vec<_> = self.consults.keys().copied().collect();
        for consult in consults {
            self.dismiss_all(now, consult, GoodbyeReason::ServerShutdown, Departure::Shutdown);
        }
    }

    fn dismiss_all(&mut self, now: Moment, id: ConsultId, words: GoodbyeReason, why: Departure) {
        let Some(consult) = self.consults.get_mut(&id) else { return };
        let numbers: Vec<_> = consult.members.keys().copied().collect();
        // All are told before any is taken away, so that nobody's last message is about somebody else's leaving.
        for member in consult.members.values_mut() {
            member.dismiss(Notice::Goodbye(words));
        }
        for participant in numbers {
            self.send_away(now, id, participant, why);
        }
    }

    pub(super) fn tell_lobby(&mut self, consult: ConsultId) {
        if let Some(consult) = self.consults.get_mut(&consult) {
            let cut = consult.tell_lobby();
            self.count_cut(cut);
        }
    }
}
