//! Silencing and darkening: one's own sources, and for staff those of others.

use media_model::{ConsultId, ParticipantNumber, Source};
use signaling_protocol::error::ErrorCode;

use super::{Moment, Owed, Registry, Seat};
use crate::{
    journal::{Entry, Forbidden, What},
    session::Notice,
};

impl Registry {
    /// Silences or darkens one of one's own sources.
    pub(crate) fn mute(&mut self, seat: Seat, source: Source) {
        if self.seated(seat).is_some() {
            self.set_muted(seat.consult, seat.participant, source, true);
        }
    }

    /// Ends that. What staff has muted stays so unless it is said whose mute is to end: a page that turns on by itself what it has just
    /// opened may not have read `muted` yet, which is on its way to it.
    pub(crate) fn unmute(&mut self, seat: Seat, source: Source, muted_by: Option<ParticipantNumber>) {
        let Some(member) = self.seated(seat) else { return };
        if let Some(by) = member.muter(source).filter(|by| Some(*by) != muted_by) {
            let told = member.tell(Notice::Muted { source, by });
            return self.count_cut(usize::from(!told));
        }
        member.muted_by.retain(|(known, _)| *known != source);
        self.set_muted(seat.consult, seat.participant, source, false);
    }

    /// The entry of staff's silencing or darkening one of somebody else's sources: it is kept before [`Self::mute_other`]. None where
    /// there is nothing to mute.
    pub(crate) fn wants_to_mute(
        &mut self,
        now: Moment,
        by: Seat,
        participant: ParticipantNumber,
        source: Source,
    ) -> Result<Option<Entry>, ErrorCode> {
        let staff = self.seated(by).ok_or(ErrorCode::Internal)?;
        if !staff.may_mute_others() || participant == by.participant {
            self.note_forbidden(now, by, Forbidden::Muting);
            return Err(ErrorCode::Forbidden);
        }
        let tenant = self.tenant_of(by.consult);
        let Some(member) = self.member(by.consult, participant) else { return Ok(None) };
        if !member.transports.iter().any(|transport| transport.is_heard(source)) {
            return Ok(None);
        }
        let (who, by_whom) = (Some(member.as_who()), by.participant);
        let known = Entry::of(now.wall, What::Muted { by: by_whom, source });
        Ok(Some(Entry { tenant, consult: Some(by.consult), who, ..known }))
    }

    /// Does so. That person is told, and may turn it on again; nobody else can, and neither does a page that is loaded again or a
    /// connection that comes back and never heard of it.
    pub(crate) fn mute_other(&mut self, by: Seat, participant: ParticipantNumber, source: Source) {
        self.set_muted(by.consult, participant, source, true);
        let Some(member) = self.member(by.consult, participant) else { return };
        member.muted_by.retain(|(known, _)| *known != source);
        member.muted_by.push((source, by.participant));
        let told = member.tell(Notice::Muted { source, by: by.participant });
        self.count_cut(usize::from(!told));
    }

    fn set_muted(&mut self, consult: ConsultId, participant: ParticipantNumber, source: Source, muted: bool) {
        let Some(shard) = self.shard(consult) else { return };
        let Some(member) = self.member(consult, participant) else { return };
        let having = member.transports.iter_mut().filter(|transport| transport.has(source));
        let transports: Vec<_> = having.map(|transport| transport.note_muted(source, muted)).collect();
        for transport in transports {
            self.command(&shard, Owed::Mute(transport, source, muted));
        }
    }
}
