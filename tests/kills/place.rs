//! A node's folder and database, which outlive it.

use std::{
    ffi::OsStr,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use sqlx::{AnyPool, any::AnyPoolOptions};
use tempfile::TempDir;

use crate::support::node::{Node, consilium};

#[path = "../../control-api/tests/suite/support/postgres.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod postgres;

pub use postgres::Crash;
use postgres::Postgres;

/// What the back ends do.
const SCOPES: [&str; 9] = [
    "people:write",
    "people:read",
    "people:erase",
    "consents:write",
    "appointments:write",
    "appointments:read",
    "consults:create",
    "consults:write",
    "chat:read",
];

/// How soon everything is sealed.
const SEALED_AFTER: Duration = Duration::from_secs(10);

pub struct Place {
    pub folder: TempDir,
    pub postgres: Option<Postgres>,
    /// Of a back end of the tenant `clinic`.
    pub key: String,
}

impl Place {
    pub async fn sqlite() -> Self {
        Self::over(None)
    }

    pub async fn postgres() -> Self {
        let postgres = Postgres::new().await;
        let [auditor, backup] = roles_beside(&postgres);
        postgres.run(&format!("CREATE ROLE {auditor} LOGIN IN ROLE consilium_auditor")).await;
        postgres.run(&format!("CREATE ROLE {backup} LOGIN BYPASSRLS IN ROLE pg_read_all_data")).await;
        Self::over(Some(postgres))
    }

    fn over(postgres: Option<Postgres>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let data = folder.path().join("data");
        let mut text = format!(
            "listen = \"127.0.0.1:0\"\ndata = {data:?}\nshards = 1\npin_shards = false\n\
             [media]\nport = 0\nbind_v4 = \"127.0.0.1\"\nbind_v6 = \"::1\"\nadvertise = [\"127.0.0.1\"]\n"
        );
        if let Some(postgres) = &postgres {
            let url_file = folder.path().join("node-url");
            fs::write(&url_file, postgres.node_url.reveal()).expect("a file");
            for (file, role) in ["auditor-url", "backup-url"].into_iter().zip(roles_beside(postgres)) {
                fs::write(folder.path().join(file), postgres.url_of(&role).reveal()).expect("a file");
            }
            text.push_str(&format!("[database]\nurl_file = {url_file:?}\n"));
        }
        fs::write(folder.path().join("consilium.toml"), text).expect("a file");
        let mut place = Self { folder, postgres, key: String::new() };
        place.run(&["tenant", "create", "clinic", "--config"]);
        let mut create = vec!["client", "create", "--tenant", "clinic", "--name", "ehr"];
        SCOPES.iter().chain(&["tickets:write"]).for_each(|scope| create.extend(["--scope", scope]));
        create.push("--config");
        place.key = place.run(&create).trim().to_owned();
        place
    }

    pub fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// A node that takes connections.
    pub fn serve(&self) -> Node {
        let configuration = self.configuration();
        Node::serve(["serve".as_ref(), "--config".as_ref(), configuration.as_os_str()], &self.data())
    }

    pub async fn kill_while_it_starts(&self, after: Duration) {
        let configuration = self.configuration();
        let mut command = consilium(["serve".as_ref(), "--config".as_ref(), configuration.as_os_str()]);
        let mut node = command.spawn().expect("the binary starts");
        tokio::time::sleep(after).await;
        node.kill().expect("SIGKILL");
        node.wait().expect("it ends");
    }

    /// Kills the database; returns when it is back.
    pub async fn crash(&self, what: Crash) {
        if let Some(postgres) = &self.postgres {
            postgres.crash(what).await;
        }
    }

    /// Verifies the audit log with the anchor until it says so of the tenant; findings are never borne.
    pub async fn verify(&self, said: Option<&str>) {
        let started = Instant::now();
        loop {
            let keys = self.data().join("keys/audit.public");
            let anchor = self.data().join("audit.anchor");
            let (option, place) = match &self.postgres {
                Some(_) => ("--database", self.folder.path().join("auditor-url")),
                None => ("--data", self.data()),
            };
            let (key_option, anchor_option) = (OsStr::new("--key"), OsStr::new("--anchor"));
            let verify = [OsStr::new("audit"), OsStr::new("verify"), OsStr::new(option), place.as_os_str()];
            let with = [key_option, keys.as_os_str(), anchor_option, anchor.as_os_str()];
            // A node that has just begun for the first time writes it in a moment.
            if !anchor.exists() && started.elapsed() < SEALED_AFTER {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
            let verified = consilium(verify.into_iter().chain(with)).output().expect("the binary runs");
            let told = String::from_utf8_lossy(&verified.stdout).into_owned();
            assert!(verified.status.success(), "{told}\n{}", String::from_utf8_lossy(&verified.stderr));
            let clinic = told.lines().find(|line| line.starts_with("clinic:")).expect("the tenant");
            if said.is_none_or(|said| clinic.contains(said) && !clinic.contains(" 0 checkpoints")) {
                return;
            }
            assert!(started.elapsed() < SEALED_AFTER, "not sealed: {told}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The database as its owner sees it.
    pub async fn raw(&self) -> AnyPool {
        sqlx::any::install_default_drivers();
        let url = match &self.postgres {
            Some(postgres) => postgres.owner_url.reveal().clone(),
            None => format!("sqlite://{}", self.data().join("consilium.db").display()),
        };
        AnyPoolOptions::new().max_connections(1).connect(&url).await.expect("the database opens")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("consilium.toml")
    }

    pub fn run(&self, words: &[&str]) -> String {
        let configuration = self.configuration();
        let arguments = words.iter().map(OsStr::new).chain([configuration.as_os_str()]);
        let done = consilium(arguments).output().expect("the binary runs");
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).expect("text")
    }
}

/// The server has the roles of all its databases: each database's have names of their own.
pub fn roles_beside(postgres: &Postgres) -> [String; 2] {
    ["auditor", "backup"].map(|what| format!("{what}_beside_{}", role_of_nodes(postgres)))
}

/// Whom the server knows this database's nodes as.
pub fn role_of_nodes(postgres: &Postgres) -> &str {
    postgres.node_url.reveal().split(['/', '@']).nth(2).expect("a role")
}
