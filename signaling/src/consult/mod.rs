//! Who is in which consult on this node. Plain data behind one lock that is never held across an `await`: everything
//! here is short and does no I/O; notices go into bounded queues, commands into bounded mailboxes.
//!
//! | file | holds |
//! |---|---|
//! | `claim.rs` | what a ticket or resume token comes to |
//! | `tickets.rs` | used and revoked tickets |
//! | `remembered.rs` | the same as records of the node's log |
//! | `member.rs` | one person: number, standing, connection, transports |
//! | `roster.rs` | one consult: numbers, lobby, layout with names |
//! | `chat.rs` | who may write a line, and who gets it once it is kept |
//! | `entry.rs` | coming in, waiting, being admitted |
//! | `leaving.rs` | leaving, being sent out, and what is taken back |
//! | `muting.rs` | who silences or darkens what |
//! | `parting.rs` | whose connections were that their shard has yet to let go of |
//! | `refusals.rs` | what one person asks for and may not do |
//! | `ended.rs` | who was in consults that were ended |
//! | `transports.rs` | offers become transports; the shards' events find their people |

mod chat;
mod claim;
mod ended;
mod entry;
mod leaving;
mod member;
mod muting;
mod parting;
mod refusals;
mod remembered;
mod roster;
#[cfg(test)]
mod tests;
mod tickets;
mod transports;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Instant, SystemTime},
};

use media_engine::api::Command;
use media_model::{
    ConsultId, ParticipantNumber, Source, TenantId, TransportId, limits::CONSULT_TRANSPORTS_MAX,
};

pub use self::remembered::{TicketLog, TicketLogError};
pub(crate) use self::{
    chat::Line,
    claim::Claim,
    entry::{Opening, Reservation},
    member::{Coming, ConnectionId, refusal_code},
    remembered::Remembered,
    tickets::Tickets,
    transports::Ground,
};
use self::{ended::Ended, member::Member, parting::Partings, roster::Consult};
use crate::{
    counters::Counters,
    journal::{Departure, Entry, Forbidden, What, Who},
    limits::{COMMANDS_OWED_MAX, EMPTY_CONSULT_KEPT, TICKETS_SWEEP_INTERVAL},
    media::{MediaPlane, Shard},
    scribe::Scribe,
};

/// Now, on both clocks: the steady one for timers, the wall's for tickets and the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) steady: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    /// Reads the clocks; only shells call this.
    pub(crate) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Seconds since 1970.
    pub(crate) fn unix_s(&self) -> u64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// One person's place in a consult, as the connection that sits in it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) consult: ConsultId,
    pub(crate) participant: ParticipantNumber,
    pub(crate) connection: ConnectionId,
}

/// How many are here now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headcount {
    /// Consults with somebody admitted.
    pub consults: u64,
    /// People who are admitted.
    pub participants: u64,
    /// People in waiting rooms.
    pub waiting: u64,
}

/// Every consult of the node.
pub(crate) struct Registry {
    media: Arc<dyn MediaPlane>,
    scribe: Scribe,
    counters: Arc<Counters>,
    consults: HashMap<ConsultId, Consult>,
    ended: Ended,
    tickets: Tickets,
    /// When tickets are looked through next for those that have expired.
    tickets_due: Option<Instant>,
    /// Which member a transport belongs to.
    owners: HashMap<TransportId, (ConsultId, ParticipantNumber)>,
    partings: Partings,
    /// Commands that a full mailbox refused and that must not be lost.
    owed: Vec<(Arc<dyn Shard>, Owed)>,
    next_connection: u64,
    next_transport: u64,
    /// People who may be in one consult at a time.
    participants_max: usize,
    closing: bool,
}

/// A command that has to reach its shard, sooner or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Mute(TransportId, Source, bool),
    Leave(TransportId),
    EndConsult(ConsultId),
}

impl Owed {
    fn command(self) -> Command {
        match self {
            Self::Mute(transport, source, muted) => Command::Mute { transport, source, muted },
            Self::Leave(transport) => Command::Leave(transport),
            Self::EndConsult(consult) => Command::EndConsult(consult),
        }
    }
}

impl Registry {
    /// Nobody is here.
    pub(crate) fn new(
        tickets: Tickets,
        media: Arc<dyn MediaPlane>,
        scribe: Scribe,
        counters: Arc<Counters>,
        participants_max: usize,
    ) -> Self {
        Self {
            media,
            scribe,
            counters,
            consults: HashMap::new(),
            ended: Ended::default(),
            tickets,
            tickets_due: None,
            owners: HashMap::new(),
            partings: Partings::default(),
            owed: Vec::new(),
            next_connection: 0,
            next_transport: 0,
            participants_max: participants_max.min(CONSULT_TRANSPORTS_MAX),
            closing: false,
        }
    }

    /// How many are here.
    pub(crate) fn headcount(&self) -> Headcount {
        let mut headcount = Headcount::default();
        for consult in self.consults.values() {
            let present = consult.present() as u64;
            headcount.consults += u64::from(present > 0);
            headcount.participants += present;
            headcount.waiting += consult.waiting() as u64;
        }
        headcount
    }

    /// Clears away what has run out: grace times, old tickets, consults without anybody, commands still owed.
    pub(crate) fn sweep(&mut self, now: Moment) {
        self.pay();
        if self.tickets_due.is_none_or(|due| now.steady >= due) {
            self.tickets_due = Some(now.steady + TICKETS_SWEEP_INTERVAL);
            self.tickets.sweep(now.unix_s());
        }
        self.expire_graces(now);
        self.expire_glasses(now);
        self.tell_refusals(now);
        self.ended.sweep(now.steady);
        self.partings.sweep(now.steady);
        self.consults.retain(|_, consult| {
            if !consult.is_empty() {
                consult.empty_since = now.steady;
                return true;
            }
            // The numbers are kept, the place on a shard is not.
            if consult.shard.take().is_some() {
                consult.clear_away();
                self.media.release(consult.id);
            }
            now.steady.saturating_duration_since(consult.empty_since) < EMPTY_CONSULT_KEPT
        });
    }

    /// Sends a command that must arrive. Behind others that the same consult is owed it waits its turn.
    fn command(&mut self, shard: &Arc<dyn Shard>, owed: Owed) {
        let must_wait = self.owed.iter().any(|(creditor, _)| Arc::ptr_eq(creditor, shard));
        if !must_wait && shard.send(owed.command()).is_ok() {
            return;
        }
        Counters::add(&self.counters.shard_overloaded);
        if self.owed.len() >= COMMANDS_OWED_MAX {
            tracing::error!(?owed, "a media shard has taken no commands for so long that one is lost");
            return;
        }
        self.owed.push((Arc::clone(shard), owed));
    }

    fn pay(&mut self) {
        for (shard, debt) in std::mem::take(&mut self.owed) {
            let must_wait = self.owed.iter().any(|(creditor, _)| Arc::ptr_eq(creditor, &shard));
            if must_wait || shard.send(debt.command()).is_err() {
                self.owed.push((shard, debt));
            }
        }
    }

    fn member(&mut self, consult: ConsultId, participant: ParticipantNumber) -> Option<&mut Member> {
        self.consults.get_mut(&consult)?.members.get_mut(&participant).map(Box::as_mut)
    }

    /// The member who sits here, unless another connection has taken over.
    fn seated(&mut self, seat: Seat) -> Option<&mut Member> {
        self.member(seat.consult, seat.participant).filter(|member| member.is_linked_by(seat.connection))
    }

    /// Whose consult this is, if the node has it.
    fn tenant_of(&self, consult: ConsultId) -> Option<TenantId> {
        self.consults.get(&consult).map(|consult| consult.tenant)
    }

    fn note_left(&self, now: Moment, consult: ConsultId, who: Who, coming: &Coming, why: Departure) {
        let participant = who.participant.map(|number| number.csrc());
        tracing::info!(%consult, participant, why = why.as_str(), "left");
        self.scribe.note(Entry {
            tenant: self.tenant_of(consult),
            consult: Some(consult),
            who: Some(who),
            call: coming.call.clone(),
            lasted: Some(now.steady.saturating_duration_since(coming.since)),
            ..Entry::of(now.wall, What::Left(why))
        });
    }

    /// Puts down that somebody asked for what they may not do; often, once in a while and how often.
    fn note_forbidden(&mut self, now: Moment, seat: Seat, what: Forbidden) {
        let Some(member) = self.seated(seat) else { return };
        if let Some(times) = member.refusals.count(now.steady, what) {
            self.note_refusals(now, seat.consult, seat.participant, &[(what, times)]);
        }
    }

    /// Puts down how often what was put down a while ago was asked again.
    fn tell_refusals(&mut self, now: Moment) {
        let members = self.consults.values_mut().flat_map(|consult| {
            let id = consult.id;
            consult.members.values_mut().map(move |member| (id, member))
        });
        let due = |(id, member): (ConsultId, &mut Box<Member>)| {
            let due = member.refusals.due(now.steady);
            (!due.is_empty()).then_some((id, member.number, due))
        };
        let all: Vec<_> = members.filter_map(due).collect();
        for (consult, participant, due) in all {
            self.note_refusals(now, consult, participant, &due);
        }
    }

    fn note_refusals(
        &mut self,
        now: Moment,
        consult: ConsultId,
        participant: ParticipantNumber,
        refusals: &[(Forbidden, u64)],
    ) {
        let tenant = self.tenant_of(consult);
        let Some(member) = self.member(consult, participant) else { return };
        let (who, call) = (Some(member.as_who()), member.call.clone());
        for &(what, times) in refusals {
            let known = Entry::of(now.wall, What::Forbade(what, times));
            let (who, call) = (who.clone(), call.clone());
            self.scribe.note(Entry { tenant, consult: Some(consult), who, call, ..known });
        }
    }

    fn count_cut(&self, cut: usize) {
        for _ in 0..cut {
            Counters::add(&self.counters.slow_readers);
        }
    }
}
