//! How well people were connected, as their clients and the server reported to each other (RFC 3550 §6.4).

use std::time::Duration;

use media_model::{ConsultId, TenantId};

use crate::{
    audit::EntryId,
    ids::PersonId,
    limits::{INTERRUPTIONS_GOOD_FAIR, LOSS_PERMILLE_GOOD_FAIR, ROUND_TRIP_MS_GOOD_FAIR},
    named::named,
};

/// One connection of somebody's to a consult that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Its name, however often it is handed in.
    pub id: EntryId,
    /// Whose consult it was.
    pub tenant: TenantId,
    /// Which.
    pub consult: ConsultId,
    /// Whose connection.
    pub person: PersonId,
    /// Media packets that the reports are about, both ways.
    pub packets: u64,
    /// Those that were lost.
    pub lost: u64,
    /// The way there and back, smoothed; nothing where it could not be measured.
    pub round_trip: Option<Duration>,
    /// Whether it broke or had to be made anew, and nobody had ended it.
    pub broke: bool,
}

/// How well one person was connected, all their connections together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Who.
    pub person: PersonId,
    /// Media packets that were lost both ways, in thousandths, as reports have it (RFC 3550 §6.4.1).
    pub loss_permille: u16,
    /// Round trip, smoothed, of the worst of the connections; nothing where it could not be measured.
    pub round_trip_ms: Option<u32>,
    /// How often a connection broke or had to be made anew.
    pub interruptions: u32,
}

named! {
    /// How well a visit went, as its worst connection has it.
    pub enum Grade {
        /// Nobody noticed anything.
        Good = "good",
        /// One could follow it.
        Fair = "fair",
        /// It was hard to follow.
        Poor = "poor",
    }
}

impl Quality {
    /// The worst of the three figures decides.
    pub fn grade(self) -> Grade {
        let grade = |value: u32, (good, fair): (u32, u32)| match value {
            value if value <= good => Grade::Good,
            value if value <= fair => Grade::Fair,
            _ => Grade::Poor,
        };
        let (loss_good, loss_fair) = LOSS_PERMILLE_GOOD_FAIR;
        let loss = grade(self.loss_permille.into(), (loss_good.into(), loss_fair.into()));
        let round_trip = grade(self.round_trip_ms.unwrap_or(0), ROUND_TRIP_MS_GOOD_FAIR);
        loss.max(round_trip).max(grade(self.interruptions, INTERRUPTIONS_GOOD_FAIR))
    }
}
