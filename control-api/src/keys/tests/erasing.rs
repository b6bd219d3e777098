//! Who was erased cannot be read any more, and that is no error.

use super::{Clinic, name_place, other_person, url_place};
use crate::keys::{KeyFault, Opened, Whose};

async fn erased() -> (Clinic, Vec<u8>) {
    let mut clinic = Clinic::new("north").await;
    let name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    let erasure = clinic.person.erasure(1).expect("there is a key");
    erasure.apply(&mut clinic.person_rows);
    clinic.read_again().await;
    (clinic, name)
}

#[tokio::test]
async fn what_was_sealed_opens_to_erased() {
    let (clinic, name) = erased().await;
    assert!(clinic.person.is_erased());
    assert_eq!(clinic.person.open(&name_place(), &name), Ok(Opened::Erased));
    assert_eq!(clinic.person.open_text(&name_place(), &name).map(Opened::value), Ok(None));
    assert_eq!(clinic.person.reseal(&name_place(), &name), Ok(None));
    assert_eq!(clinic.keys.rewrap_person(clinic.person.person(), &clinic.person_rows[0]), Ok(None));
}

#[tokio::test]
async fn nothing_new_is_sealed_for_them() {
    let (clinic, _) = erased().await;
    let refused = clinic.person.seal(&name_place(), b"Rosa");
    assert_eq!(refused, Err(KeyFault::Erased));
    assert_eq!(refused.map_err(|fault| fault.whose()), Err(Whose::Nobody));
}

#[tokio::test]
async fn everything_else_goes_on_opening() {
    let (clinic, _) = erased().await;
    let (other, _) = clinic.keys.draw_person(other_person()).expect("another person");
    let name = other.seal(&name_place(), b"Li").expect("sealed");
    assert!(matches!(other.open(&name_place(), &name), Ok(Opened::Value(_))));
    let url = clinic.keys.seal(&url_place(), b"https://").expect("sealed");
    assert!(clinic.keys.open(&url_place(), &url).is_ok());
}

#[tokio::test]
async fn a_person_who_comes_back_begins_anew() {
    let (mut clinic, old) = erased().await;
    let (_, row) = clinic.keys.rotate_person(&clinic.person).expect("a new key");
    clinic.person_rows.push(row);
    clinic.read_again().await;
    assert!(!clinic.person.is_erased());
    let new = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    assert!(matches!(clinic.person.open(&name_place(), &new), Ok(Opened::Value(_))));
    assert_eq!(clinic.person.open(&name_place(), &old), Ok(Opened::Erased));
    assert_eq!(clinic.person.reseal(&name_place(), &old), Ok(None));
}

#[tokio::test]
async fn a_restore_forgets_again_who_was_erased_and_nobody_else() {
    let mut clinic = Clinic::new("north").await;
    let backup = clinic.person_rows.clone();
    let (_, second) = clinic.keys.rotate_person(&clinic.person).expect("a second key");
    clinic.person_rows.push(second);
    clinic.read_again().await;
    let erasure = clinic.person.erasure(1).expect("there are keys");
    erasure.apply(&mut clinic.person_rows);
    assert!(clinic.person_rows.iter().all(|row| row.wrapped.is_none()));

    // The backup is older than the second key.
    clinic.person_rows = backup;
    erasure.apply(&mut clinic.person_rows);
    clinic.read_again().await;
    assert!(clinic.person.is_erased());
    assert_eq!(clinic.person.erasure(2), None, "there is nothing left to erase");

    let (_, third) = clinic.keys.rotate_person(&clinic.person).expect("the person comes back");
    clinic.person_rows.push(third);
    let before = clinic.person_rows.clone();
    erasure.apply(&mut clinic.person_rows);
    assert_eq!(clinic.person_rows, before, "a later replay leaves the new key alone");
    clinic.read_again().await;
    assert!(!clinic.person.is_erased());
}

#[tokio::test]
async fn damage_is_not_taken_for_an_erasure() {
    let (clinic, name) = erased().await;
    assert!(clinic.person.open(&name_place(), &name[..20]).is_err());
    assert!(clinic.person.open(&name_place(), b"").is_err());
}
