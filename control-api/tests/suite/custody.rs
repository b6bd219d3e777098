//! Keys change while the service runs, and who was erased stays erased.

use std::{io::Write as _, path::Path, sync::Arc};

use axum::http::StatusCode;
use control_api::{
    ControlApi, Database, Renewed, ReplayError, Store, StoreError,
    keys::{KeyFault, LocalMasterKeys, MasterFile, MasterKeyRing, MasterKeys},
};
use serde_json::{Value, json};
use signaling_protocol::ticket::TicketSigner;

use crate::support::{Fixture, Kept, on_both, tenant};

const EXTERNAL_ID: &str = "ehr-4711-0815-2342";

async fn registered(f: &Fixture, external_id: &str) -> String {
    let (status, person) = f.post("/v1/people", json!({"external_id": external_id})).await;
    assert_eq!(status, StatusCode::OK, "{person}");
    format!("/v1/people/{}", person["id"].as_str().expect("an id"))
}

async fn external_id(f: &Fixture, path: &str) -> Value {
    let (status, person) = f.send("GET", path, &f.key, String::new()).await;
    assert_eq!(status, StatusCode::OK, "{person}");
    person["external_id"].clone()
}

/// The rules of a process that was started with these master keys.
async fn process(database: &Database, master: &Arc<MasterKeyRing>) -> ControlApi {
    let store = Store::open(database).await.expect("the database");
    let signer = TicketSigner::generate().expect("a key");
    ControlApi::new(store, signer, Arc::new(crate::support::Orders::default()), master.clone())
}

/// The wrapped keys of all people, by what the database's owner sees.
async fn wrapped_keys(f: &Fixture) -> Vec<Vec<u8>> {
    let all = sqlx::query_scalar("SELECT wrapped FROM person_keys WHERE wrapped IS NOT NULL");
    all.fetch_all(&f.raw().await).await.expect("rows")
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn a_master_key_is_changed_while_two_processes_run() {
    on_both(async |f| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = MasterFile::at(folder.path().join("master.keys"));
        file.create().expect("a new file");
        let read = || {
            let keys = LocalMasterKeys::from_file(file.path()).expect("a key");
            MasterKeyRing::new(Arc::new(keys), Vec::new())
        };
        let [one, other] = [(); 2].map(|()| Arc::new(read()));
        let (first, second) = (process(&f.database(), &one).await, process(&f.database(), &other).await);
        first.create_tenant(tenant("north")).await.expect("a tenant");
        let old = one.names();
        file.rotate().expect("a new key");
        one.replace(read());
        // Of the tenant `clinic` this process has no master key: that is reported, and holds up nobody.
        let renewed = first.renew_keys().await.expect("the store works");
        assert_eq!(renewed, Renewed { of_tenants: 2, of_people: 0 });
        assert_eq!(first.renew_keys().await.expect("the store works"), Renewed::default(), "once is enough");
        assert!(second.rotate_tenant_key(tenant("north")).await.is_err(), "that one was not told yet");
        other.replace(read());
        second.rotate_tenant_key(tenant("north")).await.expect("it knows the new key now");
        let in_use = first.master_keys_in_use().await.expect("the store works");
        assert_eq!(in_use.get(&one.names()[0]), Some(&3), "{in_use:?}");
        assert_eq!(file.retire(|name| !in_use.contains_key(name)), Ok(old), "it wraps nothing any more");
        one.replace(read());
        assert_eq!(one.names().len(), 1);
        second.rotate_tenant_key(tenant("north")).await.expect("the newest key is enough");
    })
    .await;
}

#[tokio::test]
async fn a_tenants_key_is_changed_under_a_process_that_does_not_know() {
    on_both(async |f| {
        let other = f.another_process().await;
        let path = registered(&f, EXTERNAL_ID).await;
        let before = wrapped_keys(&f).await;
        let renewed = other.rotate_tenant_key(tenant("clinic")).await.expect("the store works");
        assert_eq!(renewed, Renewed { of_tenants: 0, of_people: 1 });
        let after = wrapped_keys(&f).await;
        assert!(before.len() == 1 && before != after, "wrapped anew");
        // This process has the old keys in memory: it reads them again when it meets the new one.
        assert_eq!(external_id(&f, &path).await, json!(EXTERNAL_ID));
        assert_eq!(registered(&f, EXTERNAL_ID).await, path, "found as before");
    })
    .await;
}

#[tokio::test]
async fn no_byte_of_the_database_opens_a_person_who_was_erased() {
    on_both(async |f| {
        let path = registered(&f, EXTERNAL_ID).await;
        registered(&f, "ehr-who-stays").await;
        let keys = wrapped_keys(&f).await;
        let in_bytes = |bytes: &[u8]| keys.iter().filter(|key| holds(bytes, key)).count();
        if matches!(f.kept, Kept::Sqlite(_)) {
            assert_eq!(in_bytes(&f.all_bytes().await), 2, "the test looks in the right place");
        }
        assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        let bytes = f.all_bytes().await;
        assert!(!holds(&bytes, EXTERNAL_ID.as_bytes()));
        match f.kept {
            // Database, write-ahead log and index of it.
            Kept::Sqlite(_) => assert_eq!(in_bytes(&bytes), 1, "the other one's"),
            Kept::Postgres(_) => assert_eq!(wrapped_keys(&f).await.len(), 1),
        }
        let head = f.api.seal(tenant("clinic")).await.expect("the audit log goes on");
        assert_eq!(head.seq, 5, "the tenant, its client, two people, one erased");
    })
    .await;
}

/// A fixture whose erasures go to a list.
fn listing(mut f: Fixture, list: &Path) -> Fixture {
    f.api = f.api.listing_erasures(list.to_owned());
    f.router = f.api.router();
    f
}

#[tokio::test]
async fn who_was_erased_is_erased_again_after_a_restore() {
    on_both(async |f| {
        let folder = tempfile::tempdir().expect("a folder");
        let list = folder.path().join("erasures");
        let f = listing(f, &list);
        let (gone, stays) = (registered(&f, EXTERNAL_ID).await, registered(&f, "ehr-who-stays").await);
        let raw = f.raw().await;
        for copy in ["people", "person_keys"] {
            let copied = format!("CREATE TABLE copy_of_{copy} AS SELECT * FROM {copy}");
            sqlx::query(sqlx::AssertSqlSafe(copied)).execute(&raw).await.expect("a backup");
        }
        assert_eq!(f.send("DELETE", &gone, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        assert_eq!(f.api.replay_erasures().await.expect("a good list"), 0, "nothing is to be done");
        for restored in [
            "UPDATE people SET (external_hash, erased_at) =
                 (SELECT c.external_hash, c.erased_at FROM copy_of_people c WHERE c.id = people.id)",
            "UPDATE person_keys SET wrapped =
                 (SELECT c.wrapped FROM copy_of_person_keys c WHERE c.person = person_keys.person)",
        ] {
            sqlx::query(restored).execute(&raw).await.expect("a restore");
        }
        assert_eq!(external_id(&f, &gone).await, json!(EXTERNAL_ID), "the restore brings them back");
        assert_eq!(f.api.replay_erasures().await.expect("a good list"), 1);
        assert_eq!(f.api.replay_erasures().await.expect("a good list"), 0, "once is enough");
        assert_eq!(external_id(&f, &gone).await, Value::Null);
        assert_eq!(external_id(&f, &stays).await, json!("ehr-who-stays"));
        let replayed = f.audit().await.into_iter().filter(|(_, action, ..)| action == "person_erased");
        assert_eq!(
            replayed.map(|(.., actor)| actor).collect::<Vec<_>>().last().map(String::as_str),
            Some("server")
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_is_erased_who_cannot_be_listed_and_a_damaged_list_stops_the_start() {
    on_both(async |f| {
        let folder = tempfile::tempdir().expect("a folder");
        let f = listing(f, &folder.path().join("not there/erasures"));
        let path = registered(&f, EXTERNAL_ID).await;
        let (status, _) = f.send("DELETE", &path, &f.key, String::new()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(external_id(&f, &path).await, json!(EXTERNAL_ID));
        let list = folder.path().join("erasures");
        std::fs::File::create(&list)
            .and_then(|mut file| file.write_all(b"{\"tenant\""))
            .expect("a cut-off list");
        let f = listing(f, &list);
        let fault = f.api.replay_erasures().await;
        assert!(
            matches!(fault, Err(ReplayError::List { fault: KeyFault::MalformedLine { line: 1 }, .. })),
            "{fault:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_hundred_who_read_at_once_each_have_an_entry_before_they_are_answered() {
    on_both(async |f| {
        let path = registered(&f, EXTERNAL_ID).await;
        let reads = (0..100).map(|_| external_id(&f, &path));
        let read = futures_util::future::join_all(reads).await;
        assert!(read.iter().all(|id| *id == json!(EXTERNAL_ID)));
        let entries = f.audit().await.into_iter().filter(|(_, action, ..)| action == "person_read").count();
        assert_eq!(entries, 100);
        let store: Result<_, StoreError> = f.api.seal(tenant("clinic")).await;
        assert_eq!(store.expect("sealed").seq, 103);
    })
    .await;
}

#[tokio::test]
async fn a_read_whose_entry_is_not_kept_is_not_answered() {
    on_both(async |f| {
        let path = registered(&f, EXTERNAL_ID).await;
        let away = sqlx::query("ALTER TABLE audit_pending RENAME TO away").execute(&f.raw().await).await;
        away.expect("the owner may");
        let (status, answer) = f.send("GET", &path, &f.key, String::new()).await;
        assert_eq!((status, &answer["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("store_unavailable")));
    })
    .await;
}
