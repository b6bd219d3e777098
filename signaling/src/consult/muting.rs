//! Silencing and darkening: one's own sources, and for staff those of others.

use media_model::{ConsultId, ParticipantNumber, Source};
use signaling_protocol::error::ErrorCode;

use super::{Moment, Owed, Registry, Seat};
use crate::{
    journal::{Entry, Forbidden, What},
    session::Notice,
};

impl Registry {
    /// Silences or darkens one of one's own sources, or ends that.
    pub(crate) fn mute(&mut self, seat: Seat, source: Source, muted: bool) {
        if self.seated(seat).is_some() {
            self.set_muted(seat.consult, seat.participant, source, muted);
        }
    }

    /// Staff silences or darkens one of somebody else's sources. That person is told, and may turn it on again; nobody else can.
    pub(crate) fn mute_other(
        &mut self,
        now: Moment,
        by: Seat,
        participant: ParticipantNumber,
        source: Source,
    ) -> Result<(), ErrorCode> {
        let staff = self.seated(by).ok_or(ErrorCode::Internal)?;
        if !staff.may_mute_others() || participant == by.participant {
            self.note_forbidden(now, by, Forbidden::Muting);
            return Err(ErrorCode::Forbidden);
        }
        if !self.set_muted(by.consult, participant, source, true) {
            return Ok(());
        }
        let tenant = self.tenant_of(by.consult);
        let Some(member) = self.member(by.consult, participant) else { return Ok(()) };
        let (who, by_whom) = (Some(member.as_who()), by.participant);
        let told = member.tell(Notice::Muted { source, by: by_whom });
        self.count_cut(usize::from(!told));
        let known = Entry::of(now.wall, What::Muted { by: by_whom, source });
        self.scribe.note(Entry { tenant, consult: Some(by.consult), who, ..known });
        Ok(())
    }

    /// Whether they publish it at all.
    fn set_muted(
        &mut self,
        consult: ConsultId,
        participant: ParticipantNumber,
        source: Source,
        muted: bool,
    ) -> bool {
        let Some(shard) = self.shard(consult) else { return false };
        let Some(member) = self.member(consult, participant) else { return false };
        let transports: Vec<_> = member.transports.iter().filter(|t| t.has(source)).map(|t| t.id).collect();
        for transport in &transports {
            self.command(&shard, Owed::Mute(*transport, source, muted));
        }
        !transports.is_empty()
    }
}
