//! Whoever owns the database changes the audit log by SQL: it is found and named, on both databases.

use std::{collections::BTreeMap, path::PathBuf};

use control_api::{
    Verified,
    audit::{CheckpointKeys, CheckpointSigner, Head},
    verify,
};
use serde_json::json;

use crate::support::{Fixture, on_both, tenant};

/// A log of twenty entries or more, sealed, with its last place signed outside the database.
struct Log {
    f: Fixture,
    signer: CheckpointSigner,
    anchor: PathBuf,
    _folder: tempfile::TempDir,
    head: Head,
}

impl Log {
    async fn of(f: Fixture) -> Self {
        for _ in 0..20 {
            f.consult(json!({})).await;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let signer = CheckpointSigner::generate().expect("a key");
        let head = f.api.seal(tenant("clinic")).await.expect("sealed");
        let mut log = Self { f, signer, anchor: folder.path().join("anchor"), _folder: folder, head };
        log.sign().await;
        log
    }

    async fn sign(&mut self) {
        let mut signed = BTreeMap::new();
        let lines = self.f.api.checkpoints(&self.signer, &mut signed).await.expect("the store works");
        std::fs::write(&self.anchor, lines.join("\n")).expect("a file");
    }

    async fn verified(&self) -> Verified {
        let keys = CheckpointKeys::parse(&self.signer.public_line()).expect("a key");
        verify(&self.f.database(), &keys, &self.anchor).await.expect("the log can be read")
    }

    async fn findings(&self) -> Vec<String> {
        self.verified().await.findings().map(|(whose, finding)| format!("{whose}: {finding}")).collect()
    }

    /// Changes the tables with the rules switched off, as their owner can.
    async fn tamper(&self, statements: &[&str]) {
        let mut connection = self.f.raw().await.acquire().await.expect("a connection").detach();
        self.f.lift_the_rules(&mut connection).await;
        for statement in statements {
            let done =
                sqlx::raw_sql(sqlx::AssertSqlSafe((*statement).to_owned())).execute(&mut connection).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_genuine_log_verifies_and_goes_on_verifying_after_an_erasure() {
    on_both(async |f| {
        let mut log = Log::of(f).await;
        assert_eq!(log.findings().await, Vec::<String>::new());
        assert_eq!(log.head.seq, 22, "the tenant, its client, and twenty consults");
        let (_, person) = log.f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
        let path = format!("/v1/people/{}", person["id"].as_str().expect("an id"));
        log.f.send("DELETE", &path, &log.f.key, String::new()).await;
        let before = log.verified().await;
        let unsealed: u64 = before.chains.iter().map(|(_, report)| report.unsealed.count).sum();
        assert_eq!((before.is_clean(), unsealed), (true, 2), "what waits is said, and not yet a fault");
        log.f.api.seal(tenant("clinic")).await.expect("sealed");
        log.sign().await;
        let after = log.verified().await;
        let entries: u64 = after.chains.iter().map(|(_, report)| report.entries).sum();
        assert_eq!((after.is_clean(), entries), (true, 24));
    })
    .await;
}

#[tokio::test]
async fn what_was_changed_before_it_was_sealed_is_named_too() {
    on_both(async |f| {
        let mut log = Log::of(f).await;
        log.f.consult(json!({})).await;
        let newest = "(SELECT max(entry) FROM audit_pending WHERE tenant = 'clinic')";
        log.tamper(&[&format!("UPDATE audit SET actor = 'api_client:other' WHERE entry = {newest}")]).await;
        log.f.api.seal(tenant("clinic")).await.expect("sealed as it was written");
        log.sign().await;
        assert_eq!(log.findings().await, ["clinic: changed: entry 23"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_changed_deleted_moved_or_cut_off_is_named() {
    let cases: [(&[&str], &str); 5] = [
        (
            &[
                "UPDATE audit SET actor = 'api_client:other' WHERE entry = (SELECT entry FROM audit_links WHERE tenant = 'clinic' AND seq = 7)",
            ],
            "clinic: changed: entry 7",
        ),
        (
            &[
                "DELETE FROM audit WHERE entry = (SELECT entry FROM audit_links WHERE tenant = 'clinic' AND seq = 9)",
            ],
            "clinic: missing: entry 9",
        ),
        (
            &["DELETE FROM audit_links WHERE tenant = 'clinic' AND seq IN (4, 5)"],
            "clinic: missing: entries 4 to 5",
        ),
        (
            &[
                "UPDATE audit_links SET seq = -1 WHERE tenant = 'clinic' AND seq = 11",
                "UPDATE audit_links SET seq = 11 WHERE tenant = 'clinic' AND seq = 12",
                "UPDATE audit_links SET seq = 12 WHERE tenant = 'clinic' AND seq = -1",
            ],
            "clinic: re-ordered: entries 11 to 12",
        ),
        (
            &["DELETE FROM audit_links WHERE tenant = 'clinic' AND seq > 18"],
            "clinic: cut off: entries 19 to 22",
        ),
    ];
    for (statements, named) in cases {
        on_both(async |f| {
            let log = Log::of(f).await;
            log.tamper(statements).await;
            let findings = log.findings().await;
            assert!(findings.iter().any(|finding| finding.starts_with(named)), "{named}: {findings:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_log_that_vanished_with_its_tenant_is_missed() {
    on_both(async |f| {
        let log = Log::of(f).await;
        log.tamper(&[
            "DELETE FROM audit_links WHERE tenant = 'clinic'",
            "DELETE FROM audit WHERE tenant = 'clinic'",
        ])
        .await;
        assert_eq!(log.findings().await, ["clinic: cut off: entries 1 to 22 and what followed"]);
    })
    .await;
}

#[tokio::test]
async fn two_processes_that_write_and_seal_at_once_leave_one_chain() {
    let f = Fixture::postgres().await;
    let other = f.another_process().await;
    let work = |api: control_api::ControlApi, router: axum::Router, key: String| async move {
        for _ in 0..40 {
            let request = crate::support::request("POST", "/v1/consults", &key, "{}".into());
            let answer = tower::ServiceExt::oneshot(router.clone(), request).await.expect("an answer");
            assert_eq!(answer.status(), axum::http::StatusCode::CREATED);
            // The slower of two is refused its number and tries again later.
            let _ = api.seal(tenant("clinic")).await;
        }
    };
    let routers = [f.router.clone(), other.router()];
    let [one, two] = routers;
    let both = (work(f.api.clone(), one, f.key.clone()), work(other.clone(), two, f.key.clone()));
    tokio::join!(tokio::spawn(both.0), tokio::spawn(both.1)).0.expect("no panic");
    let log = Log::of(f).await;
    let verified = log.verified().await;
    assert!(verified.is_clean(), "{:?}", verified.findings().collect::<Vec<_>>());
    assert_eq!(log.head.seq, 2 + 80 + 20);
}
