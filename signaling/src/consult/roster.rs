//! One consult: who has which number, and what is told to whom.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use media_engine::api;
use media_model::{ConsultId, ParticipantNumber, Pii, Source, TenantId};
use signaling_protocol::{
    error::ErrorCode,
    server::{Layout, Participant, SlotAssignment},
};

use super::{
    claim::Claim,
    member::{Member, Standing},
};
use crate::{limits::CONSULT_PEOPLE_MAX, media::Shard, session::Notice};

/// The people of one consult, those who have left included.
pub(crate) struct Consult {
    pub(crate) id: ConsultId,
    pub(crate) tenant: TenantId,
    pub(crate) shard: Option<Arc<dyn Shard>>,
    /// In boxes: a map's nodes have room for eleven, and most consults have three.
    pub(crate) members: BTreeMap<ParticipantNumber, Box<Member>>,
    numbers: HashMap<Pii<String>, ParticipantNumber>,
    next_number: u32,
    next_turn: u64,
    pub(crate) empty_since: Instant,
}

impl Consult {
    /// A consult that nobody has come to yet.
    pub(crate) fn new(id: ConsultId, tenant: TenantId, now: Instant) -> Self {
        Self {
            id,
            tenant,
            shard: None,
            members: BTreeMap::new(),
            numbers: HashMap::new(),
            next_number: 1,
            next_turn: 0,
            empty_since: now,
        }
    }

    /// The person's member, made on first sight: one person is one number for the consult's life on this node.
    ///
    /// A resume token that outlived a restart of the node asks for the number that its person had, and gets it unless
    /// somebody else was faster.
    pub(crate) fn member_of(&mut self, claim: &Claim) -> Result<&mut Member, ErrorCode> {
        let now = self.empty_since;
        let number = match self.numbers.get(&claim.person) {
            Some(number) => *number,
            None => self.new_number(claim)?,
        };
        let new = || Box::new(Member::new(number, claim, now));
        Ok(self.members.entry(number).or_insert_with(new))
    }

    fn new_number(&mut self, claim: &Claim) -> Result<ParticipantNumber, ErrorCode> {
        if self.members.len() >= CONSULT_PEOPLE_MAX {
            return Err(ErrorCode::ConsultFull);
        }
        let kept = claim.resumes.map(|resumes| resumes.participant);
        let number = match kept {
            Some(number) if !self.members.contains_key(&number) => number,
            _ => ParticipantNumber::new(self.next_number).ok_or(ErrorCode::ConsultFull)?,
        };
        self.next_number = self.next_number.max(number.csrc().saturating_add(1));
        self.numbers.insert(claim.person.clone(), number);
        Ok(number)
    }

    /// The number of somebody who has come.
    pub(crate) fn number_of(&self, person: &Pii<String>) -> Option<ParticipantNumber> {
        self.numbers.get(person).copied()
    }

    /// The next place in the waiting room.
    pub(crate) fn next_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }

    /// How many are admitted, connected or in their grace time.
    pub(crate) fn present(&self) -> usize {
        self.members.values().filter(|member| member.is_present()).count()
    }

    /// Who they are.
    pub(crate) fn people_present(&self) -> Vec<Pii<String>> {
        let present = self.members.values().filter(|member| member.is_present());
        present.map(|member| member.person.clone()).collect()
    }

    /// Whether this person is one of them.
    pub(crate) fn has_present(&self, person: &Pii<String>) -> bool {
        let member = self.number_of(person).and_then(|number| self.members.get(&number));
        member.is_some_and(|member| member.is_present())
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.members.values().filter(|member| matches!(member.standing, Standing::Waiting(_))).count()
    }

    /// Whether nobody is here in any way.
    pub(crate) fn is_empty(&self) -> bool {
        self.members
            .values()
            .all(|member| member.standing == Standing::Absent && member.transports.is_empty())
    }

    /// Lets go of what only those need who are here.
    pub(crate) fn clear_away(&mut self) {
        for member in self.members.values_mut() {
            (member.layout, member.transports) = (None, Vec::new());
        }
    }

    /// Tells everyone who is admitted. Returns how many were cut off because they do not read.
    pub(crate) fn tell_present(&mut self, notice: impl Fn() -> Notice) -> usize {
        let present = self.members.values_mut().filter(|m| m.is_present());
        present.map(|m| usize::from(!m.tell(notice()))).sum()
    }

    /// Tells staff who waits. Returns how many were cut off.
    pub(crate) fn tell_lobby(&mut self) -> usize {
        let notice = self.lobby();
        let staff = self.members.values_mut().filter(|m| m.may_admit());
        staff.map(|m| usize::from(!m.tell(Notice::Lobby(notice.clone())))).sum()
    }

    /// Who waits, longest first.
    pub(crate) fn lobby(&self) -> Vec<signaling_protocol::server::Person> {
        let mut waiting: Vec<_> = self
            .members
            .values()
            .filter_map(|m| match m.standing {
                Standing::Waiting(turn) => Some((turn, m.as_person())),
                _ => None,
            })
            .collect();
        waiting.sort_by_key(|(turn, _)| *turn);
        waiting.into_iter().map(|(_, person)| person).collect()
    }

    /// What the publisher in this slot publishes to its pool.
    fn tracks_for(&self, slot: &api::SlotAssignment) -> Vec<Source> {
        let Some(publisher) = self.members.get(&slot.publisher) else { return Vec::new() };
        let of_pool = Source::ALL.into_iter().filter(|source| source.pool() == slot.slot.pool);
        of_pool.filter(|source| publisher.transports.iter().any(|t| t.has(*source))).collect()
    }

    /// The engine's layout joined with names.
    pub(crate) fn name_layout(&self, revision: u32, layout: &api::Layout) -> Layout {
        let slots = layout
            .slots
            .iter()
            .map(|slot| SlotAssignment {
                slot: slot.slot,
                publisher: slot.publisher,
                tracks: self.tracks_for(slot),
            })
            .collect();
        let participants = layout
            .participants
            .iter()
            .filter_map(|presence| {
                let person = self.members.get(&presence.participant)?.as_person();
                Some(Participant { person, live: presence.live.clone() })
            })
            .collect();
        Layout { revision, slots, participants }
    }
}
