//! One person of one consult: a number for life, and whatever connects them now.

use std::{sync::Arc, time::Instant};

use media_engine::api::{self, MediaParams, Refusal};
use media_model::{ParticipantNumber, Pii, Role, Source, TransportId};
use signaling_protocol::{
    error::ErrorCode,
    server::Person,
    ticket::{Glass, TicketId},
};
use tokio::sync::{mpsc, oneshot};

use super::{claim::Claim, refusals::Refusals};
use crate::{
    journal::{Call, Way, Who},
    limits::CAME_WITH_MAX,
    sdp::Negotiated,
    session::Notice,
};

/// A WebSocket connection, unique on a node for the life of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// Where somebody stands in a consult.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not here. The number is kept.
    Absent,
    /// In the waiting room, since this turn.
    Waiting(u64),
    /// Admitted. Without a connection: it broke at this time, and they may come back to their picture.
    Present {
        /// When the WebSocket broke.
        lost_at: Option<Instant>,
    },
}

/// One coming of a person, which the journal has: it gets its end, too.
#[derive(Debug, Clone)]
pub(crate) struct Coming {
    pub(crate) call: Option<Call>,
    pub(crate) since: Instant,
}

/// One person.
pub(crate) struct Member {
    pub(crate) number: ParticipantNumber,
    pub(crate) person: Pii<String>,
    pub(crate) role: Role,
    pub(crate) display_name: Pii<String>,
    /// What they broke to come in, if that is how they came.
    pub(crate) glass: Option<Glass>,
    /// What they came in with last.
    pub(crate) ticket: TicketId,
    pub(crate) standing: Standing,
    /// How they came last, unless it was with a resume token: then they never left.
    pub(crate) coming: Coming,
    /// The connection that they use now.
    pub(crate) call: Option<Call>,
    /// The WebSocket that counts; an earlier one has no say any more.
    pub(crate) connection: Option<ConnectionId>,
    /// The way to its session, until it is cut off for not reading.
    pub(crate) notices: Option<mpsc::Sender<Notice>>,
    /// Of the newest resume token.
    pub(crate) generation: u32,
    /// Of the oldest resume token that is still good: the newest that is known to have arrived. A `welcome` that got
    /// lost with its connection must not lock its person out.
    pub(crate) confirmed_generation: u32,
    /// What they came in with before, since a resume token arrived last.
    pub(crate) earlier_tickets: Vec<TicketId>,
    /// Whatever they have come with, oldest first, also what opens nothing any more and what has opened nothing yet: what was given
    /// out for it is good for longer.
    came_with: Vec<TicketId>,
    /// The ticket that the connection came in with, until it is known that its `welcome` arrived.
    pub(crate) unconfirmed_ticket: Option<TicketId>,
    /// Oldest first. A WebSocket has two while a new one takes over.
    pub(crate) transports: Vec<Transport>,
    /// The media transport was lost and another one asked for, which does not stand yet. It is asked for once.
    pub(crate) is_path_asked_for: bool,
    /// Layout revisions count on across transports: what a new transport's revisions are added to.
    pub(crate) layout_base: u32,
    pub(crate) layout_last: u32,
    /// The newest layout of the WebSocket's transport.
    pub(crate) layout: Option<api::Layout>,
    /// What staff has muted of theirs, and who did, until they turn it on again or leave: a connection that breaks meanwhile
    /// does not.
    pub(crate) muted_by: Vec<(Source, ParticipantNumber)>,
    /// What they asked for and may not do.
    pub(crate) refusals: Refusals,
    /// Lines of chat that they wrote and that are not kept yet.
    pub(crate) lines_waiting: usize,
    /// The connection is new and was told no layout yet: where the transport lives on, no event brings one.
    pub(crate) is_layout_due: bool,
    /// The connection is new and was not told yet what staff has muted before.
    pub(crate) are_mutes_due: bool,
}

/// One transport, as far as signaling is concerned.
pub(crate) struct Transport {
    pub(crate) id: TransportId,
    pub(crate) way: Way,
    pub(crate) ticket: TicketId,
    /// Of WHIP and WHEP: each session is a coming of its own.
    pub(crate) coming: Coming,
    pub(crate) agreed: Arc<Negotiated>,
    /// Whether its handshake is done: then it supersedes older ones of its way.
    pub(crate) connected: bool,
    pub(crate) reply: Option<oneshot::Sender<Result<(), Refusal>>>,
}

impl Transport {
    /// Whether the client publishes this source on it.
    pub(crate) fn has(&self, source: Source) -> bool {
        self.agreed.media.tracks.iter().any(|track| track.source == source)
    }

    /// Whether it is published on it and not muted.
    pub(crate) fn is_heard(&self, source: Source) -> bool {
        self.agreed.media.tracks.iter().any(|track| track.source == source && !track.muted)
    }

    /// Has what was agreed say so, which an ICE restart hands to the shard again.
    pub(crate) fn note_muted(&mut self, source: Source, muted: bool) -> TransportId {
        let tracks = &mut Arc::make_mut(&mut self.agreed).media.tracks;
        tracks.iter_mut().filter(|track| track.source == source).for_each(|track| track.muted = muted);
        self.id
    }
}

impl Member {
    /// Somebody who comes for the first time.
    pub(crate) fn new(number: ParticipantNumber, claim: &Claim, now: Instant) -> Self {
        let generation = claim.resumes.map_or(0, |resumes| resumes.generation);
        Self {
            number,
            person: claim.person.clone(),
            role: claim.role,
            display_name: claim.display_name.clone(),
            glass: claim.glass,
            ticket: claim.ticket,
            standing: Standing::Absent,
            connection: None,
            notices: None,
            generation,
            confirmed_generation: generation,
            earlier_tickets: Vec::new(),
            came_with: Vec::new(),
            unconfirmed_ticket: None,
            transports: Vec::new(),
            is_path_asked_for: false,
            layout_base: 0,
            layout_last: 0,
            layout: None,
            coming: Coming { call: claim.call.clone(), since: now },
            call: None,
            muted_by: Vec::new(),
            refusals: Refusals::default(),
            lines_waiting: 0,
            is_layout_due: false,
            are_mutes_due: false,
        }
    }

    /// Whether they are admitted, connected or not.
    pub(crate) const fn is_present(&self) -> bool {
        matches!(self.standing, Standing::Present { .. })
    }

    /// Whether they let others in. A broken glass is for looking, whatever the role.
    pub(crate) const fn may_admit(&self) -> bool {
        self.is_present() && self.role.admits_others() && self.glass.is_none()
    }

    /// Whether they send others out: whoever lets in.
    pub(crate) const fn may_remove(&self) -> bool {
        self.may_admit()
    }

    /// Whether they mute others: whoever lets in.
    pub(crate) const fn may_mute_others(&self) -> bool {
        self.may_admit()
    }

    /// Comings of this person that the journal has and no going yet: each WHIP and WHEP session is one.
    pub(crate) fn comings(&self) -> Vec<Coming> {
        if self.standing == Standing::Absent {
            return Vec::new();
        }
        let sessions = self.transports.iter().filter(|transport| transport.way != Way::WebSocket);
        let comings: Vec<_> = sessions.map(|session| session.coming.clone()).collect();
        if comings.is_empty() { vec![self.coming.clone()] } else { comings }
    }

    /// The person as others see them.
    pub(crate) fn as_person(&self) -> Person {
        let (participant, role, display_name) = (self.number, self.role, self.display_name.clone());
        Person { participant, role, display_name, break_glass: self.glass.is_some() }
    }

    /// The person as the journal sees them.
    pub(crate) fn as_who(&self) -> Who {
        let break_glass = self.glass.map(|glass| glass.id);
        Who { participant: Some(self.number), person: self.person.clone(), role: self.role, break_glass }
    }

    /// Tells the connection something. One that has too much waiting is not reading: it is cut off, and the
    /// return is false.
    pub(crate) fn tell(&mut self, notice: Notice) -> bool {
        let Some(notices) = &self.notices else { return true };
        if notices.try_send(notice).is_ok() {
            return true;
        }
        self.notices = None;
        false
    }

    /// Who of the staff has muted this source of theirs.
    pub(crate) fn muter(&self, source: Source) -> Option<ParticipantNumber> {
        self.muted_by.iter().find(|(known, _)| *known == source).map(|(_, by)| *by)
    }

    /// Has an offer mute what staff has muted. Gives what there is to be told: of each source that is offered as if it were not; and of
    /// all, where the connection is new. A page that is loaded again has its devices later than its first offer, and turns them on.
    /// Who publishes by WHIP has no other way to turn it on again than to publish anew.
    pub(crate) fn keep_muted(&mut self, way: Way, media: &mut MediaParams) -> Vec<Notice> {
        let mut news = Vec::new();
        if way != Way::WebSocket {
            return news;
        }
        let is_new = std::mem::take(&mut self.are_mutes_due);
        for (source, by) in &self.muted_by {
            let offered = media.tracks.iter_mut().filter(|track| track.source == *source && !track.muted);
            let is_offered = offered.map(|track| track.muted = true).count() > 0;
            if is_offered || is_new {
                news.push(Notice::Muted { source: *source, by: *by });
            }
        }
        news
    }

    /// Says the last words to the connection and lets go of it.
    pub(crate) fn dismiss(&mut self, last_words: Notice) {
        self.tell(last_words);
        self.connection = None;
        self.notices = None;
    }

    /// Whether this connection is the one that counts.
    pub(crate) fn is_linked_by(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection)
    }

    /// Whether what they broke to come in has run out.
    pub(crate) fn has_run_out(&self, now_unix_s: u64) -> bool {
        self.glass.is_some_and(|glass| glass.until_unix_s <= now_unix_s) && self.standing != Standing::Absent
    }

    /// Whether the newest resume token is known to have arrived.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed_generation == self.generation && self.unconfirmed_ticket.is_none()
    }

    /// The newest resume token has arrived: earlier ones, and the ticket, are good no longer. Gives its generation, and the tickets
    /// of which there are earlier ones.
    pub(crate) fn confirm(&mut self) -> (u32, Vec<TicketId>) {
        self.confirmed_generation = self.generation;
        self.unconfirmed_ticket = None;
        let mut superseded = std::mem::take(&mut self.earlier_tickets);
        superseded.push(self.ticket);
        (self.generation, superseded)
    }

    /// Whatever they have come with, by whichever way.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = TicketId> {
        let sessions = self.transports.iter().map(|transport| transport.ticket);
        self.came_with.iter().copied().chain([self.ticket]).chain(sessions)
    }

    /// They come with this ticket.
    pub(crate) fn comes_with(&mut self, ticket: TicketId) {
        if self.came_with.contains(&ticket) {
            return;
        }
        if self.came_with.len() >= CAME_WITH_MAX {
            self.came_with.remove(0);
        }
        self.came_with.push(ticket);
    }

    /// Whether they came in with this ticket, by whichever way.
    pub(crate) fn has_ticket(&self, ticket: TicketId) -> bool {
        self.ticket == ticket || self.transports.iter().any(|transport| transport.ticket == ticket)
    }

    /// The newest transport of a way.
    pub(crate) fn transport(&self, way: Way) -> Option<&Transport> {
        self.transports.iter().rev().find(|transport| transport.way == way)
    }
}

/// What a member's refused command means to the client.
pub(crate) const fn refusal_code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::ConsultFull => ErrorCode::ConsultFull,
        Refusal::ShardFull => ErrorCode::NodeFull,
        Refusal::InvalidParameters => ErrorCode::OfferInvalid,
        Refusal::UnknownTransport => ErrorCode::Internal,
    }
}
