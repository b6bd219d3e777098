//! Nothing opens but what was sealed, where it was sealed.

use media_model::Pii;

use super::{Clinic, name_place, north, other_person, person, tenant, url_place};
use crate::{
    keys::{KeyFault, Opened, Place, TenantKeys, Whose, Wrapped},
    limits::SEALED_PLAINTEXT_BYTES_MAX,
};

/// Every way to change one byte, a bit at a time.
fn changes(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (bit, changed)
    })
}

fn elsewhere(place: Place<'static>) -> [Place<'static>; 7] {
    [
        Place { tenant: tenant("nort"), ..place },
        Place { table: "persons", ..place },
        Place { table: "", ..place },
        Place { row: "00000000000000000000000000000000", ..place },
        Place { row: "", ..place },
        Place { column: "contact", ..place },
        Place { column: "", ..place },
    ]
}

#[tokio::test]
async fn a_value_opens_in_its_own_place_only() {
    let clinic = Clinic::new("north").await;
    let name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    let url = clinic.keys.seal(&url_place(), b"https://").expect("sealed");
    assert_eq!(clinic.person.open(&name_place(), &name), Ok(Opened::Value(Pii::new(b"Rosa".to_vec()))));
    assert_eq!(clinic.keys.open(&url_place(), &url), Ok(Pii::new(b"https://".to_vec())));
    for place in elsewhere(name_place()) {
        assert!(clinic.person.open(&place, &name).is_err(), "{place:?}");
    }
    for place in elsewhere(url_place()) {
        assert!(clinic.keys.open(&place, &url).is_err(), "{place:?}");
    }
    let what = "people.contact".to_owned();
    let moved = clinic.person.open(&Place { column: "contact", ..name_place() }, &name);
    assert_eq!(moved, Err(KeyFault::NotAuthentic { what }));
}

#[tokio::test]
async fn parts_of_a_place_do_not_run_into_each_other() {
    let clinic = Clinic::new("north").await;
    let here = Place { tenant: tenant("north"), table: "chat", row: "12", column: "3text" };
    let sealed = clinic.keys.seal(&here, b"x").expect("sealed");
    assert!(clinic.keys.open(&here, &sealed).is_ok());
    assert!(clinic.keys.open(&Place { row: "123", column: "text", ..here }, &sealed).is_err());
    assert!(clinic.keys.open(&Place { table: "chat1", row: "2", ..here }, &sealed).is_err());
}

#[tokio::test]
async fn no_changed_bit_opens() {
    let clinic = Clinic::new("north").await;
    let name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    for (bit, changed) in changes(&name) {
        assert!(clinic.person.open(&name_place(), &changed).is_err(), "name, bit {bit}");
    }
    let url = clinic.keys.seal(&url_place(), b"https://").expect("sealed");
    for (bit, changed) in changes(&url) {
        assert!(clinic.keys.open(&url_place(), &changed).is_err(), "url, bit {bit}");
    }
    let row = &clinic.person_rows[0];
    for (bit, changed) in changes(row.wrapped.as_deref().expect("not erased")) {
        let mut row = row.clone();
        row.wrapped = Some(changed);
        assert!(clinic.keys.person(person(), &[row]).is_err(), "person's key, bit {bit}");
    }
    for (bit, changed) in changes(clinic.tenant_rows[0].wrapped.bytes()) {
        let mut rows = clinic.tenant_rows.clone();
        rows[0].wrapped = Wrapped::new(rows[0].wrapped.master().clone(), changed).expect("as long");
        assert!(
            TenantKeys::unwrap(&*clinic.master, north(), &rows).await.is_err(),
            "tenant's key, bit {bit}"
        );
    }
}

#[tokio::test]
async fn nothing_opens_that_was_cut_or_made_longer() {
    let clinic = Clinic::new("north").await;
    let mut name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    for length in 0..name.len() {
        assert!(clinic.person.open(&name_place(), &name[..length]).is_err(), "{length}");
    }
    name.push(0);
    assert!(clinic.person.open(&name_place(), &name).is_err());
}

#[tokio::test]
async fn one_kind_of_sealed_bytes_is_never_taken_for_another() {
    let clinic = Clinic::new("north").await;
    let name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    let by_tenant = clinic.keys.seal(&name_place(), b"Rosa").expect("sealed");
    assert!(matches!(clinic.keys.open(&name_place(), &name), Err(KeyFault::Malformed { .. })));
    assert!(matches!(clinic.person.open(&name_place(), &by_tenant), Err(KeyFault::Malformed { .. })));
    let relabelled = |kind: u8, bytes: &[u8]| [&bytes[..1], &[kind], &bytes[2..]].concat();
    assert!(matches!(
        clinic.keys.open(&name_place(), &relabelled(1, &name)),
        Err(KeyFault::NotAuthentic { .. })
    ));
    let row = &clinic.person_rows[0];
    let key_as_value = relabelled(1, row.wrapped.as_deref().expect("not erased"));
    assert!(matches!(clinic.keys.open(&name_place(), &key_as_value), Err(KeyFault::NotAuthentic { .. })));
}

#[tokio::test]
async fn one_persons_value_and_key_say_nothing_under_anothers() {
    let clinic = Clinic::new("north").await;
    let (other, other_row) = clinic.keys.draw_person(other_person()).expect("another person");
    let name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    assert!(matches!(other.open(&name_place(), &name), Err(KeyFault::NotAuthentic { .. })));
    let swapped = clinic.keys.person(person(), &[other_row]).map(|_| ());
    assert_eq!(swapped, Err(KeyFault::NotAuthentic { what: "a person's wrapped key".to_owned() }));
    let mut later = clinic.person_rows[0].clone();
    later.version = later.version.next().expect("a version");
    assert!(matches!(clinic.keys.person(person(), &[later]), Err(KeyFault::NotAuthentic { .. })));
}

#[tokio::test]
async fn one_tenants_keys_are_no_use_to_another() {
    let (north, south) = (Clinic::new("north").await, Clinic::new("south").await);
    let url = north.keys.seal(&url_place(), b"https://").expect("sealed");
    assert_eq!(south.keys.open(&url_place(), &url), Err(KeyFault::ForeignTenant));
    assert_eq!(south.keys.seal(&url_place(), b"https://"), Err(KeyFault::ForeignTenant));
    assert_eq!(south.person.open(&name_place(), &[]), Err(KeyFault::ForeignTenant));
    assert_eq!(south.person.seal(&name_place(), b"Rosa"), Err(KeyFault::ForeignTenant));
    assert_eq!(south.keys.rotate_person(&north.person).map(|_| ()), Err(KeyFault::ForeignTenant));
    let there = Place { tenant: tenant("south"), ..url_place() };
    assert!(matches!(south.keys.open(&there, &url), Err(KeyFault::NotAuthentic { .. })));
    assert!(matches!(south.keys.person(person(), &north.person_rows), Err(KeyFault::NotAuthentic { .. })));
    // Under one master, too, where only the name is another.
    let taken = TenantKeys::unwrap(&*north.master, tenant("south"), &north.tenant_rows).await.map(|_| ());
    assert_eq!(taken, Err(KeyFault::NotAuthentic { what: "a tenant's sealing key".to_owned() }));
}

#[tokio::test]
async fn missing_and_doubled_rows_are_told_apart_from_damage() {
    let clinic = Clinic::new("north").await;
    let unwrap = async |rows: Vec<_>| TenantKeys::unwrap(&*clinic.master, north(), &rows).await.map(|_| ());
    let [sealing, index] = [&clinic.tenant_rows[0], &clinic.tenant_rows[1]].map(Clone::clone);
    for rows in [vec![], vec![sealing.clone()], vec![index.clone()]] {
        let fault = unwrap(rows).await.expect_err("keys are missing");
        assert_eq!(fault.whose(), Whose::Missing, "{fault}");
    }
    for twice in [&sealing, &index] {
        let fault = unwrap(vec![sealing.clone(), index.clone(), twice.clone()]).await;
        assert_eq!(fault, Err(KeyFault::Malformed { what: "the list of a tenant's keys" }));
    }
    let row = &clinic.person_rows[0];
    let fault = clinic.keys.person(person(), &[row.clone(), row.clone()]).map(|_| ());
    assert_eq!(fault, Err(KeyFault::Malformed { what: "the list of a person's keys" }));
    let nobody = clinic.keys.person(person(), &[]).expect("no rows");
    assert_eq!(nobody.seal(&name_place(), b"Rosa").map_err(|f| f.whose()), Err(Whose::Missing));
}

#[tokio::test]
async fn a_length_says_little_and_too_long_is_refused() {
    let clinic = Clinic::new("north").await;
    let length = |value: &str| clinic.person.seal(&name_place(), value.as_bytes()).map(|sealed| sealed.len());
    assert_eq!(length("Li"), length("Maria Magdalena von Hohenfels-Zollern"));
    let longest = vec![b'x'; SEALED_PLAINTEXT_BYTES_MAX];
    let sealed = clinic.person.seal(&name_place(), &longest).expect("as long as may be");
    assert_eq!(clinic.person.open(&name_place(), &sealed), Ok(Opened::Value(Pii::new(longest))));
    let bytes = SEALED_PLAINTEXT_BYTES_MAX + 1;
    assert_eq!(clinic.person.seal(&name_place(), &vec![b'x'; bytes]), Err(KeyFault::TooLong { bytes }));
}

#[tokio::test]
async fn nothing_secret_or_personal_is_printed() {
    let clinic = Clinic::new("north").await;
    let sealed = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    let opened = clinic.person.open_text(&name_place(), &sealed);
    let printed = format!("{:?} {:?} {:?} {opened:?}", clinic.master, clinic.keys, clinic.person);
    assert!(printed.contains("[redacted]") && !printed.contains("Rosa"), "{printed}");
    let bytes_in_a_row = printed.split(", ").filter(|part| part.parse::<u8>().is_ok()).count();
    assert_eq!(bytes_in_a_row, 0, "{printed}");
}
