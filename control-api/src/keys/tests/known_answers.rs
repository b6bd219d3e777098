//! Bytes on disk that have to be read for ever. They were made by another implementation (Python's `hmac` and
//! `cryptography`) from the description in `envelope.rs`; if one of these tests fails, the format byte has to change,
//! and the old format has to go on opening.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{name_place, north, person, url_place};
use crate::keys::{
    KeyVersion, LocalMasterKeys, MasterKeys, Opened, PersonKeys, Purpose, StoredPersonKey, StoredTenantKey,
    TenantKeys, Wrapped,
};

/// The bytes 0 to 31.
const MASTER: &str = "consilium_master_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const MASTER_NAME: &str = "local:37272cfe2a2f7230";
/// The bytes 32 to 63, version 2.
const SEALING: &str = "010400000002010101010101010101010101af80e972189d4ccf9be55a2838be477757e4c49a68a446ec615630001724\
                       fe3dff16d0cd6d5bd09da86e6ee39d800b95";
/// The bytes 64 to 95, version 1.
const INDEX: &str = "010400000001020202020202020202020202cf6376c9e87870e375afbe37cb4f4d81bd27ace55f40b4cde9f8d45d80ec\
                     5690db90f836414b0ef94aa1ed3dd03b7959";
/// The bytes 96 to 127, version 3.
const PERSON_KEY: &str = "0103000000020303030303030303030303037d90dfc9ce96f70e096c9c75b3d790a93affe03f9f341813278fbc06ee89\
                          b060ed480dc03c9027a8721a9b5711c59605";
const SEALED_NAME: &str = "010200000003040404040404040404040404ab2b4c052dd632c0736d528387aaebb512c32ed6d773ba5c970b7e832365\
                           87e6764f0cc736e0faa0c9e2916b1b4d86ff885908d74ede34235a4c54f84d71ae2d77418a85906e63482be148dd604b\
                           ea5a";
const SEALED_URL: &str = "0101000000020505050505050505050505053f979a65d9d488b2288945109b4b5bc7bb2aec011966e089d0c568588fdb\
                          fa5df6535a5adb4cdd6e8bf7d063338a092c372822e40960254d3439ef44e4f3947394a9cc9bb3c06e8dff6ce6ac6ca3\
                          53b723749a0087a49c65859a125500d9e5f11e384fde3682092f0c5fbe5ad7c57eaf14c35b655eb7bafd";
const HASH: &str = "359d28cfcf799f8faa64637c18eaa96e6f977dd7023d4cc04fe09e4678a381c4";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits.map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal")).collect()
}

async fn keys() -> (TenantKeys, PersonKeys) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("master-keys");
    fs::write(&path, MASTER).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    let master = LocalMasterKeys::from_file(&path).expect("a master key");
    assert_eq!(master.newest().as_str(), MASTER_NAME);
    let row = |purpose, version, wrapped| StoredTenantKey {
        purpose,
        version: KeyVersion::new(version).expect("not zero"),
        wrapped: Wrapped::new(master.newest(), bytes(wrapped)).expect("short enough"),
    };
    let rows = [row(Purpose::Sealing, 2, SEALING), row(Purpose::Index, 1, INDEX)];
    let keys = TenantKeys::unwrap(&master, north(), &rows).await.expect("the tenant's keys");
    let row =
        StoredPersonKey { version: KeyVersion::new(3).expect("not zero"), wrapped: Some(bytes(PERSON_KEY)) };
    let person = keys.person(person(), &[row]).expect("the person's key");
    (keys, person)
}

#[tokio::test]
async fn what_was_sealed_years_ago_opens() {
    let (keys, person) = keys().await;
    let name = person.open_text(&name_place(), &bytes(SEALED_NAME)).expect("a sealed name");
    assert_eq!(name.value().map(|name| name.into_revealed()), Some("Zoë Ångström".to_owned()));
    let url = keys.open_text(&url_place(), &bytes(SEALED_URL)).expect("a sealed URL");
    assert_eq!(*url.reveal(), format!("https://example.org/{}", "x".repeat(80)));
}

#[tokio::test]
async fn what_was_indexed_years_ago_is_found() {
    let (keys, _) = keys().await;
    assert_eq!(keys.index().of("person", "4711").to_vec(), bytes(HASH));
}

#[tokio::test]
async fn what_is_sealed_now_has_the_same_form() {
    let (keys, person) = keys().await;
    let (known, now) =
        (bytes(SEALED_NAME), person.seal(&name_place(), "Zoë Ångström".as_bytes()).expect("sealed"));
    assert_eq!((now.len(), &now[..6]), (known.len(), &known[..6]));
    assert!(matches!(person.open_text(&name_place(), &now), Ok(Opened::Value(_))));
    let url = format!("https://example.org/{}", "x".repeat(80));
    let (known, now) = (bytes(SEALED_URL), keys.seal(&url_place(), url.as_bytes()).expect("sealed"));
    assert_eq!((now.len(), &now[..6]), (known.len(), &known[..6]));
}
