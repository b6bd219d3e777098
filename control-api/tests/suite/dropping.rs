//! Nobody deletes from the audit log by hand, and the role that may drop drops only what may go.

use control_api::{Database, HoldReason};
use media_model::Pii;

use crate::support::{Fixture, Kept, old_log::Log, tenant};

/// What the database says to somebody who deletes by hand.
async fn refusals(log: &Log, database: &Database, statements: &[&str]) -> Vec<String> {
    let url = match database {
        Database::Postgres(url) => url.reveal().clone(),
        Database::Sqlite(file) => {
            format!("sqlite://{}", url::Url::from_file_path(file).expect("a path").path())
        }
    };
    let pool = sqlx::any::AnyPoolOptions::new().max_connections(1).connect(&url).await.expect("it opens");
    if let Kept::Postgres(_) = &log.f.kept {
        sqlx::raw_sql("SELECT set_config('app.tenant', 'old', FALSE)").execute(&pool).await.expect("set");
    }
    let mut refusals = Vec::new();
    for statement in statements {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe((*statement).to_owned())).execute(&pool).await;
        refusals.push(done.err().map_or_else(String::new, |error| error.to_string()));
    }
    refusals
}

#[tokio::test]
async fn only_the_role_for_it_drops_and_only_what_may_go() {
    let log = Log::of(Fixture::postgres().await).await;
    log.grown("old").await;
    let by_hand = [
        "DELETE FROM audit_links WHERE tenant = 'old'",
        "DELETE FROM audit WHERE tenant = 'old'",
        "INSERT INTO audit_dropping (tenant, up_to) VALUES ('old', 10)",
    ];
    let node = [by_hand.as_slice(), &["SELECT drop_audit(10, 500)"]].concat();
    for refusal in refusals(&log, &log.f.database(), &node).await {
        assert!(refusal.contains("permission denied"), "{refusal}");
    }
    for refusal in refusals(&log, &log.database, &by_hand).await {
        assert!(refusal.contains("permission denied"), "{refusal}");
    }
    let wanted =
        ["SELECT drop_audit(12, 500)", "SELECT drop_audit(15, 500)", "SELECT reason FROM audit_holds"];
    let [young, last, reason] =
        <[String; 3]>::try_from(refusals(&log, &log.database, &wanted).await).expect("three");
    assert!(young.contains("kept for longer") && last.contains("last link"), "{young}, {last}");
    assert!(reason.contains("permission denied"), "{reason}");
    let why = HoldReason::parse("Doe v. Clinic, 26-cv-104").expect("a reason");
    log.f.api.hold_from_shell(tenant("old"), &why).await.expect("held");
    let held = refusals(&log, &log.database, &["SELECT drop_audit(10, 500)"]).await;
    assert!(held[0].contains("is held"), "{held:?}");
    let owner = refusals(&log, &Database::Postgres(Pii::new(log.owner_url())), &by_hand[..2]).await;
    assert!(owner.iter().all(|refusal| refusal.contains("never deleted")), "{owner:?}");
    assert_eq!(log.seqs("old").await.len(), 15);
}

#[tokio::test]
async fn a_file_lets_go_of_nothing_that_is_held_young_or_last() {
    let log = Log::of(Fixture::sqlite().await).await;
    log.grown("old").await;
    let drop = |up_to: i64| format!("INSERT INTO audit_dropping (tenant, up_to) VALUES ('old', {up_to})");
    let (young, last) = (drop(12), drop(15));
    let statements = [
        "DELETE FROM audit_links WHERE tenant = 'old' AND seq = 1",
        "DELETE FROM audit WHERE tenant = 'old'",
        &last,
        &young,
        "DELETE FROM audit WHERE tenant = 'old'",
        "DELETE FROM audit_dropping",
    ];
    let told = refusals(&log, &log.database, &statements).await;
    let expected = ["before their time", "before their time", "last link", "", "before their time", ""];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{told}: {expected}");
    }
    let why = HoldReason::parse("Doe v. Clinic, 26-cv-104").expect("a reason");
    log.f.api.hold_from_shell(tenant("old"), &why).await.expect("held");
    let held = refusals(&log, &log.database, &[&drop(10)]).await;
    assert!(held[0].contains("is held"), "{held:?}");
    assert_eq!(log.seqs("old").await.len(), 15);
}
