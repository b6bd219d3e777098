//! Connections that signaling has let go of and their shard has not: whose they were, until the shard says how they were.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use media_engine::api::{LeaveReason, Quality};
use media_model::{ConsultId, TenantId, TransportId};

use super::{Moment, Registry};
use crate::journal::{Call, Entry, Measured, What, Who};

/// A shard that has said nothing for so long has failed.
const KEPT: Duration = Duration::from_secs(30);

/// Whose they were.
#[derive(Default)]
pub(super) struct Partings(HashMap<TransportId, Parting>);

struct Parting {
    since: Instant,
    tenant: Option<TenantId>,
    consult: ConsultId,
    who: Who,
    call: Option<Call>,
    quality: Option<Quality>,
}

impl Partings {
    /// Forgets those of which no shard will say anything.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, parting| now.saturating_duration_since(parting.since) < KEPT);
    }

    /// Forgets one that never was a connection.
    pub(super) fn forget(&mut self, id: TransportId) {
        self.0.remove(&id);
    }
}

impl Registry {
    /// Keeps in mind whose transport this is.
    pub(super) fn note_parting(&mut self, now: Instant, id: TransportId) {
        let Some((consult, participant)) = self.owners.get(&id).copied() else { return };
        let tenant = self.tenant_of(consult);
        let Some(member) = self.member(consult, participant) else { return };
        let session = member.transports.iter().find(|transport| transport.id == id);
        let call = session.and_then(|session| session.coming.call.clone());
        let who = member.as_who();
        let parting = Parting { since: now, tenant, consult, who, call, quality: None };
        self.partings.0.entry(id).or_insert(parting);
    }

    /// How a transport was, which is about to be gone.
    pub(super) fn handle_measured(&mut self, now: Instant, id: TransportId, quality: Quality) {
        self.note_parting(now, id);
        if let Some(parting) = self.partings.0.get_mut(&id) {
            parting.quality = Some(quality);
        }
    }

    /// The transport is gone: how it was is put down, if anybody has measured it.
    pub(super) fn note_measured(&mut self, now: Moment, id: TransportId, reason: LeaveReason) {
        let Some(parting) = self.partings.0.remove(&id) else { return };
        let Parting { tenant, consult, who, call, quality: Some(quality), .. } = parting else { return };
        let broke = matches!(reason, LeaveReason::ConsentExpired | LeaveReason::ShardFailed);
        let known = Entry::of(now.wall, What::Measured(Measured { quality, broke }));
        self.scribe.note(Entry { tenant, consult: Some(consult), who: Some(who), call, ..known });
    }
}
