//! What people are known as, and what they are for the tenant.

use axum::http::StatusCode;
use control_api::{RoleChange, permissions::TenantRole};
use media_model::{Pii, Role};
use serde_json::json;
use sqlx::Row as _;

use crate::support::{Fixture, on_both, tenant};

const EXTERNAL_ID: &str = "ehr-0815";

async fn change(f: &Fixture, change: RoleChange) -> String {
    let id = f.api.set_roles_from_shell(tenant("clinic"), Pii::new(EXTERNAL_ID.to_owned()), change).await;
    id.expect("a person").to_string()
}

async fn kept(f: &Fixture) -> Vec<(Option<String>, Option<String>)> {
    let rows = sqlx::query("SELECT standing, tenant_role FROM people").fetch_all(&f.raw().await).await;
    rows.expect("rows").iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_shell_says_what_somebody_is_and_what_it_does_not_say_stays() {
    on_both(async |f| {
        let (provider, admin) = (Some(Some(Role::Provider)), Some(Some(TenantRole::Admin)));
        let first = change(&f, RoleChange { standing: provider, tenant_role: None }).await;
        assert_eq!(kept(&f).await, [(Some("provider".into()), None)]);
        let again = change(&f, RoleChange { standing: None, tenant_role: admin }).await;
        assert_eq!(first, again, "one id of the EHR's is one person");
        assert_eq!(kept(&f).await, [(Some("provider".into()), Some("admin".into()))]);
        change(&f, RoleChange { standing: Some(None), tenant_role: Some(Some(TenantRole::Auditor)) }).await;
        assert_eq!(kept(&f).await, [(None, Some("auditor".into()))], "never both");
        let entries: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT actor, detail, person_id FROM audit WHERE action = 'grant_role' ORDER BY nr",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        let expected = ["no_tenant_role", "admin", "auditor"]
            .map(|detail| ("shell".to_owned(), detail.to_owned(), first.clone()));
        assert_eq!(entries, expected);
    })
    .await;
}

#[tokio::test]
async fn who_was_erased_is_nothing_any_more() {
    on_both(async |f| {
        let (standing, tenant_role) = (Some(Some(Role::Nurse)), Some(Some(TenantRole::Auditor)));
        let id = change(&f, RoleChange { standing, tenant_role }).await;
        let (status, _) = f.send("DELETE", &format!("/v1/people/{id}"), &f.key, String::new()).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        assert_eq!(kept(&f).await, [(None, None)]);
        let (_, again) = f.post("/v1/people", json!({"external_id": EXTERNAL_ID})).await;
        assert_ne!(again["id"], json!(id));
        assert_eq!(kept(&f).await, [(None, None), (None, None)]);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_made_anything_in_a_tenant_that_is_not_there_or_by_an_id_that_is_none() {
    on_both(async |f| {
        let change = RoleChange { tenant_role: Some(Some(TenantRole::Admin)), standing: None };
        for (of, external_id) in [("nowhere", EXTERNAL_ID), ("clinic", ""), ("clinic", "two words")] {
            let done = f.api.set_roles_from_shell(tenant(of), Pii::new(external_id.to_owned()), change).await;
            assert!(done.is_err(), "{of} {external_id}");
        }
        assert_eq!(kept(&f).await, []);
        for wrong in ["owner", "admin,auditor", ""] {
            let raw = sqlx::query("INSERT INTO people (tenant, id, external_id, created_at, tenant_role) VALUES ('clinic', 'x', $1, 0, $2)");
            assert!(raw.bind(vec![0_u8]).bind(wrong).execute(&f.raw().await).await.is_err(), "{wrong}");
        }
    })
    .await;
}
