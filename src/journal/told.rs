//! What signaling says, in the control API's words.

use control_api::{
    Connection, Seen,
    audit::{Action, Actor, Entry, EntryId, Outcome, Surface, Tally},
    permissions::Act,
};
use media_model::TenantId;
use signaling::{Departure, Forbidden, Measured, What};

use crate::spool::Named;

/// What signaling says, as the control API is told: how connections were, and what the audit log is to say.
pub fn told(named: &[Named]) -> (Vec<Connection>, Vec<Seen>) {
    let measured = named.iter().filter_map(|(id, entry)| connection(*id, entry));
    let entries = named.iter().filter_map(|(id, entry)| seen(*id, entry.clone()));
    (measured.collect(), entries.collect())
}

fn connection(id: EntryId, entry: &signaling::Entry) -> Option<Connection> {
    let What::Measured(Measured { quality, broke }) = &entry.what else { return None };
    Some(Connection {
        id,
        tenant: entry.tenant?,
        consult: entry.consult?,
        person: entry.who.as_ref()?.person.reveal().parse().ok()?,
        packets: quality.expected,
        lost: quality.lost,
        round_trip: quality.round_trip,
        broke: *broke,
    })
}

fn seen(id: EntryId, entry: signaling::Entry) -> Option<Seen> {
    let line = if let What::Wrote(_, text) = &entry.what { Some(text.clone()) } else { None };
    let revoked = match entry.what {
        What::Left(Departure::Removed { ticket, .. }) => Some(ticket),
        _ => None,
    };
    let (request, address) = entry.call.clone().map(|call| (call.request, call.address)).unzip();
    let (action, outcome, actor, detail) = match entry.what {
        What::Joined(way) => (Action::Joined, Outcome::Granted, Actor::Participant, Some(way.as_str())),
        What::Waited => (Action::Waited, Outcome::Granted, Actor::Participant, Some("waiting_room")),
        What::Admitted { by } => (Action::Admitted, Outcome::Granted, Actor::Staff(by), Some("waiting_room")),
        What::Muted { by, source } => {
            (Action::Asked(Act::MuteOthers), Outcome::Granted, Actor::Staff(by), Some(source.as_str()))
        }
        What::Wrote(..) => (Action::Asked(Act::WriteChat), Outcome::Granted, Actor::Participant, None),
        What::Forbade(what, _) => {
            (Action::Asked(act_of(what)), Outcome::Refused, Actor::Participant, Some("role_forbids"))
        }
        // Who was gone already has not left again: what they had come with was taken back.
        What::Left(Departure::Removed { by, .. }) if entry.lasted.is_none() => {
            (Action::Asked(Act::Remove), Outcome::Granted, Actor::Staff(by), Some("gone_already"))
        }
        What::Left(departure @ Departure::Removed { by, .. }) => {
            (Action::Left, Outcome::Granted, Actor::Staff(by), Some(departure.as_str()))
        }
        What::Left(departure) => {
            (Action::Left, Outcome::Granted, Actor::Participant, Some(departure.as_str()))
        }
        What::Refused(code) => (Action::Joined, Outcome::Refused, Actor::Participant, Some(code.as_str())),
        What::Measured(_) => return None,
    };
    // Whoever came by break-glass came by WebSocket: what they broke stands in the place of that.
    let break_glass = match entry.what {
        What::Joined(_) | What::Forbade(..) => entry.who.as_ref().and_then(|who| who.break_glass),
        _ => None,
    };
    let tally = match entry.what {
        What::Forbade(_, times) if times > 1 => Some(Tally { times, addresses: None }),
        _ => None,
    };
    let (participant, person_id, role) =
        entry.who.map_or((None, None, None), |who| (who.participant, Some(who.person), Some(who.role)));
    let (tenant, consult) = (entry.tenant.unwrap_or(TenantId::SYSTEM), entry.consult);
    let (at, surface) = (entry.at, Surface::Signaling);
    let known = Entry::of(action);
    let entry = Entry {
        at,
        outcome,
        actor,
        surface,
        consult,
        participant,
        person_id,
        role,
        detail,
        tally,
        break_glass,
        request,
        duration: entry.lasted,
        ..known
    };
    Some(Seen { line, address: address.flatten(), revoked, ..Seen::new(tenant, id, entry) })
}

const fn act_of(what: Forbidden) -> Act {
    match what {
        Forbidden::Chat => Act::WriteChat,
        Forbidden::Admission => Act::Admit,
        Forbidden::Removal => Act::Remove,
        Forbidden::Muting => Act::MuteOthers,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use media_engine::api::Quality;
    use media_model::{ConsultId, ParticipantNumber, Pii, Role};
    use signaling::{Way, Who};

    use super::*;

    #[test]
    fn connections_and_entries_go_their_own_ways_under_the_names_that_they_have() {
        let person = "11".repeat(16);
        let who = Who {
            participant: ParticipantNumber::new(2),
            person: Pii::new(person.clone()),
            role: Role::Patient,
            break_glass: None,
        };
        let quality = Quality { expected: 900, lost: 7, round_trip: Some(Duration::from_millis(31)) };
        let kinds = [
            What::Joined(Way::WebSocket),
            What::Measured(Measured { quality, broke: true }),
            What::Left(Departure::Lost),
        ];
        let named: Vec<Named> = kinds
            .into_iter()
            .zip(1..)
            .map(|(what, number)| {
                let (tenant, consult) = ("clinic".parse().ok(), Some(ConsultId::from_bytes([5; 16])));
                let known = signaling::Entry::of(SystemTime::UNIX_EPOCH, what);
                let entry = signaling::Entry { tenant, consult, who: Some(who.clone()), ..known };
                (EntryId::from_bytes([number; 16]), entry)
            })
            .collect();
        let (connections, entries) = told(&named);
        let ids: Vec<_> = entries.iter().map(|seen| seen.id.to_bytes()[0]).collect();
        assert_eq!(ids, [1, 3]);
        let [connection] = connections[..] else { panic!("one connection") };
        assert_eq!((connection.id.to_bytes()[0], connection.person.to_string()), (2, person));
        assert_eq!((connection.packets, connection.lost, connection.broke), (900, 7, true));
        assert_eq!(connection.round_trip, Some(Duration::from_millis(31)));
    }
}
