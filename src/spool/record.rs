//! Entries of signaling's journal as the spool has them: JSON, sealed.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use control_api::audit::EntryId;
use media_engine::api::Quality;
use media_model::{BreakGlassId, ConsultId, ParticipantNumber, Pii, RequestId, Role, Source, TenantId};
use serde::{Deserialize, Serialize};
use signaling::{Call, Departure, Entry, Forbidden, Measured, Way, What, Who};
use signaling_protocol::{error::ErrorCode, server::LineId, ticket::TicketId};

const WAYS: [Way; 3] = [Way::WebSocket, Way::Whip, Way::Whep];
const FORBIDDEN: [Forbidden; 4] =
    [Forbidden::Chat, Forbidden::Admission, Forbidden::Removal, Forbidden::Muting];
/// But for who was sent out, which says by whom.
const DEPARTURES: [Departure; 7] = [
    Departure::Left,
    Departure::Lost,
    Departure::Replaced,
    Departure::ConsultEnded,
    Departure::Revoked,
    Departure::Shutdown,
    Departure::NodeLost,
];

/// An entry with the id that it has in the audit log, however often it is handed in.
pub type Named = (EntryId, Entry);

#[derive(Serialize, Deserialize)]
struct Line {
    id: EntryId,
    at_us: u64,
    tenant: Option<TenantId>,
    consult: Option<ConsultId>,
    who: Option<LineWho>,
    what: LineWhat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Pii<IpAddr>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lasted_us: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct LineWho {
    participant: Option<u32>,
    person: Pii<String>,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    break_glass: Option<BreakGlassId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineWhat {
    Joined(String),
    Waited,
    Admitted(u32),
    Muted(u32, Source),
    Wrote(Pii<String>),
    Left(String),
    Removed(u32, TicketId),
    Forbade(String),
    ForbadeOften(String, u64),
    Refused(ErrorCode),
    Measured(LineMeasured),
}

#[derive(Serialize, Deserialize)]
struct LineMeasured {
    expected: u64,
    lost: u64,
    round_trip_us: Option<u64>,
    broke: bool,
}

/// The entries as bytes.
pub fn encode(entries: &[Named]) -> Vec<u8> {
    let lines: Vec<Line> = entries.iter().map(line_of).collect();
    serde_json::to_vec(&lines).expect("our own lines are JSON")
}

/// What [`encode`] wrote; nothing if it was another version.
pub fn decode(bytes: &[u8]) -> Option<Vec<Named>> {
    let lines: Vec<Line> = serde_json::from_slice(bytes).ok()?;
    lines.into_iter().map(entry_of).collect()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn line_of((id, entry): &Named) -> Line {
    let since = entry.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let what = match &entry.what {
        What::Joined(way) => LineWhat::Joined(way.as_str().to_owned()),
        What::Waited => LineWhat::Waited,
        What::Admitted { by } => LineWhat::Admitted(by.csrc()),
        What::Muted { by, source } => LineWhat::Muted(by.csrc(), *source),
        What::Left(Departure::Removed { by, ticket }) => LineWhat::Removed(by.csrc(), *ticket),
        What::Left(departure) => LineWhat::Left(departure.as_str().to_owned()),
        What::Wrote(_, text) => LineWhat::Wrote(text.clone()),
        What::Forbade(what, 1) => LineWhat::Forbade(what.as_str().to_owned()),
        What::Forbade(what, times) => LineWhat::ForbadeOften(what.as_str().to_owned(), *times),
        What::Refused(code) => LineWhat::Refused(*code),
        What::Measured(Measured { quality: Quality { expected, lost, round_trip }, broke }) => {
            let (expected, lost, broke) = (*expected, *lost, *broke);
            LineWhat::Measured(LineMeasured { expected, lost, round_trip_us: round_trip.map(micros), broke })
        }
    };
    let who = entry.who.as_ref().map(|who| LineWho {
        participant: who.participant.map(|number| number.csrc()),
        person: who.person.clone(),
        role: who.role,
        break_glass: who.break_glass,
    });
    let (at_us, lasted_us) = (micros(since), entry.lasted.map(micros));
    let (request, address) = entry.call.clone().map(|call| (call.request, call.address)).unzip();
    let (tenant, consult, address) = (entry.tenant, entry.consult, address.flatten());
    Line { id: *id, at_us, tenant, consult, who, what, request, address, lasted_us }
}

fn entry_of(line: Line) -> Option<Named> {
    let what = match line.what {
        LineWhat::Joined(name) => What::Joined(*WAYS.iter().find(|way| way.as_str() == name)?),
        LineWhat::Waited => What::Waited,
        LineWhat::Admitted(by) => What::Admitted { by: ParticipantNumber::new(by)? },
        LineWhat::Muted(by, source) => What::Muted { by: ParticipantNumber::new(by)?, source },
        LineWhat::Left(name) => What::Left(*DEPARTURES.iter().find(|why| why.as_str() == name)?),
        LineWhat::Removed(by, ticket) => {
            What::Left(Departure::Removed { by: ParticipantNumber::new(by)?, ticket })
        }
        LineWhat::Wrote(text) => What::Wrote(LineId::from_bytes(line.id.to_bytes()), text),
        LineWhat::Forbade(name) => What::Forbade(forbidden(&name)?, 1),
        LineWhat::ForbadeOften(name, times) => What::Forbade(forbidden(&name)?, times),
        LineWhat::Refused(code) => What::Refused(code),
        LineWhat::Measured(LineMeasured { expected, lost, round_trip_us, broke }) => {
            let round_trip = round_trip_us.map(Duration::from_micros);
            What::Measured(Measured { quality: Quality { expected, lost, round_trip }, broke })
        }
    };
    let who = match line.who {
        None => None,
        Some(LineWho { participant, person, role, break_glass }) => {
            let participant = match participant {
                None => None,
                Some(number) => Some(ParticipantNumber::new(number)?),
            };
            Some(Who { participant, person, role, break_glass })
        }
    };
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(line.at_us))?;
    let call = line.request.map(|request| Call { request, address: line.address });
    let (tenant, consult) = (line.tenant, line.consult);
    let lasted = line.lasted_us.map(Duration::from_micros);
    Some((line.id, Entry { at, tenant, consult, who, call, lasted, what }))
}

fn forbidden(name: &str) -> Option<Forbidden> {
    FORBIDDEN.into_iter().find(|what| what.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(round_trip: Option<Duration>, broke: bool) -> What {
        What::Measured(Measured { quality: Quality { expected: u64::MAX, lost: 17, round_trip }, broke })
    }

    #[test]
    fn every_kind_of_entry_comes_back_as_it_was() {
        let number = ParticipantNumber::new(7).expect("not zero");
        let person = Pii::new("person".to_owned());
        let break_glass = Some(BreakGlassId::from_bytes([3; 16]));
        let who = Who { participant: Some(number), person, role: Role::Nurse, break_glass };
        let address = Some(Pii::new([192, 0, 2, 1].into()));
        let call = Call { request: RequestId::from_bytes([4; 16]), address };
        let kinds = WAYS.map(What::Joined).into_iter().chain(DEPARTURES.map(What::Left));
        let kinds = kinds
            .chain([1, 12].into_iter().flat_map(|times| FORBIDDEN.map(|what| What::Forbade(what, times))));
        let others = [
            What::Waited,
            What::Admitted { by: number },
            What::Muted { by: number, source: Source::ScreenAudio },
            What::Left(Departure::Removed { by: number, ticket: TicketId::from_bytes([12; 16]) }),
            What::Wrote(LineId::from_bytes([0; 16]), Pii::new("two\nlines of \"chat\"".to_owned())),
            What::Refused(ErrorCode::TicketRevoked),
            measured(Some(Duration::from_micros(81_234)), true),
            measured(None, false),
        ];
        let entries: Vec<Named> = kinds
            .chain(others)
            .enumerate()
            .map(|(n, what)| {
                let what = match what {
                    What::Wrote(_, text) => What::Wrote(LineId::from_bytes([n as u8; 16]), text),
                    what => what,
                };
                let entry = Entry {
                    at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_800_000_000_123_456 + n as u64),
                    tenant: "clinic".parse().ok(),
                    consult: (n % 2 == 0).then_some(ConsultId::from_bytes([n as u8; 16])),
                    who: (n % 3 != 0).then_some(who.clone()),
                    call: (n % 4 != 0).then_some(call.clone()),
                    lasted: (n % 2 != 0).then_some(Duration::from_micros(n as u64)),
                    what,
                };
                (EntryId::from_bytes([n as u8; 16]), entry)
            })
            .collect();
        let read = decode(&encode(&entries)).expect("our own");
        assert_eq!(format!("{read:?}"), format!("{entries:?}"));
        assert!(read.iter().zip(&entries).all(|(one, other)| one.1.what == other.1.what));
        assert!(read.iter().zip(&entries).all(|(one, other)| one.1.call == other.1.call));
        assert!(read.iter().zip(&entries).all(|(one, other)| {
            one.1.who.as_ref().map(|who| who.person.reveal().clone())
                == other.1.who.as_ref().map(|who| who.person.reveal().clone())
        }));
        assert!(decode(b"[{\"id\":1}]").is_none());
    }
}
