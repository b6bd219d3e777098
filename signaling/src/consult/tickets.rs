//! Tickets that were used or taken back, remembered for as long as they would otherwise be good, restarts of the node included.

use std::{collections::HashMap, hash::Hash};

use media_model::ConsultId;
use node_log::NodeLog;
use signaling_protocol::{
    error::ErrorCode,
    limits::RESUME_VALIDITY,
    ticket::{LEEWAY_S, TicketId},
};

use super::remembered::{Remembered, TicketLog, shorten};
use crate::{journal::Way, limits::TICKETS_REMEMBERED_MAX};

/// What was taken back is remembered for so long where its own end is not known, in seconds.
const REVOKED_KEPT_S: u64 = 7 * 24 * 3_600;

#[derive(Debug, Default)]
struct Used {
    websocket: bool,
    whip: bool,
    whep: bool,
    /// A session by WHIP or WHEP went down with the node: its device comes back with the same ticket, nobody else does.
    device: bool,
    until_unix_s: u64,
}

impl Used {
    fn by(&mut self, way: Way) -> &mut bool {
        match way {
            Way::WebSocket => &mut self.websocket,
            Way::Whip => &mut self.whip,
            Way::Whep => &mut self.whep,
        }
    }

    const fn conflicts_with(&self, way: Way) -> bool {
        match way {
            Way::WebSocket => self.websocket || self.whip || self.whep || self.device,
            Way::Whip => self.websocket || self.whip,
            Way::Whep => self.websocket || self.whep,
        }
    }
}

/// The memory of a node about tickets.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    used: HashMap<TicketId, Used>,
    revoked: HashMap<TicketId, u64>,
    ended: HashMap<ConsultId, u64>,
    /// Until when, and from which generation on the resume tokens of a ticket are good.
    resumed: HashMap<TicketId, (u64, u32)>,
    log: Option<NodeLog>,
}

impl Tickets {
    /// Knows what the node knew when it stopped, and has the log remember what comes.
    pub(crate) fn restore(ticket_log: TicketLog) -> Self {
        let TicketLog { log, remembered } = ticket_log;
        let mut tickets = Self::default();
        for remembered in remembered {
            tickets.restore_one(remembered);
        }
        Self { log: Some(log), ..tickets }
    }

    fn restore_one(&mut self, remembered: Remembered) {
        match remembered {
            Remembered::Used { ticket, way, until_unix_s } => {
                let used = self.used.entry(ticket).or_default();
                used.until_unix_s = until_unix_s;
                match way {
                    Way::WebSocket => used.websocket = true,
                    Way::Whip | Way::Whep => used.device = true,
                }
            }
            Remembered::GivenBack { ticket } => {
                if let Some(used) = self.used.get_mut(&ticket) {
                    used.websocket = false;
                }
            }
            Remembered::Revoked { ticket, until_unix_s } => {
                remember(&mut self.revoked, ticket, until_unix_s);
            }
            Remembered::Ended { consult, until_unix_s } => remember(&mut self.ended, consult, until_unix_s),
            Remembered::Resumed { ticket, generation, until_unix_s } => {
                remember(&mut self.resumed, ticket, (until_unix_s, generation));
            }
        }
    }

    /// Whether this ticket still opens anything.
    pub(crate) fn check(&self, ticket: TicketId, consult: ConsultId) -> Result<(), ErrorCode> {
        if self.revoked.contains_key(&ticket) || self.ended.contains_key(&consult) {
            return Err(ErrorCode::TicketRevoked);
        }
        Ok(())
    }

    /// Uses a ticket. One WHIP and one WHEP may share one; everything else is alone with it. Whoever opens the door sees to it
    /// that this is written down first ([`Remembered::Used`]).
    pub(crate) fn take(&mut self, ticket: TicketId, way: Way, expires_unix_s: u64) -> Result<(), ErrorCode> {
        if self.used.len() >= TICKETS_REMEMBERED_MAX && !self.used.contains_key(&ticket) {
            return Err(ErrorCode::Internal);
        }
        let until_unix_s = expires_unix_s.saturating_add(LEEWAY_S);
        let used = self.used.entry(ticket).or_insert(Used { until_unix_s, ..Used::default() });
        if used.conflicts_with(way) {
            return Err(ErrorCode::TicketInUse);
        }
        *used.by(way) = true;
        Ok(())
    }

    /// Gives back a ticket that opened nothing, or whose WHIP or WHEP session is over: those have no resume token
    /// and come back with their bearer token.
    pub(crate) fn release(&mut self, ticket: TicketId, way: Way) {
        let Some(used) = self.used.get_mut(&ticket) else { return };
        *used.by(way) = false;
        if way == Way::WebSocket {
            self.note(Remembered::GivenBack { ticket });
        }
    }

    /// Whether a resume token of this ticket has been followed by another that arrived.
    pub(crate) fn is_superseded(&self, ticket: TicketId, generation: u32) -> bool {
        self.resumed.get(&ticket).is_some_and(|(_, oldest)| generation < *oldest)
    }

    /// Of the ticket's resume tokens only those from this generation on are good from now on.
    pub(crate) fn supersede(&mut self, ticket: TicketId, generation: u32, now_unix_s: u64) {
        let until_unix_s = now_unix_s + RESUME_VALIDITY.as_secs() + LEEWAY_S;
        remember(&mut self.resumed, ticket, (until_unix_s, generation));
        self.note(Remembered::Resumed { ticket, generation, until_unix_s });
    }

    /// Whether this ticket was taken back, by itself and not with its whole consult.
    pub(crate) fn is_revoked(&self, ticket: TicketId) -> bool {
        self.revoked.contains_key(&ticket)
    }

    /// Takes a ticket back; whether it was not before. The control API says so of all again when it starts; what is known is not
    /// written down again.
    pub(crate) fn revoke(&mut self, ticket: TicketId, now_unix_s: u64) -> bool {
        if self.revoked.contains_key(&ticket) {
            return false;
        }
        let until_unix_s = now_unix_s.saturating_add(REVOKED_KEPT_S);
        remember(&mut self.revoked, ticket, until_unix_s);
        self.note(Remembered::Revoked { ticket, until_unix_s });
        true
    }

    /// Takes every ticket of a consult back; likewise.
    pub(crate) fn end(&mut self, consult: ConsultId, now_unix_s: u64) {
        if self.ended.contains_key(&consult) {
            return;
        }
        let until_unix_s = now_unix_s.saturating_add(REVOKED_KEPT_S);
        remember(&mut self.ended, consult, until_unix_s);
        self.note(Remembered::Ended { consult, until_unix_s });
    }

    /// Forgets what has expired anyway.
    pub(crate) fn sweep(&mut self, now_unix_s: u64) {
        self.used.retain(|_, used| used.until_unix_s > now_unix_s);
        self.revoked.retain(|_, until| *until > now_unix_s);
        self.ended.retain(|_, until| *until > now_unix_s);
        self.resumed.retain(|_, (until, _)| *until > now_unix_s);
        if let Some(log) = &self.log {
            let count = self.used.len() + self.revoked.len() + self.ended.len() + self.resumed.len();
            shorten(log, count, self.all());
        }
    }

    fn note(&self, remembered: Remembered) {
        if let Some(log) = &self.log {
            log.note(remembered.encode().to_vec());
        }
    }

    fn all(&self) -> impl Iterator<Item = Remembered> {
        let used = self.used.iter().flat_map(|(&ticket, used)| {
            let until_unix_s = used.until_unix_s;
            let is_device = used.whip || used.whep || used.device;
            let ways = [used.websocket.then_some(Way::WebSocket), is_device.then_some(Way::Whip)];
            ways.into_iter().flatten().map(move |way| Remembered::Used { ticket, way, until_unix_s })
        });
        let revoked = self.revoked.iter();
        let ended = self.ended.iter();
        let resumed = self.resumed.iter().map(|(&ticket, &(until_unix_s, generation))| Remembered::Resumed {
            ticket,
            generation,
            until_unix_s,
        });
        used.chain(resumed)
            .chain(revoked.map(|(&ticket, &until_unix_s)| Remembered::Revoked { ticket, until_unix_s }))
            .chain(ended.map(|(&consult, &until_unix_s)| Remembered::Ended { consult, until_unix_s }))
    }
}

/// Adds to a bounded memory: what is longest in it makes room.
fn remember<K: Copy + Eq + Hash, V: Copy + Ord>(memory: &mut HashMap<K, V>, key: K, until: V) {
    if memory.len() >= TICKETS_REMEMBERED_MAX && !memory.contains_key(&key) {
        let oldest = memory.iter().min_by_key(|(_, until)| **until).map(|(key, _)| *key);
        oldest.and_then(|oldest| memory.remove(&oldest));
    }
    memory.insert(key, until);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: TicketId = TicketId::from_bytes([1; 16]);
    const CONSULT: ConsultId = ConsultId::from_bytes([2; 16]);

    #[test]
    fn a_ticket_opens_once_and_is_remembered_until_it_expires() {
        let mut tickets = Tickets::default();
        assert_eq!(tickets.take(TICKET, Way::WebSocket, 100), Ok(()));
        tickets.sweep(100 + LEEWAY_S - 1);
        assert_eq!(tickets.take(TICKET, Way::WebSocket, 100), Err(ErrorCode::TicketInUse));
        assert_eq!(tickets.take(TICKET, Way::Whip, 100), Err(ErrorCode::TicketInUse));
        tickets.sweep(100 + LEEWAY_S);
        assert!(tickets.used.is_empty());
    }

    #[test]
    fn one_whip_and_one_whep_share_a_ticket() {
        let mut tickets = Tickets::default();
        assert_eq!(tickets.take(TICKET, Way::Whip, 100), Ok(()));
        assert_eq!(tickets.take(TICKET, Way::Whep, 100), Ok(()));
        assert_eq!(tickets.take(TICKET, Way::Whip, 100), Err(ErrorCode::TicketInUse));
        tickets.release(TICKET, Way::Whip);
        assert_eq!(tickets.take(TICKET, Way::Whip, 100), Ok(()));
    }

    #[tokio::test]
    async fn a_node_that_starts_again_knows_what_it_knew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tickets");
        let restored = || Tickets::restore(TicketLog::open(&path).expect("the log"));
        let id = |number| TicketId::from_bytes([number; 16]);
        let mut tickets = restored();
        let log = tickets.log.clone().expect("a log");
        for (ticket, way) in [(id(1), Way::WebSocket), (id(2), Way::WebSocket), (id(3), Way::Whip)] {
            tickets.take(ticket, way, 100).expect("good");
            let used = Remembered::Used { ticket, way, until_unix_s: 100 + LEEWAY_S };
            log.append(used.encode().to_vec()).await.expect("room");
        }
        tickets.release(id(2), Way::WebSocket);
        for _ in 0..3 {
            tickets.revoke(id(4), 0);
            tickets.end(ConsultId::from_bytes([5; 16]), 0);
        }
        for generation in 1..=2 {
            tickets.supersede(id(1), generation, 0);
        }
        log.append(Vec::new()).await.expect("what was noted is written before");
        assert_eq!(TicketLog::open(&path).expect("the log").remembered.len(), 8, "each is written down once");
        for _ in 0..2 {
            // Once as it came, once after the log was begun anew.
            log.append(Vec::new()).await.expect("what was noted is written before");
            let mut tickets = restored();
            assert_eq!(tickets.take(id(1), Way::WebSocket, 100), Err(ErrorCode::TicketInUse));
            assert_eq!(tickets.take(id(2), Way::WebSocket, 100), Ok(()));
            assert_eq!(tickets.take(id(3), Way::WebSocket, 100), Err(ErrorCode::TicketInUse));
            assert_eq!(tickets.take(id(3), Way::Whip, 100), Ok(()), "the device comes back");
            assert_eq!(tickets.check(id(4), CONSULT), Err(ErrorCode::TicketRevoked));
            let ended = ConsultId::from_bytes([5; 16]);
            assert_eq!(tickets.check(id(6), ended), Err(ErrorCode::TicketRevoked));
            assert_eq!(tickets.check(id(6), CONSULT), Ok(()));
            let superseded = [1, 2, 3].map(|generation| tickets.is_superseded(id(1), generation));
            assert_eq!(superseded, [true, false, false]);
            assert!(!tickets.is_superseded(id(6), 0));
            log.begin_anew(restored().all().map(|remembered| remembered.encode().to_vec()).collect());
        }
    }

    #[tokio::test]
    async fn a_log_that_has_grown_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tickets = Tickets::restore(TicketLog::open(&folder.path().join("tickets")).expect("the log"));
        let log = tickets.log.clone().expect("a log");
        for number in 0..60_000_u128 {
            let ticket = TicketId::from_bytes(number.to_be_bytes());
            tickets.revoke(ticket, 0);
            if number % 10_000 == 0 {
                log.append(Vec::new()).await.expect("room");
            }
        }
        log.append(Vec::new()).await.expect("room");
        let grown = log.bytes();
        tickets.sweep(REVOKED_KEPT_S);
        log.append(Vec::new()).await.expect("room");
        assert!(grown > 1_500_000 && log.bytes() < 100, "{grown} -> {}", log.bytes());
    }

    #[test]
    fn what_was_taken_back_opens_nothing() {
        let mut tickets = Tickets::default();
        assert_eq!(tickets.check(TICKET, CONSULT), Ok(()));
        tickets.revoke(TICKET, 0);
        assert_eq!(tickets.check(TICKET, CONSULT), Err(ErrorCode::TicketRevoked));
        tickets.sweep(REVOKED_KEPT_S);
        tickets.end(CONSULT, 0);
        assert_eq!(tickets.check(TICKET, CONSULT), Err(ErrorCode::TicketRevoked));
    }

    #[test]
    fn what_was_taken_back_is_remembered_within_bounds() {
        let mut tickets = Tickets::default();
        let id = |number: usize| TicketId::from_bytes((number as u128).to_be_bytes());
        for number in 0..=TICKETS_REMEMBERED_MAX {
            tickets.revoke(id(number), number as u64);
        }
        assert_eq!(tickets.revoked.len(), TICKETS_REMEMBERED_MAX);
        assert_eq!(tickets.check(id(0), CONSULT), Ok(()), "the longest remembered made room");
        assert_eq!(tickets.check(id(TICKETS_REMEMBERED_MAX), CONSULT), Err(ErrorCode::TicketRevoked));
    }
}
