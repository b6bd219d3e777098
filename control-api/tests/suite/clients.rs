//! Back ends are listed and revoked: neither key nor token of a revoked one opens anything.

use axum::http::StatusCode;
use control_api::{
    RoleChange,
    permissions::{Scope, Scopes, TenantRole},
};
use media_model::Pii;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{
    Fixture,
    browser::{Browser, ORIGIN, signed_in},
    on_both, tenant,
};

async fn admin(f: &Fixture) -> Browser {
    let change = RoleChange { tenant_role: Some(Some(TenantRole::Admin)), ..RoleChange::default() };
    let admin = f.api.set_roles_from_shell(tenant("clinic"), Pii::new("admin".to_owned()), change).await;
    signed_in(f, "clinic", &admin.expect("an admin").to_string(), true).await
}

/// The tenant's clients as the admin sees them: id, scope, whether it was revoked.
async fn listed(admin: &mut Browser) -> Vec<(String, String, bool)> {
    let page = admin.get("/v1/clients").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let clients = page.json()["clients"].as_array().expect("clients").clone();
    clients.iter().map(|one| (text(&one["id"]), text(&one["scope"]), !one["revoked_at"].is_null())).collect()
}

#[tokio::test]
async fn a_client_that_was_revoked_opens_nothing_any_more_and_the_others_go_on() {
    on_both(async |f| {
        let clinic = tenant("clinic");
        let scopes = Scopes::from_iter([Scope::ConsultsCreate]);
        let leaked = f.api.create_client(clinic, "leaked", scopes).await.expect("a client");
        let other = f.api.create_client(clinic, "other", scopes).await.expect("a client");
        f.api.create_tenant(tenant("elsewhere")).await.expect("another tenant");
        f.api.create_client(tenant("elsewhere"), "leaked", scopes).await.expect("a client of theirs");

        let mut admin = admin(&f).await;
        let before = listed(&mut admin).await;
        let id = |name: &str| {
            let of_name = |(id, ..): &&(String, String, bool)| id.starts_with(name);
            before.iter().find(of_name).expect("the client").0.clone()
        };
        assert!(before.iter().all(|(_, _, is_revoked)| !is_revoked), "{before:?}");
        assert!(before.contains(&(id("leaked-"), "consults:create".to_owned(), false)), "{before:?}");
        assert_eq!(
            before.iter().filter(|(id, ..)| id.starts_with("leaked-")).count(),
            1,
            "another tenant's is not there"
        );

        let path = format!("/v1/clients/{}", id("leaked-"));
        let page = admin.send("DELETE", &path, "", &[("origin", ORIGIN)]).await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.text);
        for (key, expected) in [(&leaked, StatusCode::UNAUTHORIZED), (&other, StatusCode::CREATED)] {
            let (status, body) = f.send("POST", "/v1/consults", key.reveal(), json!({}).to_string()).await;
            assert_eq!(status, expected, "{body}");
        }
        for gone in [path.as_str(), "/v1/clients/nobody-00000000", "/v1/clients/x"] {
            let page = admin.send("DELETE", gone, "", &[("origin", ORIGIN)]).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{gone}: {}", page.text);
        }
        let listed_by: Vec<(String,)> = sqlx::query_as(
            "SELECT actor FROM audit WHERE action = 'manage_clients' AND detail = 'clients_listed' ORDER BY nr",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        assert!(matches!(&listed_by[..], [(one,)] if one.starts_with("person:")), "{listed_by:?}");
        f.api.clients_from_shell(clinic).await.expect("the clients");
        let by_shell = "SELECT count(*) FROM audit WHERE action = 'manage_clients' AND actor LIKE 'shell:%'";
        let (by_shell,): (i64,) = sqlx::query_as(by_shell).fetch_one(&f.raw().await).await.expect("a row");
        assert_eq!(by_shell, 1, "also from the shell");
        let after = listed(&mut admin).await;
        assert_eq!(after.iter().filter(|(_, _, is_revoked)| *is_revoked).count(), 1, "{after:?}");

        f.api.revoke_client_from_shell(clinic, &id("other-")).await.expect("a good client");
        assert!(f.api.revoke_client_from_shell(clinic, &id("other-")).await.is_err(), "once");
        let noted =
            sqlx::query("SELECT action, actor, detail FROM audit WHERE detail LIKE 'client:%' ORDER BY nr");
        let noted = noted.fetch_all(&f.raw().await).await.expect("the entries");
        let noted: Vec<_> = noted
            .iter()
            .map(|row| (row.get::<String, _>("action"), row.get::<String, _>("detail")))
            .filter(|(action, _)| action == "api_client_revoked")
            .collect();
        let revoked = |name| ("api_client_revoked".to_owned(), format!("client:{}", id(name)));
        assert_eq!(noted, [revoked("leaked-"), revoked("other-")]);
    })
    .await;
}

#[tokio::test]
async fn who_was_made_for_consults_before_creating_them_was_apart_creates_them_still() {
    on_both(async |f| {
        let create = async |key: &str| f.send("POST", "/v1/consults", key, "{}".to_owned()).await.0;
        let scopes = Scopes::from_iter([Scope::ConsultsWrite]);
        let steering = f.api.create_client(tenant("clinic"), "steering", scopes).await.expect("a client");
        assert_eq!(create(steering.reveal()).await, StatusCode::FORBIDDEN, "it is a scope of its own");
        let before = "UPDATE api_clients SET more_scopes = NULL WHERE scopes = 'consults:write'";
        sqlx::query(before).execute(&f.raw().await).await.expect("as an older binary makes one");
        assert_eq!(create(steering.reveal()).await, StatusCode::CREATED);
        let (kept,): (String,) = sqlx::query_as("SELECT scopes FROM api_clients WHERE id LIKE 'test-%'")
            .fetch_one(&f.raw().await)
            .await
            .expect("the client of all scopes");
        assert!(!kept.contains("consults:create"), "an older binary knows all that stands there: {kept}");
    })
    .await;
}
