//! Where tenants' own pages are: who says so, and who knows.

use axum::http::StatusCode;
use control_api::{BootstrapError, PortalOrigin, RoleChange, permissions::TenantRole};
use media_model::Pii;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::{
    Fixture, Kept,
    browser::{Browser, ORIGIN, signed_in},
    on_both, tenant,
};

const PORTAL: &str = "https://portal.clinic.example";
const OTHERS: &str = "https://portal.other.example";

fn origins(list: &[&str]) -> Vec<PortalOrigin> {
    list.iter().map(|text| text.parse().expect("an origin")).collect()
}

/// The browser of a tenant's admin who signed in with two factors.
async fn admin(f: &Fixture, of: &str) -> Browser {
    let change = RoleChange { standing: None, tenant_role: Some(Some(TenantRole::Admin)) };
    let id = f.api.set_roles_from_shell(tenant(of), Pii::new("admin".to_owned()), change).await;
    signed_in(f, of, &id.expect("a person").to_string(), true).await
}

async fn put(browser: &mut Browser, body: Value) -> (u16, Value) {
    let page = browser.send("PUT", "/v1/origins", &body.to_string(), &[("origin", ORIGIN)]).await;
    (page.status.as_u16(), page.json())
}

fn known(f: &Fixture, of: &str) -> Vec<String> {
    let listed = f.api.portals().of(tenant(of)).expect("the tenant");
    listed.iter().map(|origin| origin.as_str().to_owned()).collect()
}

#[tokio::test]
async fn an_admin_says_which_pages_are_the_tenants_and_each_node_knows() {
    on_both(async |f| {
        f.key_of("other").await;
        let another = f.another_process().await;
        another.refresh_portals().await.expect("the database");
        let (mut clinic, mut other) = (admin(&f, "clinic").await, admin(&f, "other").await);
        let body = json!({"origins": ["https://Portal.Clinic.Example:443/", PORTAL, "http://127.0.0.1:9000"]});
        let told = json!({"origins": ["http://127.0.0.1:9000", PORTAL]});
        assert_eq!(put(&mut clinic, body).await, (200, told.clone()));
        assert_eq!(put(&mut other, json!({"origins": [OTHERS]})).await.0, 200);
        assert_eq!(clinic.get("/v1/origins").await.json(), told);
        assert_eq!(known(&f, "clinic"), ["http://127.0.0.1:9000", PORTAL], "known at once");
        let portals = f.api.portals();
        assert!(portals.is_of(tenant("clinic"), PORTAL) && !portals.is_of(tenant("clinic"), OTHERS));
        assert!(portals.is_any(OTHERS) && !portals.is_any("https://evil.example"));
        assert!(portals.of(tenant("nowhere")).is_none());

        assert!(!another.portals().is_any(PORTAL));
        another.refresh_portals().await.expect("the database");
        assert!(another.portals().is_of(tenant("clinic"), PORTAL), "another process has read it");
        assert_eq!(put(&mut clinic, json!({"origins": []})).await, (200, json!({"origins": []})));
        assert!(!f.api.portals().is_any(PORTAL) && f.api.portals().is_any(OTHERS));
        another.refresh_portals().await.expect("the database");
        assert!(!another.portals().is_any(PORTAL));

        let (status, answer) = f.send("GET", "/v1/origins", &f.key, String::new()).await;
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("not_for_clients")));
        let many: Vec<_> = (0..33).map(|number| format!("https://portal-{number}.example")).collect();
        assert_eq!(put(&mut clinic, json!({"origins": many[..32]})).await.0, 200);
        for bad in [json!(many), json!(["https://*.example"]), json!(["http://portal.example"]), json!(["null"])] {
            let (status, answer) = put(&mut clinic, json!({"origins": bad})).await;
            assert_eq!((status, &answer["field"]), (422, &json!("origins")), "{bad}");
        }
        assert_eq!(known(&f, "clinic").len(), 32, "what was refused changed nothing");
        let entries: Vec<(String, String)> = sqlx::query_as(
            "SELECT tenant, detail FROM audit WHERE action = 'manage_tenant' AND outcome = 'granted' ORDER BY nr",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        let of = |tenant: &str, detail: &str| (tenant.to_owned(), detail.to_owned());
        let set = |tenant| of(tenant, "portal_origins_set");
        let read = of("clinic", "portal_origins");
        assert_eq!(entries, [set("clinic"), set("other"), read, set("clinic"), set("clinic")]);
    })
    .await;
}

#[tokio::test]
async fn a_shell_adds_and_removes_them_and_what_changes_nothing_is_nothing() {
    on_both(async |f| {
        let before = f.audit().await.len();
        let change = async |added: &[&str], removed: &[&str]| {
            f.api.change_portal_origins(tenant("clinic"), &origins(added), &origins(removed)).await
        };
        assert_eq!(change(&[], &[]).await.expect("a list"), []);
        assert_eq!(change(&[PORTAL, OTHERS], &[]).await.expect("a list"), origins(&[PORTAL, OTHERS]));
        assert_eq!(change(&[PORTAL], &[]).await.expect("a list"), origins(&[PORTAL, OTHERS]));
        assert_eq!(change(&[], &[OTHERS]).await.expect("a list"), origins(&[PORTAL]));
        assert_eq!(known(&f, "clinic"), [PORTAL]);
        assert_eq!(f.audit().await.len(), before + 2, "two changes");
        let many: Vec<_> = (0..32).map(|number| format!("https://portal-{number}.example")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(matches!(change(&many, &[]).await, Err(BootstrapError::TooManyOrigins)));
        let nowhere = f.api.change_portal_origins(tenant("nowhere"), &[], &[]).await;
        assert!(matches!(nowhere, Err(BootstrapError::NoTenant(_))));
        assert_eq!(known(&f, "clinic"), [PORTAL]);
    })
    .await;
}

#[tokio::test]
async fn while_the_database_is_away_what_was_known_last_goes_on() {
    on_both(async |f| {
        let added = f.api.change_portal_origins(tenant("clinic"), &origins(&[PORTAL]), &[]).await;
        assert_eq!(added.expect("a list").len(), 1);
        let run = async |statement: &'static str| {
            sqlx::query(statement).execute(&f.raw().await).await.expect("the owner may");
        };
        run("ALTER TABLE tenants RENAME TO away").await;
        assert!(f.api.refresh_portals().await.is_err());
        assert!(f.api.portals().is_of(tenant("clinic"), PORTAL));
        run("ALTER TABLE away RENAME TO tenants").await;
        f.api.refresh_portals().await.expect("the database is back");
    })
    .await;
}

#[tokio::test]
async fn a_node_neither_sees_nor_changes_another_tenants_in_the_database() {
    let f = Fixture::postgres().await;
    let Kept::Postgres(postgres) = &f.kept else { unreachable!("asked for") };
    f.key_of("other").await;
    f.api.change_portal_origins(tenant("clinic"), &origins(&[PORTAL]), &[]).await.expect("a list");
    let mut connection = PgConnection::connect(postgres.node_url.reveal()).await.expect("a node's login");
    for (words, seen) in
        [("SET app.tenant = 'clinic'", 1), ("SET app.tenant = 'other'", 0), ("RESET app.tenant", 0)]
    {
        sqlx::raw_sql(words).execute(&mut connection).await.expect("the words are understood");
        let count: (i64,) = sqlx::query_as("SELECT count(*) FROM portal_origins")
            .fetch_one(&mut connection)
            .await
            .expect("a row");
        assert_eq!(count.0, seen, "{words}");
    }
    sqlx::raw_sql("SET app.tenant = 'other'").execute(&mut connection).await.expect("a setting");
    let insert = format!("INSERT INTO portal_origins (tenant, origin) VALUES ('clinic', '{OTHERS}')");
    assert!(sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut connection).await.is_err());
    let deleted =
        sqlx::raw_sql("DELETE FROM portal_origins").execute(&mut connection).await.expect("none is seen");
    assert_eq!(deleted.rows_affected(), 0);
}

#[tokio::test]
async fn a_tenant_that_another_process_has_made_is_known_when_its_page_is_asked_for() {
    on_both(async |f| {
        let shell = f.another_process().await;
        assert!(f.api.portals_of(tenant("south")).await.is_none(), "it is not there");
        shell.create_tenant(tenant("north")).await.expect("a tenant");
        shell.change_portal_origins(tenant("north"), &origins(&[PORTAL]), &[]).await.expect("an origin");
        assert!(f.api.portals().of(tenant("north")).is_none(), "not known yet");
        let listed = f.api.portals_of(tenant("north")).await.expect("looked for");
        assert_eq!(listed.to_vec(), origins(&[PORTAL]));
        assert!(f.api.portals().is_of(tenant("north"), PORTAL), "and signaling knows it, too");
        shell.create_tenant(tenant("south")).await.expect("a tenant");
        assert!(f.api.portals_of(tenant("south")).await.is_none(), "not looked for again so soon");
        f.api.refresh_portals().await.expect("the database");
        assert!(f.api.portals_of(tenant("south")).await.is_some());
    })
    .await;
}
