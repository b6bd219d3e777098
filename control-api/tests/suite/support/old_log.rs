//! An audit log with entries of years ago, made by the way that every entry takes, and its anchor file.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use control_api::{
    Database, Retain, RetainError, Retained, Seen,
    audit::{Action, CheckpointKeys, CheckpointSigner, Entry, Head, Kind, Statement},
    line_file, new_entry_id, verify,
};
use media_model::Pii;

use super::{Fixture, Kept, tenant};

const MONTH_MS: i64 = 31 * 24 * 3_600_000;

/// A database, with its anchor file outside it and a role that may drop.
pub struct Log {
    pub f: Fixture,
    pub signer: CheckpointSigner,
    pub anchor: PathBuf,
    _folder: tempfile::TempDir,
    pub database: Database,
}

pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

fn months_ago(months: i64) -> i64 {
    now_ms() - months * MONTH_MS
}

pub fn dropped(up_to: i64, entries: u64) -> Retained {
    Retained::Dropped { up_to, entries: Some(entries) }
}

impl Log {
    pub async fn of(f: Fixture) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let signer = CheckpointSigner::generate().expect("a key");
        let anchor = folder.path().join("anchor");
        std::fs::write(&anchor, "").expect("a file");
        let database = retention_of(&f).await;
        Self { f, signer, anchor, _folder: folder, database }
    }

    /// Entries of so many months ago, by the way that every entry takes.
    pub async fn write(&self, name: &str, months: i64, entries: usize) {
        let at = UNIX_EPOCH + Duration::from_millis(months_ago(months).unsigned_abs());
        let signed_out = || Entry { at, ..Entry::of(Action::SignedOut) };
        let entry = |_| Seen::new(tenant(name), new_entry_id(), signed_out());
        let entries: Vec<_> = (0..entries).map(entry).collect();
        self.f.api.record(&entries).await.expect("written");
    }

    pub async fn seal(&self, name: &str) -> Head {
        self.f.api.seal(tenant(name)).await.expect("sealed")
    }

    /// Seals, and signs as of so many months ago.
    pub async fn sign(&self, name: &str, months: i64) -> Head {
        let head = self.seal(name).await;
        self.state(Kind::Checkpoint, name, head, months);
        head
    }

    pub fn state(&self, kind: Kind, name: &str, head: Head, months: i64) {
        let statement = Statement { kind, tenant: name.to_owned(), head, at_ms: months_ago(months) };
        line_file::append(&self.anchor, &[self.signer.sign(&statement)]).expect("the file grows");
    }

    /// Of a tenant: ten entries of seven years ago, signed then, and five of now. Where the ten end.
    pub async fn grown(&self, name: &str) -> Head {
        self.tenant_of_old(name).await;
        self.write(name, 85, 10).await;
        let head = self.sign(name, 84).await;
        self.write(name, 0, 5).await;
        assert_eq!(self.sign(name, 0).await.seq, 15);
        head
    }

    /// A tenant of whom nothing says that they are new.
    pub async fn tenant_of_old(&self, name: &str) {
        self.f.api.create_tenant(tenant(name)).await.expect("a tenant");
        for table in ["audit_pending", "audit"] {
            self.tamper(&format!("DELETE FROM {table} WHERE tenant = '{name}'")).await;
        }
    }

    /// Changes the tables as their owner can; the rules hold again afterwards.
    pub async fn tamper(&self, statement: &str) {
        let mut connection = self.f.raw().await.acquire().await.expect("a connection").detach();
        let rules = match &self.f.kept {
            Kept::Sqlite(_) => {
                let rules = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit_%append_only%'";
                sqlx::query_scalar(rules).fetch_all(&mut connection).await.expect("rows")
            }
            Kept::Postgres(_) => Vec::<String>::new(),
        };
        self.f.lift_the_rules(&mut connection).await;
        for statement in [statement].into_iter().chain(rules.iter().map(String::as_str)) {
            let done =
                sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    pub fn keys(&self) -> CheckpointKeys {
        CheckpointKeys::parse(&self.signer.public_line()).expect("a key")
    }

    pub async fn retain(
        &self,
        name: &str,
        dry_run: bool,
        accepts_less: bool,
    ) -> Result<Retained, RetainError> {
        let keys = self.keys();
        let retain = Retain {
            database: &self.database,
            signer: &self.signer,
            keys: &keys,
            anchor: &self.anchor,
            accepts_less_than_six_years: accepts_less,
            dry_run,
        };
        let logs = retain.run().await?;
        Ok(logs.into_iter().find(|log| log.tenant == tenant(name)).expect("the tenant is there").what)
    }

    /// What retention does about one tenant.
    pub async fn retained(&self, name: &str) -> Retained {
        self.retain(name, false, false).await.expect("retention runs")
    }

    pub async fn findings(&self) -> Vec<String> {
        let verified = verify(&self.f.database(), &self.keys(), &self.anchor).await.expect("it can be read");
        verified.findings().map(|(whose, finding)| format!("{whose}: {finding}")).collect()
    }

    pub fn owner_url(&self) -> String {
        let Kept::Postgres(postgres) = &self.f.kept else { panic!("no server") };
        postgres.owner_url.reveal().clone()
    }

    /// The numbers of a tenant's links.
    pub async fn seqs(&self, name: &str) -> Vec<i64> {
        let seqs = sqlx::query_scalar("SELECT seq FROM audit_links WHERE tenant = $1 ORDER BY seq");
        seqs.bind(name).fetch_all(&self.f.raw().await).await.expect("rows")
    }

    /// What retention put down, and how many entries there are.
    pub async fn told(&self, name: &str) -> (Vec<String>, i64) {
        let pool = self.f.raw().await;
        let told = "SELECT detail FROM audit WHERE tenant = $1 AND action = 'audit_dropped' AND actor LIKE 'shell:%'";
        let told = sqlx::query_scalar(told).bind(name).fetch_all(&pool).await.expect("rows");
        let all = sqlx::query_scalar("SELECT count(*) FROM audit WHERE tenant = $1").bind(name);
        (told, all.fetch_one(&pool).await.expect("a number"))
    }

    pub fn statements(&self) -> usize {
        let text = std::fs::read_to_string(&self.anchor).expect("the file");
        text.lines().filter(|line| line.contains(" dropped ")).count()
    }
}

/// The database as who drops sees it: on PostgreSQL with a role that may do nothing else.
async fn retention_of(f: &Fixture) -> Database {
    let Kept::Postgres(postgres) = &f.kept else { return f.database() };
    let database = postgres.owner_url.reveal().split(['/', '?']).nth(3).expect("a name").to_owned();
    let role = format!("retention_of_{database}");
    postgres.run(&format!("CREATE ROLE {role} LOGIN IN ROLE consilium_retention")).await;
    Database::Postgres(Pii::new(postgres.url_of(&role).reveal().clone()))
}
