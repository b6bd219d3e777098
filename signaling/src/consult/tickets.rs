//! Tickets that were used or taken back, remembered for as long as they would otherwise be good.

use std::{collections::HashMap, hash::Hash};

use media_model::ConsultId;
use signaling_protocol::{
    error::ErrorCode,
    ticket::{LEEWAY_S, TicketId},
};

use crate::{journal::Way, limits::TICKETS_REMEMBERED_MAX};

/// What was taken back is remembered for so long where its own end is not known, in seconds.
const REVOKED_KEPT_S: u64 = 7 * 24 * 3_600;

#[derive(Debug)]
struct Used {
    websocket: bool,
    whip: bool,
    whep: bool,
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
            Way::WebSocket => self.websocket || self.whip || self.whep,
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
}

impl Tickets {
    /// Whether this ticket still opens anything.
    pub(crate) fn check(&self, ticket: TicketId, consult: ConsultId) -> Result<(), ErrorCode> {
        if self.revoked.contains_key(&ticket) || self.ended.contains_key(&consult) {
            return Err(ErrorCode::TicketRevoked);
        }
        Ok(())
    }

    /// Uses a ticket. One WHIP and one WHEP may share one; everything else is alone with it.
    pub(crate) fn take(&mut self, ticket: TicketId, way: Way, expires_unix_s: u64) -> Result<(), ErrorCode> {
        if self.used.len() >= TICKETS_REMEMBERED_MAX && !self.used.contains_key(&ticket) {
            return Err(ErrorCode::Internal);
        }
        let until_unix_s = expires_unix_s.saturating_add(LEEWAY_S);
        let used = self.used.entry(ticket).or_insert(Used {
            websocket: false,
            whip: false,
            whep: false,
            until_unix_s,
        });
        if used.conflicts_with(way) {
            return Err(ErrorCode::TicketInUse);
        }
        *used.by(way) = true;
        Ok(())
    }

    /// Gives back a ticket that opened nothing, or whose WHIP or WHEP session is over: those have no resume token
    /// and come back with their bearer token.
    pub(crate) fn release(&mut self, ticket: TicketId, way: Way) {
        if let Some(used) = self.used.get_mut(&ticket) {
            *used.by(way) = false;
        }
    }

    /// Takes a ticket back.
    pub(crate) fn revoke(&mut self, ticket: TicketId, now_unix_s: u64) {
        remember(&mut self.revoked, ticket, now_unix_s.saturating_add(REVOKED_KEPT_S));
    }

    /// Takes every ticket of a consult back.
    pub(crate) fn end(&mut self, consult: ConsultId, now_unix_s: u64) {
        remember(&mut self.ended, consult, now_unix_s.saturating_add(REVOKED_KEPT_S));
    }

    /// Forgets what has expired anyway.
    pub(crate) fn sweep(&mut self, now_unix_s: u64) {
        self.used.retain(|_, used| used.until_unix_s > now_unix_s);
        self.revoked.retain(|_, until| *until > now_unix_s);
        self.ended.retain(|_, until| *until > now_unix_s);
    }
}

/// Adds to a bounded memory: what is longest in it makes room.
fn remember<K: Copy + Eq + Hash>(memory: &mut HashMap<K, u64>, key: K, until_unix_s: u64) {
    if memory.len() >= TICKETS_REMEMBERED_MAX && !memory.contains_key(&key) {
        let oldest = memory.iter().min_by_key(|(_, until)| **until).map(|(key, _)| *key);
        oldest.and_then(|oldest| memory.remove(&oldest));
    }
    memory.insert(key, until_unix_s);
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
