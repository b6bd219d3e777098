//! What is hashed of an entry: all of it, as it is stored.

use std::time::{Duration, UNIX_EPOCH};

use media_model::{ConsultId, ParticipantNumber, Pii, Role};

use super::*;
use crate::{
    audit::{Action, Actor, Outcome, RequestId, SealedAddress, Surface},
    ids::PersonId,
    permissions::Act,
};

fn entry() -> Entry {
    let id = |byte| PersonId::from_bytes([byte; 16]);
    Entry {
        at: UNIX_EPOCH + Duration::from_millis(1_772_416_800_123),
        outcome: Outcome::Refused,
        actor: Actor::Asserted { client: "ehr-1".into(), person: id(1) },
        surface: Surface::Api,
        patient: Some(id(2)),
        consult: Some(ConsultId::from_bytes([3; 16])),
        participant: ParticipantNumber::new(4),
        role: Some(Role::Nurse),
        person_id: Some(Pii::new("07".repeat(16))),
        detail: Some("role_forbids"),
        request: Some(RequestId::from_bytes([5; 16])),
        duration: Some(Duration::from_micros(1_500)),
        ..Entry::of(Action::Asked(Act::ReadNotes))
    }
}

fn stored() -> StoredEntry {
    let address = Some(SealedAddress::new(vec![0xbb; 2]));
    StoredEntry::of(&Entry { address, ..entry() }, EntryId::from_bytes([6; 16]))
}

#[test]
fn a_row_says_who_what_whom_when_where_and_how_it_came_out() {
    let row = stored();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!((row.at_ms, row.duration_us), (1_772_416_800_123, Some(1_500)));
    assert_eq!((row.action.as_str(), row.outcome.as_str()), ("read_notes", "refused"));
    assert_eq!((row.actor, row.asserted_by), (format!("person:{}", "01".repeat(16)), text("ehr-1")));
    assert_eq!((row.surface.as_str(), row.patient), ("api", Some("02".repeat(16))));
    assert_eq!((row.participant, row.role, row.detail), (Some(4), text("nurse"), text("role_forbids")));
}

#[test]
fn the_bytes_are_those_of_the_first_version() {
    let absent = StoredEntry {
        at_ms: -1,
        action: "a".into(),
        outcome: String::new(),
        actor: "é".into(),
        asserted_by: None,
        surface: "s".into(),
        patient: None,
        consult: None,
        participant: Some(258),
        person: Some("p".into()),
        role: None,
        detail: None,
        address: None,
        request: None,
        duration_us: None,
        ..stored()
    };
    #[rustfmt::skip]
    let expected = [
        1,
        3, 255, 255, 255, 255, 255, 255, 255, 255,
        1, 0, 0, 0, 1, b'a',
        1, 0, 0, 0, 0,
        1, 0, 0, 0, 2, 0xc3, 0xa9,
        0,
        1, 0, 0, 0, 1, b's',
        0, 0,
        3, 0, 0, 0, 0, 0, 0, 1, 2,
        1, 0, 0, 0, 1, b'p',
        0, 0, 0, 0, 0,
    ];
    assert_eq!(absent.canonical_bytes(), Ok(expected.to_vec()));
}

#[test]
fn a_change_to_any_column_changes_the_bytes() {
    let base = stored().canonical_bytes();
    let changed: [fn(&mut StoredEntry); 19] = [
        |row| row.at_ms += 1,
        |row| row.action.push('x'),
        |row| row.outcome = "granted".into(),
        |row| row.actor.clear(),
        |row| row.asserted_by = None,
        |row| row.asserted_by = Some(String::new()),
        |row| row.surface.push(' '),
        |row| row.patient = None,
        |row| row.consult = None,
        |row| row.participant = None,
        |row| row.participant = Some(0),
        |row| row.person = None,
        |row| row.person = Some(String::new()),
        |row| row.role = None,
        |row| row.detail = None,
        |row| row.address = Some(Vec::new()),
        |row| row.request = None,
        |row| row.duration_us = Some(0),
        // What leaves one column and turns up in the next is a change as well.
        |row| std::mem::swap(&mut row.role, &mut row.detail),
    ];
    for (i, change) in changed.iter().enumerate() {
        let mut row = stored();
        change(&mut row);
        assert_ne!(row.canonical_bytes(), base, "change {i}");
    }
}

#[test]
fn a_version_that_nobody_knows_is_not_guessed_at() {
    let row = StoredEntry { version: 2, ..stored() };
    assert_eq!(row.canonical_bytes(), Err(UnknownVersion(2)));
}
