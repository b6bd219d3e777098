//! Tenants see nothing of each other, by the rules and by the database.

use axum::http::StatusCode;
use control_api::{Database, RoleChange, Store, StoreError, permissions::TenantRole};
use media_model::{Pii, Role};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::support::{
    a_patient,
    browser::{ORIGIN, signed_in},
    on_both,
    postgres::Postgres,
    tenant,
};

#[tokio::test]
async fn another_tenant_finds_nothing() {
    on_both(async |f| {
        let other = f.key_of("other").await;
        let consult = f.consult(json!({})).await;
        let (_, ticket) = f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
        let ticket = ticket["id"].as_str().expect("an id").to_owned();
        let tickets = format!("/v1/consults/{consult}/tickets");
        for (method, path, body) in [
            ("POST", tickets.clone(), a_patient().to_string()),
            ("POST", format!("/v1/consults/{consult}/end"), String::from("{}")),
            ("GET", format!("/v1/consults/{consult}/chat"), String::new()),
            ("DELETE", format!("{tickets}/{ticket}"), String::new()),
        ] {
            let (status, answer) = f.send(method, &path, &other, body).await;
            assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{path}");
        }
        assert!(f.orders.ended.lock().expect("not poisoned").is_empty());
        assert!(f.orders.revoked.lock().expect("not poisoned").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_secret_opens_the_door_of_its_own_tenant_only() {
    on_both(async |f| {
        f.key_of("other").await;
        let moved = f.key.replace("consilium_clinic.", "consilium_other.");
        assert_ne!(moved, f.key);
        for key in [moved, f.key.replace("consilium_clinic.", "consilium_nowhere.")] {
            assert_eq!(f.send("POST", "/v1/consults", &key, "{}".into()).await.0, StatusCode::UNAUTHORIZED);
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_is_given_to_one_tenant() {
    on_both(async |f| {
        assert!(f.api.create_tenant(tenant("clinic")).await.is_err());
        assert!(f.api.create_tenant(tenant("system")).await.is_err(), "that is not a clinic");
        assert_eq!(f.audit().await.len(), 2, "what was not done left no entry");
    })
    .await;
}

#[tokio::test]
async fn a_tenant_without_direct_consults_has_none() {
    on_both(async |f| {
        let there = f.consult(json!({})).await;
        assert_eq!(f.post_once("/v1/consults", "once", json!({})).await.0, StatusCode::CREATED);
        let switch = async |of, on| f.api.set_direct_consults_from_shell(tenant(of), on).await;
        switch("clinic", false).await.expect("off");
        let disabled = (StatusCode::FORBIDDEN, json!("direct_consults_disabled"));
        let code = |(status, answer): (StatusCode, Value)| (status, answer["code"].clone());
        assert_eq!(code(f.post("/v1/consults", json!({})).await), disabled);
        assert_eq!(code(f.post_once("/v1/consults", "once", json!({})).await), disabled, "nor told again");
        let (status, _) = f.post(&format!("/v1/consults/{there}/tickets"), a_patient()).await;
        assert_eq!(status, StatusCode::CREATED, "one that is there goes on");
        let other = f.key_of("other").await;
        assert_eq!(f.send("POST", "/v1/consults", &other, "{}".into()).await.0, StatusCode::CREATED);
        switch("clinic", true).await.expect("on");
        assert_eq!(f.post("/v1/consults", json!({})).await.0, StatusCode::CREATED);
        assert!(switch("nobody", true).await.is_err());
        let noted: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT action, outcome, detail FROM audit WHERE detail LIKE 'direct_consults%' ORDER BY nr",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        let noted: Vec<_> = noted.iter().map(|(a, o, d)| (a.as_str(), o.as_str(), d.as_str())).collect();
        let refused = ("create_consult", "refused", "direct_consults_disabled");
        let changed = |detail| ("manage_tenant", "granted", detail);
        assert_eq!(noted, [changed("direct_consults_off"), refused, refused, changed("direct_consults_on")]);
    })
    .await;
}

#[tokio::test]
async fn an_admin_says_whether_there_are_consults_without_an_appointment() {
    on_both(async |f| {
        let change = RoleChange { tenant_role: Some(Some(TenantRole::Admin)), ..RoleChange::default() };
        let admin = f.api.set_roles_from_shell(tenant("clinic"), Pii::new("admin".to_owned()), change).await;
        let mut admin = signed_in(&f, "clinic", &admin.expect("an admin").to_string(), true).await;
        assert_eq!(admin.get("/v1/direct-consults").await.json(), json!({"allowed": true}));
        let off = json!({"allowed": false});
        let page = admin.send("PUT", "/v1/direct-consults", &off.to_string(), &[("origin", ORIGIN)]).await;
        assert_eq!((page.status, page.json()), (StatusCode::OK, off.clone()));
        assert_eq!(admin.get("/v1/direct-consults").await.json(), off);
        assert_eq!(f.post("/v1/consults", json!({})).await.0, StatusCode::FORBIDDEN);
        for odd in ["{}", r#"{"allowed": null}"#, r#"{"allowed": "no"}"#] {
            let page = admin.send("PUT", "/v1/direct-consults", odd, &[("origin", ORIGIN)]).await;
            assert_eq!(page.code(), "body_malformed", "{odd}");
        }
    })
    .await;
}

/// How many rows of each table a node's role sees that has said these words first.
async fn seen_after(postgres: &Postgres, words: &'static str) -> Vec<i64> {
    let mut connection = PgConnection::connect(postgres.node_url.reveal()).await.expect("a node's login");
    sqlx::raw_sql(words).execute(&mut connection).await.expect("the words are understood");
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM api_clients), (SELECT count(*) FROM consults),
                (SELECT count(*) FROM tickets), (SELECT count(*) FROM chat_lines),
                (SELECT count(*) FROM connections), (SELECT count(*) FROM audit)",
    )
    .fetch_one(&mut connection)
    .await
    .expect("a row");
    (0..6).map(|column| row.get(column)).collect()
}

#[tokio::test]
async fn a_forgotten_tenant_sees_nothing_in_the_database() {
    let f = crate::support::Fixture::postgres().await;
    let crate::support::Kept::Postgres(postgres) = &f.kept else { unreachable!("asked for") };
    let consult = f.consult(json!({})).await;
    f.post(&format!("/v1/consults/{consult}/tickets"), a_patient()).await;
    crate::chat::by_signaling(&f, &consult, "p-1", Role::Patient, "good morning").await;
    let connection = control_api::Connection {
        id: control_api::new_entry_id(),
        tenant: crate::support::tenant("clinic"),
        consult: consult.parse().expect("an id"),
        person: control_api::ids::PersonId::from_bytes([1; 16]),
        packets: 1,
        lost: 0,
        round_trip: None,
        broke: false,
    };
    f.api.keep_connections(&[connection]).await.expect("the database");
    assert_eq!(seen_after(postgres, "SET app.tenant = 'clinic'").await, [1, 1, 1, 1, 1, 6]);
    for words in ["", "SET app.tenant = ''", "SET app.tenant = 'nowhere'", "SET row_security = on"] {
        assert_eq!(seen_after(postgres, words).await, [0; 6], "{words}");
    }
}

#[tokio::test]
async fn a_node_cannot_write_for_another_tenant_nor_change_the_audit_log() {
    let f = crate::support::Fixture::postgres().await;
    let crate::support::Kept::Postgres(postgres) = &f.kept else { unreachable!("asked for") };
    f.key_of("other").await;
    for statement in [
        "INSERT INTO consults (tenant, id, waiting_room, created_at) VALUES ('other', 'x', 0, 0)",
        "UPDATE consults SET tenant = 'other'",
        "UPDATE audit SET action = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "DELETE FROM consults",
        "UPDATE chat_lines SET role = 'provider'",
        "DELETE FROM chat_lines",
        "UPDATE connections SET lost = 0",
        "DELETE FROM connections",
        "ALTER TABLE chat_lines DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE consults DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_the_tenant ON consults",
    ] {
        let consult = f.consult(json!({})).await;
        let mut connection = PgConnection::connect(postgres.node_url.reveal()).await.expect("a node's login");
        sqlx::raw_sql("SET app.tenant = 'clinic'").execute(&mut connection).await.expect("a setting");
        assert!(
            sqlx::raw_sql(statement).execute(&mut connection).await.is_err(),
            "{statement} for {consult}"
        );
    }
}

#[tokio::test]
async fn a_role_that_row_level_security_does_not_hold_is_refused() {
    let postgres = Postgres::new().await;
    postgres
        .run(
            "CREATE ROLE rls_free LOGIN BYPASSRLS IN ROLE consilium_service;
             CREATE ROLE rls_free_by_way LOGIN IN ROLE consilium_service, rls_free;
             CREATE ROLE table_owner LOGIN IN ROLE consilium_service;
             GRANT CREATE ON SCHEMA public TO table_owner;
             ALTER TABLE tickets OWNER TO table_owner",
        )
        .await;
    for role in ["owner", "rls_free", "rls_free_by_way", "table_owner"] {
        let opened = Store::open(&Database::Postgres(postgres.url_of(role))).await;
        assert!(matches!(opened, Err(StoreError::RoleTooPowerful(_))), "{role}: {opened:?}");
    }
}

#[tokio::test]
async fn a_node_that_needs_newer_tables_says_so_and_one_that_is_older_goes_on() {
    let postgres = Postgres::new().await;
    postgres.run("INSERT INTO _sqlx_migrations VALUES (9999, 'later', now(), TRUE, '', 0)").await;
    let node = || Database::Postgres(media_model::Pii::new(postgres.node_url.reveal().clone()));
    let opened = Store::open(&node()).await;
    assert!(opened.is_ok(), "{opened:?}");
    postgres.run("DELETE FROM _sqlx_migrations").await;
    let opened = Store::open(&node()).await;
    assert!(matches!(opened, Err(StoreError::TablesTooOld { version: 0, .. })), "{opened:?}");
}
