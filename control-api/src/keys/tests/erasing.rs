//! Who was erased cannot be read any more, and that is no error.

use super::{Clinic, NAME, URL};
use crate::keys::{KeyFault, Opened, Whose};

async fn erased() -> (Clinic, Vec<u8>) {
    let mut clinic = Clinic::new("north").await;
    let name = clinic.person.seal(&NAME, b"Rosa").expect("sealed");
    for row in &mut clinic.person_rows {
        row.wrapped = None;
    }
    clinic.read_again().await;
    (clinic, name)
}

#[tokio::test]
async fn what_was_sealed_opens_to_erased() {
    let (clinic, name) = erased().await;
    assert!(clinic.person.is_erased());
    assert_eq!(clinic.person.open(&NAME, &name), Ok(Opened::Erased));
    assert_eq!(clinic.person.open_text(&NAME, &name).map(Opened::value), Ok(None));
    assert_eq!(clinic.person.reseal(&NAME, &name), Ok(None));
    assert_eq!(clinic.keys.rewrap_person(clinic.person.person(), &clinic.person_rows[0]), Ok(None));
}

#[tokio::test]
async fn nothing_new_is_sealed_for_them() {
    let (clinic, _) = erased().await;
    let refused = clinic.person.seal(&NAME, b"Rosa");
    assert_eq!(refused, Err(KeyFault::Erased));
    assert_eq!(refused.map_err(|fault| fault.whose()), Err(Whose::Nobody));
}

#[tokio::test]
async fn everything_else_goes_on_opening() {
    let (clinic, _) = erased().await;
    let (other, _) = clinic.keys.draw_person(&"f".repeat(32)).expect("another person");
    let name = other.seal(&NAME, b"Li").expect("sealed");
    assert!(matches!(other.open(&NAME, &name), Ok(Opened::Value(_))));
    let url = clinic.keys.seal(&URL, b"https://").expect("sealed");
    assert!(clinic.keys.open(&URL, &url).is_ok());
}

#[tokio::test]
async fn a_person_who_comes_back_begins_anew() {
    let (mut clinic, old) = erased().await;
    let (_, row) = clinic.keys.rotate_person(&clinic.person).expect("a new key");
    clinic.person_rows.push(row);
    clinic.read_again().await;
    assert!(!clinic.person.is_erased());
    let new = clinic.person.seal(&NAME, b"Rosa").expect("sealed");
    assert!(matches!(clinic.person.open(&NAME, &new), Ok(Opened::Value(_))));
    assert_eq!(clinic.person.open(&NAME, &old), Ok(Opened::Erased));
    assert_eq!(clinic.person.reseal(&NAME, &old), Ok(None));
}

#[tokio::test]
async fn damage_is_not_taken_for_an_erasure() {
    let (clinic, name) = erased().await;
    assert!(clinic.person.open(&NAME, &name[..20]).is_err());
    assert!(clinic.person.open(&NAME, b"").is_err());
}
