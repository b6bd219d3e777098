//! Connections that signaling has let go of and their shard has not: whose they were, until the shard says how they were.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use media_engine::api::{LeaveReason, Quality};
use media_model::{ConsultId, TenantId, TransportId};

use super::{Moment, Registry};
use crate::journal::{Entry, Measured, What, Who};

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
    broke: bool,
    quality: Option<Quality>,
}

impl Partings {
    /// Forgets those of which no shard will say anything.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, parting| now.saturating_duration_since(parting.since) < KEPT);
    }
}

impl Registry {
    /// Whether a shard has yet to say how somebody's connection was.
    pub(crate) fn has_partings(&self) -> bool {
        !self.partings.0.is_empty()
    }

    /// Keeps in mind whose transport this is, and whether it broke: whoever had it did not mean to be without.
    pub(super) fn note_parting(&mut self, now: Instant, id: TransportId, broke: bool) {
        if let Some(parting) = self.partings.0.get_mut(&id) {
            parting.broke |= broke;
            return;
        }
        let Some((consult, participant)) = self.owners.get(&id).copied() else { return };
        let tenant = self.tenant_of(consult);
        let Some(who) = self.member(consult, participant).map(|member| member.as_who()) else { return };
        let parting = Parting { since: now, tenant, consult, who, broke, quality: None };
        self.partings.0.insert(id, parting);
    }

    /// It never was a connection.
    pub(super) fn forget_parting(&mut self, id: TransportId) {
        self.partings.0.remove(&id);
    }

    /// How a transport was, which is about to be gone.
    pub(super) fn handle_measured(&mut self, now: Instant, id: TransportId, quality: Quality) {
        self.note_parting(now, id, false);
        if let Some(parting) = self.partings.0.get_mut(&id) {
            parting.quality = Some(quality);
        }
    }

    /// The transport is gone: how it was is put down if anybody has measured it, and that it broke in any case.
    pub(super) fn note_measured(&mut self, now: Moment, id: TransportId) {
        let Some(Parting { tenant, consult, who, broke, quality, .. }) = self.partings.0.remove(&id) else {
            return;
        };
        let Some(quality) = quality.or(broke.then(Quality::default)) else { return };
        let known = Entry::of(now.wall, What::Measured(Measured { quality, broke }));
        self.scribe.note(Entry { tenant, consult: Some(consult), who: Some(who), ..known });
    }
}

/// Whether a transport left because what carried it failed.
pub(super) const fn has_broken(reason: LeaveReason) -> bool {
    matches!(reason, LeaveReason::ConsentExpired | LeaveReason::ShardFailed)
}
