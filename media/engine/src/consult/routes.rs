//! The route table of a consult: which source goes to which slot. Default deny: a route exists only where this file
//! makes one, and only between members who are admitted.

use media_model::{ParticipantNumber, SlotIndex, Source};

use super::Member;

/// One source on its way to one slot pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Place of the publishing transport.
    pub from: usize,
    /// What it sends.
    pub source: Source,
    /// Place of the receiving transport.
    pub to: usize,
    /// Where it stands there.
    pub slot: SlotIndex,
    /// Whose it is.
    pub publisher: ParticipantNumber,
}

/// Every route that may be used now.
pub fn routes(members: &[Member]) -> Vec<Route> {
    let mut table = Vec::new();
    for to in members.iter().filter(|m| m.admitted) {
        for (slot, publisher) in to.assignment.occupied() {
            // Nobody hears himself, whatever the assignment says.
            if publisher == to.participant {
                continue;
            }
            let sources = Source::ALL.into_iter().filter(|source| source.pool() == slot.pool);
            for source in sources {
                if let Some(from) = speaks_for(members, publisher, source) {
                    table.push(Route { from: from.place, source, to: to.place, slot, publisher });
                }
            }
        }
    }
    table
}

/// Which of a participant's transports carries a source: of those that publish it the newest that is connected, so that
/// a connection that is being replaced serves until its successor does.
fn speaks_for(members: &[Member], who: ParticipantNumber, source: Source) -> Option<&Member> {
    members
        .iter()
        .filter(|m| m.admitted && m.participant == who && m.publishes(source))
        .max_by_key(|m| (m.connected, m.arrival))
}

#[cfg(test)]
mod tests {
    use super::super::roster::tests::{consult_of, person};
    use super::*;

    fn pairs(table: &[Route]) -> Vec<(usize, usize)> {
        let mut pairs: Vec<_> = table.iter().map(|r| (r.from, r.to)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    #[test]
    fn everyone_admitted_reaches_everyone_else() {
        let consult = consult_of(vec![person(0, 1), person(1, 2), person(2, 3)]);
        assert_eq!(pairs(consult.routes()), [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]);
    }

    #[test]
    fn nothing_goes_from_or_to_who_is_not_admitted() {
        let waiting = Member { admitted: false, ..person(2, 3) };
        let mut consult = consult_of(vec![person(0, 1), person(1, 2), waiting]);
        assert_eq!(pairs(consult.routes()), [(0, 1), (1, 0)]);
        consult.with_member(2, |m| m.admitted = true);
        assert_eq!(pairs(consult.routes()).len(), 6);
        consult.with_member(0, |m| m.admitted = false);
        assert_eq!(pairs(consult.routes()), [(1, 2), (2, 1)]);
    }

    #[test]
    fn the_table_denies_even_what_the_assignment_would_allow() {
        let mut consult = consult_of(vec![person(0, 1), person(1, 2)]);
        let assigned = consult.members().to_vec();
        assert!(!routes(&assigned).is_empty());
        consult.with_member(1, |m| m.admitted = false);
        let stale: Vec<_> = assigned
            .into_iter()
            .map(|m| if m.place == 1 { Member { admitted: false, ..m } } else { m })
            .collect();
        assert_eq!(routes(&stale), []);
    }

    #[test]
    fn two_transports_of_one_participant_never_hear_each_other() {
        let consult = consult_of(vec![person(0, 1), person(1, 1), person(2, 2)]);
        assert_eq!(pairs(consult.routes()), [(1, 2), (2, 0), (2, 1)]);
    }

    #[test]
    fn the_old_connection_serves_until_the_new_one_is_connected() {
        let new = Member { connected: false, ..person(2, 1) };
        let mut consult = consult_of(vec![person(0, 1), person(1, 2), new]);
        let slots = |c: &super::super::Consult| {
            c.routes().iter().filter(|r| r.to == 1).map(|r| (r.from, r.slot.index)).collect::<Vec<_>>()
        };
        assert_eq!(slots(&consult), [(0, 0), (0, 0)]);
        consult.with_member(2, |m| m.connected = true);
        assert_eq!(slots(&consult), [(2, 0), (2, 0)]);
        consult.remove(0);
        assert_eq!(slots(&consult), [(2, 0), (2, 0)]);
    }
}
