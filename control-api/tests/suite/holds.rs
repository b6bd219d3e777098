//! Legal hold: an auditor with a second factor sets and lifts it, and nobody else sees why.

use axum::http::StatusCode;
use control_api::{HoldReason, RetentionMonths, RoleChange, permissions::TenantRole};
use media_model::Pii;
use serde_json::{Value, json};

use crate::support::{
    Fixture,
    browser::{Browser, ORIGIN, signed_in},
    on_both, shell_user, tenant,
};

pub(crate) const PATH: &str = "/v1/audit/hold";
const REASON: &str = "Doe v. Clinic, 26-cv-104";

/// Somebody who audits a tenant, signed in with two factors.
pub(crate) async fn auditor(f: &Fixture, name: &str) -> Browser {
    let change = RoleChange { standing: None, tenant_role: Some(Some(TenantRole::Auditor)) };
    let person = f.api.set_roles_from_shell(tenant(name), Pii::new("audit-1".to_owned()), change).await;
    signed_in(f, name, &person.expect("an auditor").to_string(), true).await
}

async fn put(browser: &mut Browser, reason: &str) -> (StatusCode, Value) {
    let body = json!({"reason": reason}).to_string();
    let page = browser.send("PUT", PATH, &body, &[("origin", ORIGIN)]).await;
    (page.status, page.json())
}

/// What was done about holds, as (actor's kind, detail).
async fn story(f: &Fixture) -> Vec<(String, String)> {
    let acts: Vec<(String, String)> = sqlx::query_as(
        "SELECT actor, detail FROM audit WHERE tenant = 'clinic' AND action = 'hold_records' ORDER BY nr",
    )
    .fetch_all(&f.raw().await)
    .await
    .expect("rows");
    let kind = |actor: &str| actor.split(':').next().unwrap_or_default().to_owned();
    acts.into_iter().map(|(actor, detail)| (kind(&actor), detail)).collect()
}

#[tokio::test]
async fn an_auditor_holds_the_log_and_lets_it_go_and_each_is_put_down() {
    on_both(async |f| {
        let mut auditor = auditor(&f, "clinic").await;
        let free = json!({"held": false, "reason": null, "held_by": null, "since": null});
        assert_eq!(auditor.get(PATH).await.json(), free);
        let (status, held) = put(&mut auditor, &format!(" {REASON} ")).await;
        assert_eq!((status, &held["held"], &held["reason"]), (StatusCode::OK, &json!(true), &json!(REASON)));
        assert!(held["held_by"].as_str().is_some_and(|actor| actor.starts_with("person:")), "{held}");
        assert_eq!(auditor.get(PATH).await.json(), held);
        let (_, again) = put(&mut auditor, "another reason").await;
        assert_eq!((&again["reason"], &again["since"]), (&json!("another reason"), &held["since"]));
        for bad in ["short", "two\nlines of text", &"x".repeat(501)] {
            let (status, told) = put(&mut auditor, bad).await;
            assert_eq!(
                (status, &told["field"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &json!("reason")),
                "{bad}"
            );
        }
        for detail in ["hold_lifted", "not_held"] {
            let lifted = auditor.send("DELETE", PATH, "", &[("origin", ORIGIN)]).await;
            assert_eq!(lifted.status, StatusCode::NO_CONTENT, "{detail}");
        }
        assert_eq!(auditor.get(PATH).await.json(), free);
        let told = ["hold_read", "hold_set", "hold_read", "hold_set", "hold_lifted", "not_held", "hold_read"];
        assert_eq!(story(&f).await, told.map(|detail| ("person".to_owned(), detail.to_owned())));
        let bytes = f.all_bytes().await;
        assert!(!bytes.windows(REASON.len()).any(|part| part == REASON.as_bytes()), "the reason is sealed");
    })
    .await;
}

#[tokio::test]
async fn another_tenants_auditor_sees_and_changes_no_hold_but_their_own() {
    on_both(async |f| {
        f.key_of("other").await;
        let (mut ours, mut theirs) = (auditor(&f, "clinic").await, auditor(&f, "other").await);
        put(&mut ours, REASON).await;
        assert_eq!(theirs.get(PATH).await.json()["held"], json!(false));
        theirs.send("DELETE", PATH, "", &[("origin", ORIGIN)]).await;
        let (_, theirs_held) = put(&mut theirs, "a case of theirs").await;
        assert_eq!(theirs_held["reason"], json!("a case of theirs"));
        assert_eq!(ours.get(PATH).await.json()["reason"], json!(REASON));
    })
    .await;
}

#[tokio::test]
async fn the_shell_holds_and_releases_and_says_for_how_long_a_log_is_kept() {
    on_both(async |f| {
        let reason = HoldReason::parse(REASON).expect("a reason");
        f.api.hold_from_shell(tenant("clinic"), &reason).await.expect("held");
        let hold = auditor(&f, "clinic").await.get(PATH).await.json();
        assert_eq!((&hold["reason"], &hold["held_by"]), (&json!(REASON), &json!(shell_user())));
        assert!(f.api.release_from_shell(tenant("clinic")).await.expect("released"));
        assert!(!f.api.release_from_shell(tenant("clinic")).await.expect("nothing to release"));
        let months = RetentionMonths::new(120, false).expect("ten years");
        f.api.set_retention(tenant("clinic"), months).await.expect("kept for longer");
        let kept: Vec<(String, i64)> = sqlx::query_as("SELECT id, retention_months FROM tenants ORDER BY id")
            .fetch_all(&f.raw().await)
            .await
            .expect("rows");
        assert_eq!(kept, [("clinic".to_owned(), 120), ("system".to_owned(), 72)]);
        let nobody = tenant("nobody");
        assert!(f.api.hold_from_shell(nobody, &reason).await.is_err());
        assert!(f.api.release_from_shell(nobody).await.is_err());
        assert!(f.api.set_retention(nobody, months).await.is_err());
        let shell = |detail: &str| ("shell".to_owned(), detail.to_owned());
        let of_person = ("person".to_owned(), "hold_read".to_owned());
        assert_eq!(story(&f).await, [shell("hold_set"), of_person, shell("hold_lifted")]);
    })
    .await;
}
