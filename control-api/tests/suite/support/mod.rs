//! The control API over each database that it runs on.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod browser;
pub mod issuer;
pub mod old_log;
pub mod postgres;

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use control_api::{
    AccessSigner, ControlApi, Database, RunningConsults, Said, Store, VisitSigner, VisitToken,
    keys::LocalMasterKeys, permissions::Scopes,
};
use media_model::{ConsultId, ParticipantNumber, Pii, Role, TenantId};
use serde_json::{Value, json};
use signaling_protocol::ticket::{KeyRing, Ticket, TicketId, TicketSigner, TicketVerifier};
use sqlx::AnyPool;
use tower::ServiceExt as _;

use postgres::Postgres;

/// What the control API told running consults.
#[derive(Default)]
pub struct Orders {
    pub ended: Mutex<Vec<ConsultId>>,
    pub revoked: Mutex<Vec<TicketId>>,
    pub barred: Mutex<Vec<TicketId>>,
    /// Lines of chat, by whom.
    pub said: Mutex<Vec<(String, String)>>,
    /// Who has come to any consult: each is called by the place here, from 1.
    pub came: Mutex<Vec<String>>,
    /// Who is not in any consult now, or waits; everybody else is.
    pub away: Mutex<Vec<String>>,
    /// Tickets of which the node knows that they were taken back.
    pub known_revoked: Mutex<Vec<TicketId>>,
}

impl RunningConsults for Orders {
    fn end(&self, consult: ConsultId) {
        self.ended.lock().expect("not poisoned").push(consult);
    }

    fn revoke_ticket(&self, _consult: ConsultId, ticket: TicketId) {
        self.revoked.lock().expect("not poisoned").push(ticket);
    }

    fn bar_ticket(&self, _consult: ConsultId, ticket: TicketId) {
        self.barred.lock().expect("not poisoned").push(ticket);
    }

    fn pass_on_chat(&self, said: &Said<'_>) {
        let line = (said.person.reveal().clone(), said.text.reveal().clone());
        self.said.lock().expect("not poisoned").push(line);
    }

    fn number_of(&self, _consult: ConsultId, person: &Pii<String>) -> Option<ParticipantNumber> {
        let came = self.came.lock().expect("not poisoned");
        let place = came.iter().position(|known| known == person.reveal())?;
        ParticipantNumber::new(u32::try_from(place).expect("few") + 1)
    }

    fn is_in(&self, _consult: ConsultId, person: &Pii<String>) -> bool {
        !self.away.lock().expect("not poisoned").contains(person.reveal())
    }

    fn is_revoked(&self, ticket: TicketId) -> bool {
        self.known_revoked.lock().expect("not poisoned").contains(&ticket)
    }
}

/// Where a fixture's rows are.
pub enum Kept {
    Sqlite(tempfile::TempDir),
    Postgres(Postgres),
}

/// A request with a key.
pub fn request(method: &str, path: &str, key: &str, body: String) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .expect("a request")
}

pub struct Fixture {
    pub router: Router,
    pub api: ControlApi,
    /// Of the tenant `clinic`.
    pub key: String,
    pub verifier: TicketVerifier,
    /// Signs access tokens, and those of visits.
    pub signers: (AccessSigner, VisitSigner),
    pub orders: Arc<Orders>,
    pub kept: Kept,
    master: Arc<LocalMasterKeys>,
}

/// Runs a test over SQLite, then over PostgreSQL.
pub async fn on_both(test: impl AsyncFn(Fixture)) {
    test(Fixture::sqlite().await).await;
    test(Fixture::postgres().await).await;
}

pub fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant's name")
}

impl Fixture {
    pub async fn sqlite() -> Self {
        let folder =
            tempfile::Builder::new().prefix("consilium test ?#%").tempdir().expect("a temporary folder");
        let database = Database::Sqlite(folder.path().join("consilium.db"));
        Self::over(&database, Kept::Sqlite(folder)).await
    }

    pub async fn postgres() -> Self {
        let postgres = Postgres::new().await;
        let database = Database::Postgres(Pii::new(postgres.node_url.reveal().clone()));
        Self::over(&database, Kept::Postgres(postgres)).await
    }

    async fn over(database: &Database, kept: Kept) -> Self {
        let store = Store::open(database).await.expect("a new database");
        let master = Arc::new(LocalMasterKeys::ephemeral());
        let signer = TicketSigner::generate().expect("a key");
        let verifier = TicketVerifier::new([signer.public_key()]).expect("a good key");
        let orders = Arc::new(Orders::default());
        let api = ControlApi::new(store, signer, orders.clone(), master.clone());
        let signers = (AccessSigner::generate().expect("a key"), VisitSigner::generate().expect("a key"));
        let api = api.with_access_keys(KeyRing::of(signers.0.clone()).expect("a good key"));
        let api = api.with_visit_keys(KeyRing::of(signers.1.clone()).expect("a good key").verifier);
        let mut fixture =
            Self { router: api.router(), api, key: String::new(), verifier, signers, orders, kept, master };
        fixture.key = fixture.key_of("clinic").await;
        fixture
    }

    /// Where the rows are, as a node sees them.
    pub fn database(&self) -> Database {
        match &self.kept {
            Kept::Sqlite(folder) => Database::Sqlite(folder.path().join("consilium.db")),
            Kept::Postgres(postgres) => Database::Postgres(Pii::new(postgres.node_url.reveal().clone())),
        }
    }

    /// The rules of another process over the same database and master keys.
    pub async fn another_process(&self) -> ControlApi {
        self.another_process_with(Arc::default()).await
    }

    /// Another process, which tells its own consults.
    pub async fn another_process_with(&self, orders: Arc<Orders>) -> ControlApi {
        let store = Store::open(&self.database()).await.expect("the database");
        let signer = TicketSigner::generate().expect("a key");
        ControlApi::new(store, signer, orders, self.master.clone())
    }

    /// Switches off, for this connection, what keeps the owner of the tables from changing the audit log.
    pub async fn lift_the_rules(&self, connection: &mut sqlx::AnyConnection) {
        let statements = match &self.kept {
            Kept::Sqlite(_) => {
                "PRAGMA foreign_keys = OFF;
                 DROP TRIGGER audit_is_append_only_update; DROP TRIGGER audit_is_append_only_delete;
                 DROP TRIGGER audit_links_are_append_only_update; DROP TRIGGER audit_links_are_append_only_delete"
            }
            Kept::Postgres(_) => "SET session_replication_role = replica",
        };
        sqlx::raw_sql(statements).execute(connection).await.expect("the owner may");
    }

    /// Makes a tenant and gives the key of a client of it.
    pub async fn key_of(&self, name: &str) -> String {
        self.api.create_tenant(tenant(name)).await.expect("a tenant");
        self.api
            .create_client(tenant(name), "test", Scopes::all())
            .await
            .expect("an API client")
            .reveal()
            .to_owned()
    }

    pub async fn send(&self, method: &str, path: &str, key: &str, body: String) -> (StatusCode, Value) {
        let response =
            self.router.clone().oneshot(request(method, path, key, body)).await.expect("an answer");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Sends what `send` does, with an idempotency key and from an address.
    pub async fn send_as(
        &self,
        (method, path): (&str, &str),
        key: &str,
        body: Value,
        idempotency_key: Option<&str>,
        headers: &[(&'static str, &str)],
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = request(method, path, key, body.to_string());
        let peer: std::net::SocketAddr = "198.51.100.7:4711".parse().expect("an address");
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        for (name, value) in
            headers.iter().copied().chain(idempotency_key.map(|key| ("idempotency-key", key)))
        {
            request.headers_mut().append(name, value.parse().expect("a header value"));
        }
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// With an idempotency key.
    pub async fn post_once(&self, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let (status, _, body) = self.send_as(("POST", path), &self.key, body, Some(key), &[]).await;
        (status, body)
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send("POST", path, &self.key, body.to_string()).await
    }

    /// Puts down that somebody consents to be treated from afar.
    pub async fn consent(&self, person: &str) {
        let consent = format!("/v1/people/{person}/consents/telehealth");
        assert_eq!(self.send("PUT", &consent, &self.key, String::new()).await.0, StatusCode::NO_CONTENT);
    }

    /// The ticket that somebody gets whom the EHR calls so, by a client of any tenant's.
    pub async fn ticket(&self, key: &str, consult: &str, external_id: &str, role: Role) -> Ticket {
        let body = json!({"role": role, "person_id": external_id, "display_name": "Somebody"}).to_string();
        let (status, ticket) = self.send("POST", &format!("/v1/consults/{consult}/tickets"), key, body).await;
        assert_eq!(status, StatusCode::CREATED, "{ticket}");
        let text = ticket["ticket"].as_str().expect("a ticket");
        self.verifier.verify(text, now_s()).expect("genuine")
    }

    /// What whoever comes with this ticket is welcomed with.
    pub fn visit_token(&self, ticket: &Ticket) -> VisitToken {
        let person = ticket.person.reveal().parse().expect("an id of ours");
        let visit = (ticket.tenant, ticket.consult, ticket.id);
        VisitToken::begin(visit, (person, ticket.role), now_s())
    }

    /// Likewise, signed.
    pub fn welcome(&self, ticket: &Ticket) -> String {
        self.signers.1.sign(&self.visit_token(ticket))
    }

    pub async fn consult(&self, body: Value) -> String {
        let (status, consult) = self.post("/v1/consults", body).await;
        assert_eq!(status, StatusCode::CREATED, "{consult}");
        consult["id"].as_str().expect("an id").to_owned()
    }

    /// The database as somebody sees it who has all rights and none of the product's rules.
    pub async fn raw(&self) -> AnyPool {
        let url = match &self.kept {
            Kept::Sqlite(folder) => {
                let file = url::Url::from_file_path(folder.path().join("consilium.db")).expect("a path");
                format!("sqlite://{}", file.path())
            }
            Kept::Postgres(postgres) => postgres.owner_url.reveal().clone(),
        };
        sqlx::any::AnyPoolOptions::new().max_connections(1).connect(&url).await.expect("the database opens")
    }

    /// Everything that is in the database, as bytes.
    pub async fn all_bytes(&self) -> Vec<u8> {
        match &self.kept {
            Kept::Sqlite(folder) => {
                let files = std::fs::read_dir(folder.path()).expect("the folder").flatten();
                files.flat_map(|file| std::fs::read(file.path()).expect("a file")).collect()
            }
            Kept::Postgres(postgres) => postgres.dump(),
        }
    }

    /// What the audit table says, oldest first, as (tenant, action, outcome, actor).
    pub async fn audit(&self) -> Vec<(String, String, String, String)> {
        sqlx::query_as("SELECT tenant, action, outcome, actor FROM audit ORDER BY nr")
            .fetch_all(&self.raw().await)
            .await
            .expect("rows")
    }
}

/// As the audit log calls whoever runs the tests.
pub fn shell_user() -> String {
    control_api::ShellUser::of_process().to_string()
}

pub fn a_patient() -> Value {
    json!({"role": "patient", "person_id": "p-1", "display_name": "Somebody"})
}

/// So many seconds from now, as requests have times.
pub fn in_seconds(seconds: u64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp((now_s() + seconds).cast_signed()).expect("a time");
    at.format(&time::format_description::well_known::Rfc3339).expect("text")
}

pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}
