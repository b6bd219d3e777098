//! What people are known as, and what they are for the tenant.

use axum::http::StatusCode;
use control_api::{RoleChange, permissions::TenantRole};
use media_model::{Pii, Role};
use serde_json::json;
use sqlx::Row as _;

use crate::{
    sign_in::Clinic,
    support::{
        Fixture,
        browser::{Browser, ORIGIN},
        issuer::Habits,
        on_both, shell_user, tenant,
    },
};

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
            .map(|detail| (shell_user(), detail.to_owned(), first.clone()));
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

#[tokio::test]
async fn an_admin_who_signed_in_with_two_factors_says_what_others_are_and_nobody_else_does() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let (_, other) = clinic.f.post("/v1/people", json!({"external_id": "ehr-2"})).await;
        let path_of = |id: &str| format!("/v1/people/{id}/roles");
        let (own, other) = (path_of(&clinic.person), path_of(other["id"].as_str().expect("an id")));
        let roles = json!({"standing": "nurse", "tenant_role": null}).to_string();
        let put = async |browser: &mut Browser, path: &str, body: &str| {
            let page = browser.send("PUT", path, body, &[("origin", ORIGIN)]).await;
            (page.status.as_u16(), page.code())
        };
        let (status, answer) = clinic.f.send("PUT", &other, &clinic.f.key, roles.clone()).await;
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("not_for_clients")));
        let mut browser = clinic.signed_in().await;
        assert_eq!(put(&mut browser, &other, &roles).await, (403, "role_forbids".to_owned()));

        let external_id = Pii::new(crate::sign_in::EXTERNAL_ID.to_owned());
        let admin = RoleChange { standing: None, tenant_role: Some(Some(TenantRole::Admin)) };
        clinic.f.api.set_roles_from_shell(tenant("clinic"), external_id, admin).await.expect("a role");
        assert_eq!(
            put(&mut browser, &other, &roles).await,
            (403, "mfa_needed".to_owned()),
            "from now on, not after the next sign-in"
        );
        let claims = json!({"amr": ["pwd", "otp"]});
        clinic.issuer.behave(Habits { claims, ..Habits::default() });
        let mut browser = clinic.signed_in().await;
        assert_eq!(put(&mut browser, &other, &roles).await, (200, String::new()));
        assert_eq!(put(&mut browser, &own, &roles).await, (403, "not_on_oneself".to_owned()));
        let auditor = json!({"standing": null, "tenant_role": "auditor"}).to_string();
        assert_eq!(put(&mut browser, &other, &auditor).await, (200, String::new()));
        for (bad, status) in
            [(json!({"standing": null}), 400), (json!({"standing": null, "tenant_role": "owner"}), 422)]
        {
            assert_eq!(put(&mut browser, &other, &bad.to_string()).await.0, status, "{bad}");
        }
        let nobody = path_of(&"0".repeat(32));
        assert_eq!(put(&mut browser, &nobody, &roles).await, (404, "not_found".to_owned()));
        let by_admin = clinic.audit("grant_role").await;
        assert!(by_admin.contains(&("granted".to_owned(), "auditor".to_owned())), "{by_admin:?}");
        assert!(by_admin.contains(&("refused".to_owned(), "not_on_oneself".to_owned())));

        // The same admin reads no notes and books, as the table has it, in the place of a key.
        let path = own.replace("/roles", "");
        assert_eq!(browser.get(&path).await.status, StatusCode::OK);
        assert_eq!(
            browser.get(&path.replace("/people/", "/appointments/")).await.status,
            StatusCode::NOT_FOUND
        );
    })
    .await;
}
