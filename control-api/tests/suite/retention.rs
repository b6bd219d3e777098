//! The beginning of an audit log goes when its time has come, announced and in whole months, and nothing else does.

use axum::body::to_bytes;
use control_api::{
    Database, HoldReason, RetainError, Retained, RetentionMonths,
    audit::{CheckpointSigner, Head, Kind, Statement},
    back_up_sqlite, line_file,
    permissions::Scopes,
    restore_sqlite, verify,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    audit_log::stored,
    support::{
        Fixture,
        old_log::{Log, dropped, now_ms},
        on_both, request, tenant,
    },
};

#[tokio::test]
async fn what_is_older_than_six_years_goes_announced_and_the_rest_verifies() {
    on_both(async |f| {
        let log = Log::of(f).await;
        log.grown("old").await;
        let tried = log.retain("old", true, false).await.expect("retention runs");
        assert_eq!(tried, Retained::Dropped { up_to: 10, entries: None });
        assert_eq!((log.seqs("old").await.len(), log.statements()), (15, 0), "nothing was done");
        assert_eq!(log.retained("old").await, dropped(10, 10));
        assert_eq!(log.seqs("old").await, [11, 12, 13, 14, 15]);
        assert_eq!(log.statements(), 1);
        let (told, entries) = log.told("old").await;
        assert_eq!((told.len(), entries), (1, 6), "the entries went as well");
        assert!(told[0].starts_with("up_to:10:before:20"), "{told:?}");
        assert_eq!(log.findings().await, Vec::<String>::new());
        assert_eq!(log.seal("old").await.seq, 16, "the chain goes on");
        assert_eq!(log.retained("old").await, Retained::Nothing);
        assert_eq!(log.retained("clinic").await, Retained::Nothing, "of now");
        assert_eq!(log.findings().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn many_entries_go_in_several_transactions_and_the_last_link_stays() {
    on_both(async |f| {
        let log = Log::of(f).await;
        log.tenant_of_old("old").await;
        log.write("old", 85, 1_201).await;
        assert_eq!(log.sign("old", 84).await.seq, 1_201);
        assert_eq!(log.retained("old").await, dropped(1_200, 1_200));
        assert_eq!(log.seqs("old").await, [1_201]);
        assert_eq!(log.told("old").await.0.len(), 1);
        assert_eq!(log.seal("old").await.seq, 1_202, "the chain goes on from it");
        assert_eq!(log.retained("old").await, dropped(1_201, 1));
        assert_eq!(log.findings().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_log_that_is_held_goes_until_it_is_released() {
    on_both(async |f| {
        let log = Log::of(f).await;
        log.grown("old").await;
        log.grown("other").await;
        let reason = HoldReason::parse("Doe v. Clinic, 26-cv-104").expect("a reason");
        log.f.api.hold_from_shell(tenant("old"), &reason).await.expect("held");
        assert_eq!(log.retained("old").await, Retained::Held);
        assert_eq!(log.retained("system").await, Retained::Held, "what the shell did about it stays as well");
        assert_eq!((log.seqs("old").await.len(), log.statements()), (15, 1));
        assert_eq!(log.seqs("other").await, [11, 12, 13, 14, 15], "another tenant's goes");
        log.f.api.release_from_shell(tenant("old")).await.expect("released");
        assert_eq!(log.retained("old").await, dropped(10, 10));
        assert_eq!(log.findings().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn each_tenant_keeps_its_log_for_as_long_as_it_says() {
    on_both(async |f| {
        let log = Log::of(f).await;
        for name in ["long", "old", "short"] {
            log.grown(name).await;
        }
        let ten_years = RetentionMonths::new(120, false).expect("a period");
        log.f.api.set_retention(tenant("long"), ten_years).await.expect("set");
        log.tenant_of_old("young").await;
        log.write("young", 40, 3).await;
        log.sign("young", 39).await;
        log.write("young", 0, 1).await;
        log.sign("young", 0).await;
        let two_years = RetentionMonths::new(24, true).expect("a period");
        log.f.api.set_retention(tenant("young"), two_years).await.expect("set");
        assert_eq!(log.retained("old").await, dropped(10, 10));
        assert_eq!(log.retained("long").await, Retained::Nothing);
        assert_eq!(log.seqs("long").await.len(), 15);
        assert_eq!(log.retained("young").await, Retained::Nothing, "who runs it has to say so as well");
        assert_eq!(log.retain("young", false, true).await.expect("retention runs"), dropped(3, 3));
        assert_eq!(log.findings().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn what_was_not_sealed_or_not_signed_in_its_time_stays() {
    on_both(async |f| {
        let log = Log::of(f).await;
        log.grown("late").await;
        // Found on a node's disk: its month and those after it wait for it.
        log.write("late", 86, 1).await;
        assert_eq!(log.retained("late").await, Retained::Nothing);
        log.seal("late").await;
        assert_eq!(log.retained("late").await, dropped(10, 10));
        log.tenant_of_old("unsigned").await;
        log.write("unsigned", 86, 4).await;
        log.sign("unsigned", 86).await;
        log.write("unsigned", 85, 6).await;
        assert_eq!(log.sign("unsigned", 0).await.seq, 10);
        assert_eq!(log.retained("unsigned").await, dropped(4, 4), "the six were signed today");
        // A clock that ran ahead: what an entry says of itself counts, too.
        log.tenant_of_old("ahead").await;
        log.write("ahead", 85, 3).await;
        log.write("ahead", 2, 1).await;
        log.write("ahead", 85, 3).await;
        log.sign("ahead", 84).await;
        assert_eq!(log.retained("ahead").await, dropped(3, 3));
        assert_eq!(log.findings().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn retention_that_was_killed_leaves_a_log_that_verifies_and_goes_on_when_it_runs_again() {
    on_both(async |f| {
        let log = Log::of(f).await;
        let head = log.grown("old").await;
        log.state(Kind::Dropped, "old", head, 0);
        assert_eq!(log.findings().await, Vec::<String>::new(), "announced, and nothing gone");
        for statement in [
            "DELETE FROM audit WHERE entry IN (SELECT entry FROM audit_links WHERE tenant = 'old' AND seq <= 4)",
            "DELETE FROM audit_links WHERE tenant = 'old' AND seq <= 4",
        ] {
            log.tamper(statement).await;
        }
        assert_eq!(log.findings().await, Vec::<String>::new(), "announced, and half gone");
        assert_eq!(log.retained("old").await, dropped(10, 6));
        assert_eq!((log.seqs("old").await, log.statements()), (vec![11, 12, 13, 14, 15], 1));
        assert_eq!(log.findings().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_cut_that_was_not_announced_is_found_and_retention_covers_up_nothing() {
    on_both(async |f| {
        let log = Log::of(f).await;
        log.grown("old").await;
        log.grown("changed").await;
        log.tamper("UPDATE audit SET actor = 'nobody' WHERE entry = (SELECT entry FROM audit_links WHERE tenant = 'changed' AND seq = 3)").await;
        let Retained::Tampered(findings) = log.retained("changed").await else { panic!("it was changed") };
        assert_eq!(findings[0].to_string(), "changed: entry 3");
        assert_eq!((log.seqs("changed").await.len(), log.seqs("old").await.len()), (15, 5));
        log.tamper("DELETE FROM audit_links WHERE tenant = 'old' AND seq <= 12").await;
        let findings = log.findings().await;
        assert!(findings.contains(&"old: missing: entries 11 to 12".to_owned()), "{findings:?}");
        // Neither by a statement that somebody else signed.
        let forger = CheckpointSigner::generate().expect("a key");
        let head = Head { seq: 12, ..Head::genesis("old") };
        let statement = Statement { kind: Kind::Dropped, tenant: "old".into(), head, at_ms: now_ms() };
        line_file::append(&log.anchor, &[forger.sign(&statement)]).expect("the file grows");
        assert!(log.findings().await.contains(&"old: missing: entries 11 to 12".to_owned()));
        assert!(matches!(log.retain("old", false, false).await, Err(RetainError::BadAnchor(_))));
    })
    .await;
}

#[tokio::test]
async fn what_is_left_is_exported_and_verifies_from_where_it_was_dropped() {
    on_both(async |f| {
        let log = Log::of(f).await;
        let mut head = log.grown("old").await;
        assert_eq!(log.retained("old").await, dropped(10, 10));
        let key = log.f.api.create_client(tenant("old"), "ehr", Scopes::all()).await.expect("a client");
        let asked = request("GET", "/v1/audit/export", key.reveal(), String::new());
        let answer = log.f.router.clone().oneshot(asked).await.expect("an answer");
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        let lines: Vec<Value> = std::str::from_utf8(&bytes)
            .expect("text")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 5);
        for line in lines {
            let link = head.seal(&stored(&line)).expect("a version that is known");
            assert_eq!((&line["seq"], &line["hash"]), (&json!(link.seq), &json!(link.hash.to_string())));
            assert_eq!(line["previous"], json!(link.previous.to_string()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_log_whose_beginning_is_gone_is_backed_up_restored_and_verifies() {
    let log = Log::of(Fixture::sqlite().await).await;
    log.grown("old").await;
    assert_eq!(log.retained("old").await, dropped(10, 10));
    let Database::Sqlite(file) = &log.database else { panic!("a file") };
    let folder = log.anchor.parent().expect("a folder");
    let (data, keys, restored) = (folder.join("data"), folder.join("keys"), folder.join("restored"));
    back_up_sqlite(file, &data, &keys).await.expect("a copy");
    restore_sqlite(&data, &keys, &restored).await.expect("made of it");
    let verified =
        verify(&Database::Sqlite(restored), &log.keys(), &log.anchor).await.expect("it can be read");
    assert!(verified.is_clean(), "{:?}", verified.findings().collect::<Vec<_>>());
}
