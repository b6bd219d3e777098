//! Lines of chat: who may write one, and who gets it once it is kept.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use media_model::{ConsultId, ParticipantNumber, Pii};
use signaling_protocol::{
    error::ErrorCode, limits::CHAT_LINES_WAITING_MAX, server::LineId, ticket::TicketId,
};

use super::{Moment, Registry, Seat};
use crate::{
    counters::Counters,
    journal::{Entry, Forbidden, What},
    session::Notice,
};

/// A line that was taken and that nobody has got yet.
pub(crate) struct Line {
    /// What is to be kept before anybody gets it.
    pub(crate) entry: Entry,
    pub(crate) taken_at: Instant,
    id: LineId,
    from: Seat,
    /// What its author came in with.
    ticket: TicketId,
    text: Pii<String>,
}

impl Registry {
    /// Takes a line of somebody who may write, so that it can be kept. Of a connection that no longer counts there is none.
    pub(crate) fn take_line(
        &mut self,
        now: Moment,
        from: Seat,
        id: LineId,
        text: Pii<String>,
    ) -> Result<Option<Line>, ErrorCode> {
        let tenant = self.tenant_of(from.consult);
        let Some(member) = self.seated(from).filter(|member| member.is_present()) else { return Ok(None) };
        // A broken glass is for looking, whatever the role.
        if !member.role.writes_chat() || member.glass.is_some() {
            self.note_forbidden(now, from, Forbidden::Chat);
            return Err(ErrorCode::Forbidden);
        }
        if member.lines_waiting >= CHAT_LINES_WAITING_MAX {
            return Err(ErrorCode::ChatBusy);
        }
        member.lines_waiting += 1;
        let (who, call, ticket) = (Some(member.as_who()), member.call.clone(), member.ticket);
        let known = Entry::of(now.wall, What::Wrote(id, text.clone()));
        let entry = Entry { tenant, consult: Some(from.consult), who, call, ..known };
        Ok(Some(Line { entry, taken_at: now.steady, id, from, ticket, text }))
    }

    /// Passes a line that is kept to everyone who is admitted, its author included. Whoever was sent out meanwhile has no
    /// say any more.
    pub(crate) fn pass_on(&mut self, line: &Line) {
        self.settle(line);
        if !self.is_revoked(line.ticket) {
            let Seat { consult, participant, .. } = line.from;
            self.tell_line(consult, line.id, participant, &line.text, line.entry.at);
        }
    }

    /// Tells the author of a line that it is not kept. Nobody gets it.
    pub(crate) fn drop_line(&mut self, line: &Line, why: ErrorCode) {
        self.settle(line);
        if let Some(member) = self.member(line.from.consult, line.from.participant) {
            member.tell(Notice::Objected(why));
        }
    }

    /// Takes back that a line was taken.
    pub(crate) fn settle(&mut self, line: &Line) {
        if let Some(member) = self.member(line.from.consult, line.from.participant) {
            member.lines_waiting = member.lines_waiting.saturating_sub(1);
        }
    }

    /// Passes on a line that was kept elsewhere.
    pub(crate) fn pass_on_chat(
        &mut self,
        consult: ConsultId,
        id: LineId,
        person: &Pii<String>,
        text: &Pii<String>,
        at: SystemTime,
    ) {
        if let Some(number) = self.number_of(consult, person) {
            self.tell_line(consult, id, number, text, at);
        }
    }

    /// The number of somebody who has come to a consult, whether they are there now or not.
    pub(crate) fn number_of(&self, consult: ConsultId, person: &Pii<String>) -> Option<ParticipantNumber> {
        self.consults.get(&consult)?.number_of(person)
    }

    fn tell_line(
        &mut self,
        consult: ConsultId,
        id: LineId,
        from: ParticipantNumber,
        text: &Pii<String>,
        at: SystemTime,
    ) {
        let Some(consult) = self.consults.get_mut(&consult) else { return };
        let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
        let cut = consult.tell_present(|| Notice::Chat { id, from, text: text.clone(), at_ms });
        Counters::add(&self.counters.chat_lines);
        self.count_cut(cut);
    }
}
