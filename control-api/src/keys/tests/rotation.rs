//! Keys change while everything that was sealed before goes on opening.

use std::{fs, sync::Arc};

use super::{Clinic, name_place, north, person, url_place};
use crate::keys::{
    KeyFault, KeyVersion, LocalMasterKeys, MasterFile, MasterKeys, Opened, Purpose, TenantKeys, Whose,
};

fn revealed(opened: Result<Opened<String>, KeyFault>) -> Option<String> {
    opened.expect("it opens").value().map(|value| value.into_revealed())
}

#[tokio::test]
async fn a_master_key_rotates_without_anyone_losing_sight() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = MasterFile::at(folder.path().join("master-keys"));
    file.create().expect("a new file");
    let read = || Arc::new(LocalMasterKeys::from_file(file.path()).expect("a master key"));
    let master = read();
    let (old, first) = (master.newest(), fs::read_to_string(file.path()).expect("the file"));
    let mut clinic = Clinic::under(master, "north").await;
    let sealed = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");

    file.rotate().expect("a second key");
    clinic.master = read();
    assert_eq!(clinic.master.names().len(), 2);
    assert_ne!(clinic.master.newest(), old);
    clinic.read_again().await;
    assert_eq!(revealed(clinic.person.open_text(&name_place(), &sealed)), Some("Rosa".to_owned()));

    for row in &mut clinic.tenant_rows {
        assert!(clinic.master.needs_rewrap(&row.wrapped));
        let again = TenantKeys::rewrap(&*clinic.master, north(), row).await.expect("both are known");
        *row = again.expect("the old one wrapped it");
        assert!(!clinic.master.needs_rewrap(&row.wrapped));
        assert_eq!(TenantKeys::rewrap(&*clinic.master, north(), row).await, Ok(None));
    }

    let text = fs::read_to_string(file.path()).expect("the file");
    let old_line = first.lines().find(|line| line.starts_with("consilium_")).expect("the first key");
    fs::write(file.path(), text.replace(old_line, "")).expect("the old key is taken out");
    clinic.master = read();
    assert_eq!(clinic.master.names().len(), 1);
    clinic.read_again().await;
    assert_eq!(revealed(clinic.person.open_text(&name_place(), &sealed)), Some("Rosa".to_owned()));
}

#[tokio::test]
async fn a_sealing_key_rotates_and_older_values_open() {
    let mut clinic = Clinic::new("north").await;
    let (url, name) = (clinic.keys.seal(&url_place(), b"old"), clinic.person.seal(&name_place(), b"Rosa"));
    let (url, name) = (url.expect("sealed"), name.expect("sealed"));
    let hash = clinic.keys.index().of("person", "4711");
    let before = clinic.keys.clone();

    let (keys, row) = clinic.keys.rotate(&*clinic.master).await.expect("a second key");
    clinic.keys = keys;
    clinic.tenant_rows.push(row);
    let newer = clinic.keys.seal(&url_place(), b"new").expect("sealed");
    let fault = before.open(&url_place(), &newer).map(|_| ());
    let version = KeyVersion::new(2).expect("not zero");
    assert_eq!(fault, Err(KeyFault::UnknownVersion { whose: "the tenant's sealing key", version }));

    clinic.tenant_rows.reverse();
    clinic.read_again().await;
    assert_eq!(clinic.keys.open_text(&url_place(), &url).map(|t| t.into_revealed()), Ok("old".to_owned()));
    assert_eq!(clinic.keys.open_text(&url_place(), &newer).map(|t| t.into_revealed()), Ok("new".to_owned()));
    assert_eq!(revealed(clinic.person.open_text(&name_place(), &name)), Some("Rosa".to_owned()));
    assert_eq!(clinic.keys.index().of("person", "4711"), hash, "the index key stays");
}

#[tokio::test]
async fn an_old_sealing_key_can_go_once_nothing_is_left_under_it() {
    let mut clinic = Clinic::new("north").await;
    let url = clinic.keys.seal(&url_place(), b"old").expect("sealed");
    let name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    let (keys, row) = clinic.keys.rotate(&*clinic.master).await.expect("a second key");
    clinic.keys = keys;
    clinic.tenant_rows.push(row);

    let url = clinic.keys.reseal(&url_place(), &url).expect("it opens").expect("it was under the old key");
    assert_eq!(clinic.keys.reseal(&url_place(), &url), Ok(None));
    let row = clinic.keys.rewrap_person(person(), &clinic.person_rows[0]).expect("it unwraps");
    clinic.person_rows = vec![row.expect("it was under the old key")];
    assert_eq!(clinic.keys.rewrap_person(person(), &clinic.person_rows[0]), Ok(None));

    clinic.tenant_rows.retain(|row| row.purpose == Purpose::Index || row.version > KeyVersion::FIRST);
    clinic.read_again().await;
    assert_eq!(clinic.keys.open_text(&url_place(), &url).map(|t| t.into_revealed()), Ok("old".to_owned()));
    assert_eq!(revealed(clinic.person.open_text(&name_place(), &name)), Some("Rosa".to_owned()));
}

#[tokio::test]
async fn a_persons_key_rotates_and_older_values_open() {
    let mut clinic = Clinic::new("north").await;
    let name = clinic.person.seal(&name_place(), b"Rosa").expect("sealed");
    let (person, row) = clinic.keys.rotate_person(&clinic.person).expect("a second key");
    assert_eq!(row.version, KeyVersion::new(2).expect("not zero"));
    clinic.person = person;
    clinic.person_rows.insert(0, row);
    clinic.read_again().await;
    assert_eq!(revealed(clinic.person.open_text(&name_place(), &name)), Some("Rosa".to_owned()));
    let again =
        clinic.person.reseal(&name_place(), &name).expect("it opens").expect("it was under the old key");
    assert_eq!(clinic.person.reseal(&name_place(), &again), Ok(None));
    clinic.person_rows.truncate(1);
    clinic.read_again().await;
    assert_eq!(revealed(clinic.person.open_text(&name_place(), &again)), Some("Rosa".to_owned()));
    let lost = clinic.person.open(&name_place(), &name).map_err(|fault| fault.whose());
    assert_eq!(lost, Err(Whose::Missing), "a version that is not there was lost, not erased");
}
