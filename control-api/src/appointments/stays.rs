//! Who was there from when to when, made of comings and goings as they were written down.

use std::collections::BTreeMap;

use media_model::Role;

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
    /// Whether they came.
    pub came: bool,
}

/// Stays of everyone, of passages in the order in which they were written down. Who came twice without leaving, as one does
/// whose page was loaded again, was there all the time.
pub fn stays(passages: &[Passage]) -> Vec<Stay> {
    let mut stays: Vec<Stay> = Vec::new();
    let mut open: BTreeMap<(PersonId, &'static str), usize> = BTreeMap::new();
    for passage in passages {
        let Passage { at_ms, person, role, came } = *passage;
        let who = (person, role.as_str());
        if came {
            open.entry(who).or_insert_with(|| {
                stays.push(Stay { person, role, joined_at_ms: at_ms, left_at_ms: None });
                stays.len() - 1
            });
        } else if let Some(stay) = open.remove(&who).and_then(|place| stays.get_mut(place)) {
            stay.left_at_ms = Some(at_ms);
        }
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comings_and_goings_are_paired_person_by_person() {
        let (ann, bob) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let passage = |at_ms, person, came| Passage { at_ms, person, role: Role::Patient, came };
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
}
