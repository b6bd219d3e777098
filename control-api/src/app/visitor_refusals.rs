//! Refusals of people in visits whose token is good no longer: the first is put down at once, and once a minute how many followed.

use std::{
    collections::{HashMap, hash_map},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use media_model::TenantId;
use signaling_protocol::ticket::TicketId;

use super::{ControlApi, Seen, by, new_entry_id};
use crate::{
    StoreError,
    audit::{Action, Entry, Outcome, Tally},
    auth::{Asked, Caller, Request},
    limits::{ANONYMOUS_INTERVAL, READS_BATCH_MAX, VISITOR_REFUSALS_MAX},
    permissions::Act,
    problem::Problem,
    visit_token::VisitToken,
};

/// What is counted together: no kind hides another.
type Kind = (TenantId, TicketId, Act, &'static str);

#[derive(Debug, Clone)]
struct Counted {
    token: VisitToken,
    /// When it was put down last.
    told_at: Instant,
    /// How often since, and when the first of these was.
    more: u64,
    since: SystemTime,
}

/// What became of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    /// It has to be put down.
    First,
    /// It is told with those that follow.
    Counted,
    /// There are too many kinds to count another.
    Full,
}

/// Refusals that were put down not long ago, and how many followed.
#[derive(Debug, Default)]
pub(super) struct VisitorRefusals(Mutex<HashMap<Kind, Counted>>);

impl VisitorRefusals {
    fn note(&self, token: &VisitToken, act: Act, why: &'static str, now: (Instant, SystemTime)) -> Noted {
        let mut kinds = self.lock();
        let is_full = kinds.len() >= VISITOR_REFUSALS_MAX;
        match kinds.entry((token.tenant, token.ticket, act, why)) {
            hash_map::Entry::Occupied(known) => {
                let counted = known.into_mut();
                if counted.more == 0 {
                    counted.since = now.1;
                }
                counted.more += 1;
                Noted::Counted
            }
            hash_map::Entry::Vacant(_) if is_full => Noted::Full,
            hash_map::Entry::Vacant(place) => {
                place.insert(Counted { token: token.clone(), told_at: now.0, more: 0, since: now.1 });
                Noted::First
            }
        }
    }

    /// What is to be told now. What has not come again for a minute is forgotten.
    fn take(&self, now: Instant) -> Vec<(Kind, Counted)> {
        let mut kinds = self.lock();
        let is_over = |at| now.saturating_duration_since(at) >= ANONYMOUS_INTERVAL;
        kinds.retain(|_, counted| counted.more > 0 || !is_over(counted.told_at));
        let more = kinds.iter_mut().filter(|(_, counted)| counted.more > 0);
        more.map(|(kind, counted)| {
            let taken = counted.clone();
            (counted.more, counted.told_at) = (0, now);
            (*kind, taken)
        })
        .collect()
    }

    /// What could not be told waits for the next time.
    fn put_back(&self, kind: &Kind, taken: &Counted) {
        let mut kinds = self.lock();
        let counted = kinds.entry(*kind).or_insert_with(|| Counted { more: 0, ..taken.clone() });
        (counted.more, counted.since) = (counted.more.saturating_add(taken.more), taken.since);
    }

    /// One that could not be put down is not the first.
    fn forget(&self, token: &VisitToken, act: Act, why: &'static str) {
        self.lock().remove(&(token.tenant, token.ticket, act, why));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ControlApi {
    /// Refuses somebody whose token is good no longer; that is put down.
    pub(super) async fn refuse_visitor(
        &self,
        token: &VisitToken,
        act: Act,
        why: &'static str,
        (request, asked): (&Request, Asked),
    ) -> Result<Problem, StoreError> {
        match self.visitor_refusals.note(token, act, why, (Instant::now(), SystemTime::now())) {
            Noted::Counted => {}
            Noted::Full => self.turned_away(Some(token.tenant), Problem::VisitOver.code(), request),
            Noted::First => {
                let entry = refused(token, act, why, Some(asked));
                let kept = self.record(&[Seen::new(token.tenant, new_entry_id(), entry)]).await;
                kept.inspect_err(|_| self.visitor_refusals.forget(token, act, why))?;
            }
        }
        Ok(Problem::VisitOver)
    }

    /// Puts down how many refusals followed those that were put down; how many entries it takes.
    pub(super) async fn tell_refused_visitors(&self) -> usize {
        let taken = self.visitor_refusals.take(Instant::now());
        let mut told = 0;
        for some in taken.chunks(READS_BATCH_MAX) {
            let entry = |((_, _, act, why), counted): &(Kind, Counted)| {
                let tally = Some(Tally { times: counted.more, addresses: None });
                let entry = Entry { at: counted.since, tally, ..refused(&counted.token, *act, why, None) };
                Seen::new(counted.token.tenant, new_entry_id(), entry)
            };
            let entries: Vec<_> = some.iter().map(entry).collect();
            match self.record(&entries).await {
                Ok(()) => told += some.len(),
                Err(error) => {
                    tracing::warn!(%error, "whose token is good no longer is not put down yet");
                    some.iter().for_each(|(kind, counted)| self.visitor_refusals.put_back(kind, counted));
                }
            }
        }
        told
    }
}

fn refused(token: &VisitToken, act: Act, why: &'static str, asked: Option<Asked>) -> Entry {
    let caller = Caller::visitor(token, asked);
    let (outcome, consult, detail) = (Outcome::Refused, Some(token.consult), Some(why));
    Entry { outcome, consult, detail, ..by(&caller, Action::Asked(act)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media_model::{ConsultId, Role};

    use super::*;
    use crate::ids::PersonId;

    fn token(ticket: u128) -> VisitToken {
        let ticket = TicketId::from_bytes(ticket.to_be_bytes());
        let visit = (TenantId::SYSTEM, ConsultId::from_bytes([1; 16]), ticket);
        VisitToken::begin(visit, (PersonId::from_bytes([3; 16]), Role::Nurse), 1_800_000_000)
    }

    #[test]
    fn the_first_is_put_down_and_the_others_are_told_each_minute_and_once() {
        let (refusals, start) = (VisitorRefusals::default(), (Instant::now(), SystemTime::UNIX_EPOCH));
        let later = |by_s| (start.0 + Duration::from_secs(by_s), start.1 + Duration::from_secs(by_s));
        let note = |act, at| refusals.note(&token(1), act, "ticket_revoked", at);
        assert_eq!(note(Act::ReadChat, start), Noted::First);
        assert_eq!(note(Act::WriteChat, start), Noted::First, "another act");
        assert!(refusals.take(later(10).0).is_empty());
        for by_s in 20..30 {
            assert_eq!(note(Act::ReadChat, later(by_s)), Noted::Counted);
        }
        let told = refusals.take(later(60).0);
        let [((.., act, why), counted)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(
            (*act, *why, counted.more, counted.since),
            (Act::ReadChat, "ticket_revoked", 10, later(20).1)
        );
        refusals.put_back(&told[0].0, &told[0].1);
        assert_eq!(note(Act::ReadChat, later(70)), Noted::Counted);
        let told = refusals.take(later(120).0);
        assert_eq!((told.len(), told[0].1.more, told[0].1.since), (1, 11, later(20).1));
        assert!(refusals.take(later(180).0).is_empty());
        assert_eq!(note(Act::ReadChat, later(181)), Noted::First, "after a minute without any");
        refusals.forget(&token(1), Act::ReadChat, "ticket_revoked");
        assert_eq!(note(Act::ReadChat, later(182)), Noted::First, "it could not be put down");
    }

    #[test]
    fn however_many_tickets_there_are_the_table_stays_small() {
        let (refusals, now) = (VisitorRefusals::default(), (Instant::now(), SystemTime::UNIX_EPOCH));
        let note = |ticket: usize| refusals.note(&token(ticket as u128), Act::ReadChat, "consult_ended", now);
        assert!((0..VISITOR_REFUSALS_MAX).all(|ticket| note(ticket) == Noted::First));
        assert_eq!((note(VISITOR_REFUSALS_MAX), note(0)), (Noted::Full, Noted::Counted));
        assert_eq!(refusals.take(now.0).len(), 1);
        assert!(refusals.take(now.0 + 2 * ANONYMOUS_INTERVAL).is_empty());
        assert_eq!(note(VISITOR_REFUSALS_MAX), Noted::First);
    }
}
