//! Who was there from when to when, made of comings and goings as they were written down.

use std::collections::BTreeMap;

use media_model::{RequestId, Role};

use super::Stay;
use crate::ids::PersonId;

/// Somebody came into a consult, or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub person: PersonId,
    /// As what.
    pub role: Role,
    /// The connection by which they came, where that was written down: a going names the one of its coming.
    pub request: Option<RequestId>,
    /// Whether they came.
    pub came: bool,
}

/// From when to when; nothing where it goes on.
type Span = (i64, Option<i64>);

/// Stays of everyone, of passages in the order in which they were written down. Somebody may be there by several connections
/// at once, as whose page is loaded again, or whose camera and screen come by WHIP and WHEP: they are there until the last one
/// of them ends.
pub fn stays(passages: &[Passage]) -> Vec<Stay> {
    let mut stays = Vec::new();
    for ((person, role), mut spans) in spans(passages) {
        spans.sort_unstable_by_key(|(from, _)| *from);
        let whole = spans.into_iter().fold(Vec::<Span>::new(), |mut whole, span| {
            match whole.last_mut() {
                Some(last) if last.1.is_none_or(|until| span.0 <= until) => {
                    last.1 = last.1.zip(span.1).map(|(one, other)| one.max(other));
                }
                _ => whole.push(span),
            }
            whole
        });
        let stay = |(joined_at_ms, left_at_ms)| Stay { person, role, joined_at_ms, left_at_ms };
        stays.extend(whole.into_iter().map(stay));
    }
    stays.sort_by_key(|stay| stay.joined_at_ms);
    stays
}

/// Each connection's. What was written down without one was before any was: there a going ends what is open.
fn spans(passages: &[Passage]) -> BTreeMap<(PersonId, Role), Vec<Span>> {
    let mut by_request: BTreeMap<_, (Option<i64>, Option<i64>)> = BTreeMap::new();
    let mut spans: BTreeMap<_, Vec<Span>> = BTreeMap::new();
    for passage in passages {
        let Passage { at_ms, person, role, request, came } = *passage;
        if let Some(request) = request {
            let (from, until) = by_request.entry((person, role, request)).or_default();
            let when = if came { from } else { until };
            when.get_or_insert(at_ms);
            continue;
        }
        let of_person = spans.entry((person, role)).or_default();
        match of_person.last_mut().filter(|(_, until)| until.is_none()) {
            Some((_, until)) if !came => *until = Some(at_ms),
            None if came => of_person.push((at_ms, None)),
            _ => {}
        }
    }
    // Somebody who waited and was not let in has left without having come.
    for ((person, role, _), (from, until)) in by_request {
        if let Some(from) = from {
            let until = until.map(|until| until.max(from));
            spans.entry((person, role)).or_default().push((from, until));
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comings_and_goings_are_paired_person_by_person() {
        let (ann, bob) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let passage =
            |at_ms, person, came| Passage { at_ms, person, role: Role::Patient, request: None, came };
        let passages = [
            passage(10, ann, true),
            passage(20, bob, true),
            passage(25, ann, true),
            passage(30, ann, false),
            passage(40, ann, true),
            passage(50, bob, false),
            passage(60, bob, false),
        ];
        let seen: Vec<_> =
            stays(&passages).iter().map(|s| (s.person, s.joined_at_ms, s.left_at_ms)).collect();
        assert_eq!(seen, [(ann, 10, Some(30)), (bob, 20, Some(50)), (ann, 40, None)]);
        assert_eq!(stays(&[passage(5, ann, false)]), []);
    }

    /// What one person's connections come to: (when, which, whether it is a coming).
    fn of_one(passages: &[(i64, u8, bool)]) -> Vec<(i64, Option<i64>)> {
        let passage = |&(at_ms, request, came): &(i64, u8, bool)| {
            let request = Some(RequestId::from_bytes([request; 16]));
            Passage { at_ms, person: PersonId::from_bytes([1; 16]), role: Role::Provider, request, came }
        };
        let passages: Vec<_> = passages.iter().map(passage).collect();
        stays(&passages).iter().map(|stay| (stay.joined_at_ms, stay.left_at_ms)).collect()
    }

    #[test]
    fn who_is_there_by_several_connections_is_there_until_the_last_one_ends() {
        let reload = [(10, 1, true), (20, 2, true), (21, 1, false), (90, 2, false)];
        assert_eq!(of_one(&reload), [(10, Some(90))], "a page that is loaded again");
        let devices = [(10, 1, true), (11, 2, true), (50, 2, false), (90, 1, false)];
        assert_eq!(of_one(&devices), [(10, Some(90))], "WHIP and WHEP");
        let twice = [(10, 1, true), (20, 1, false), (40, 2, true), (90, 2, false)];
        assert_eq!(of_one(&twice), [(10, Some(20)), (40, Some(90))], "away in between");
        let late = [(20, 1, false), (10, 1, true), (15, 2, true), (30, 2, false)];
        assert_eq!(of_one(&late), [(10, Some(30))], "written down in whichever order");
        assert_eq!(of_one(&[(10, 1, false)]), [], "who waited in vain was not there");
        assert_eq!(of_one(&[(10, 1, true), (20, 2, true), (30, 2, false)]), [(10, None)], "one goes on");
    }
}
