//! What every kind of master key promises.

use std::{fs, sync::Arc};

use control_api::keys::{
    KeyFault, KeyMaterial, KeyName, KeyVersion, LocalMasterKeys, MasterFile, MasterKeyRing, MasterKeys,
    Place, Purpose, TenantKeys, Whose, Wrapped,
};

use crate::token::Token;

/// Each kind with one key, and each again with a newer key before that one.
async fn on_each(label: &str, test: impl AsyncFn(Arc<dyn MasterKeys>, Arc<dyn MasterKeys>)) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = MasterFile::at(folder.path().join("master-keys"));
    file.create().expect("a new file");
    let read = || LocalMasterKeys::from_file(file.path()).expect("master keys");
    let older = read();
    file.rotate().expect("a newer key");
    test(Arc::new(older), Arc::new(read())).await;

    let (token, older) = Token::with_keys(label, &["2025"]).await;
    let newer = token.keys(&["2026", "2025"]);
    newer.make(&newer.newest()).await.expect("a newer key");
    assert_eq!(newer.check().await, Ok(()));
    test(Arc::new(older), Arc::new(newer)).await;

    // From a file to a token.
    let (_, token) = Token::with_keys(&format!("{label}, moved to"), &["2026"]).await;
    let older: Arc<dyn MasterKeys> = Arc::new(read());
    let newer = MasterKeyRing::new(Arc::new(token), vec![older.clone()]);
    test(older, Arc::new(newer)).await;
}

fn name() -> KeyName {
    KeyName {
        tenant: "north".parse().expect("a tenant"),
        purpose: Purpose::Sealing,
        version: KeyVersion::FIRST,
    }
}

#[tokio::test]
async fn a_wrapped_key_unwraps_under_its_own_name_only() {
    on_each("names", async |master, _| {
        let key = KeyMaterial::draw();
        let wrapped = master.wrap(name(), &key).await.expect("wrapped");
        let same = master.unwrap(name(), &wrapped).await.expect("unwrapped");
        assert_eq!(same.reveal(), key.reveal());
        assert_ne!(master.wrap(name(), &key).await, Ok(wrapped.clone()), "never the same bytes");
        let others = [
            KeyName { tenant: "south".parse().expect("a tenant"), ..name() },
            KeyName { purpose: Purpose::Index, ..name() },
            KeyName { version: KeyVersion::new(2).expect("not zero"), ..name() },
        ];
        for other in others {
            let fault = master.unwrap(other, &wrapped).await.map(|_| ());
            assert_eq!(fault.map_err(|fault| fault.whose()), Err(Whose::Stored), "{other:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_changed_bit_of_a_wrapped_key_unwraps_nor_one_that_is_cut_or_longer() {
    on_each("bits", async |master, _| {
        let wrapped = master.wrap(name(), &KeyMaterial::draw()).await.expect("wrapped");
        let bytes = wrapped.bytes();
        let changed = (0..bytes.len() * 8).map(|bit| {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed
        });
        let cut = (1..bytes.len()).map(|length| bytes[..length].to_vec());
        for bad in changed.chain(cut).chain([[bytes, &[0]].concat()]) {
            let bad = Wrapped::new(master.newest(), bad).expect("a length that may be");
            let fault = master.unwrap(name(), &bad).await.map(|_| ()).expect_err("refused");
            assert_eq!(fault.whose(), Whose::Stored, "{fault}");
        }
        assert!(master.unwrap(name(), &wrapped).await.is_ok(), "the token is none the worse for it");
    })
    .await;
}

#[tokio::test]
async fn a_tenants_wrapped_keys_cannot_change_places() {
    on_each("places", async |master, _| {
        let (_, rows) = TenantKeys::draw(&*master, name().tenant).await.expect("a new tenant");
        let mut swapped = rows.clone();
        swapped[0].purpose = Purpose::Index;
        swapped[1].purpose = Purpose::Sealing;
        let mut renumbered = rows.clone();
        renumbered[0].version = KeyVersion::FIRST.next().expect("a version");
        for rows in [swapped, renumbered] {
            let fault = TenantKeys::unwrap(&*master, name().tenant, &rows).await.map(|_| ());
            assert!(matches!(fault, Err(KeyFault::NotAuthentic { .. })), "{fault:?}");
        }
        let south = "south".parse().expect("a tenant");
        let fault = TenantKeys::unwrap(&*master, south, &rows).await.map(|_| ());
        assert_eq!(fault, Err(KeyFault::NotAuthentic { what: "a tenant's sealing key".to_owned() }));
    })
    .await;
}

#[tokio::test]
async fn a_key_wrapped_by_a_master_that_is_gone_names_it() {
    on_each("gone", async |master, _| {
        let (_, rows) = TenantKeys::draw(&*master, name().tenant).await.expect("a new tenant");
        let other = LocalMasterKeys::ephemeral();
        let unknown = KeyFault::UnknownMaster { master: master.newest() };
        let fault = TenantKeys::unwrap(&other, name().tenant, &rows).await.map(|_| ());
        assert_eq!(fault, Err(unknown.clone()));
        let of_other = TenantKeys::draw(&other, name().tenant).await.expect("a new tenant").1;
        let fault = TenantKeys::unwrap(&*master, name().tenant, &of_other).await.map(|_| ());
        assert_eq!(fault, Err(KeyFault::UnknownMaster { master: other.newest() }));
        assert!(other.needs_rewrap(&rows[0].wrapped) && !master.needs_rewrap(&rows[0].wrapped));
    })
    .await;
}

#[tokio::test]
async fn a_newer_master_key_wraps_anew_what_the_older_one_wraps() {
    on_each("rotation", async |older, newer| {
        let tenant = name().tenant;
        let (keys, mut rows) = TenantKeys::draw(&*older, tenant).await.expect("a new tenant");
        let place = Place { tenant, table: "webhooks", row: "7", column: "url" };
        let sealed = keys.seal(&place, b"https://").expect("sealed");
        for row in &mut rows {
            let again = TenantKeys::rewrap(&*newer, tenant, row).await.expect("both are known");
            *row = again.expect("the older one wrapped it");
            assert_eq!(row.wrapped.master(), &newer.newest());
            assert_eq!(TenantKeys::rewrap(&*newer, tenant, row).await, Ok(None), "once is enough");
        }
        let keys = TenantKeys::unwrap(&*newer, tenant, &rows).await.expect("the tenant's rows");
        assert!(keys.open(&place, &sealed).is_ok());
        assert!(TenantKeys::unwrap(&*older, tenant, &rows).await.is_err(), "the older one is not needed");
    })
    .await;
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    on_each("printed", async |_, master| {
        let printed = format!("{master:?} {:?}", master.names());
        assert!(!printed.contains(crate::softhsm::PIN), "{printed}");
        let bytes_in_a_row = printed.split(", ").filter(|part| part.parse::<u8>().is_ok()).count();
        assert_eq!(bytes_in_a_row, 0, "{printed}");
    })
    .await;
}

#[tokio::test]
async fn a_ring_takes_up_other_keys_while_it_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = MasterFile::at(folder.path().join("master-keys"));
    file.create().expect("a new file");
    let local =
        || -> Arc<dyn MasterKeys> { Arc::new(LocalMasterKeys::from_file(file.path()).expect("a key")) };
    let (_, token) = Token::with_keys("ring", &["k"]).await;
    let token: Arc<dyn MasterKeys> = Arc::new(token);
    let ring = MasterKeyRing::new(local(), Vec::new());
    let key = KeyMaterial::draw();
    let by_file = ring.wrap(name(), &key).await.expect("wrapped");

    ring.replace(MasterKeyRing::new(token.clone(), vec![local()]));
    assert_eq!(ring.names(), [token.newest(), local().newest()]);
    let by_token = ring.wrap(name(), &key).await.expect("wrapped");
    assert_eq!(by_token.master(), &token.newest());
    for wrapped in [&by_file, &by_token] {
        assert_eq!(ring.unwrap(name(), wrapped).await.expect("unwrapped").reveal(), key.reveal());
    }

    fs::remove_file(file.path()).expect("the file goes");
    ring.replace(MasterKeyRing::new(token, Vec::new()));
    assert!(ring.unwrap(name(), &by_token).await.is_ok());
    let unknown = KeyFault::UnknownMaster { master: by_file.master().clone() };
    assert_eq!(ring.unwrap(name(), &by_file).await.map(|_| ()), Err(unknown));
}
