//! A PostgreSQL server of this test process: its own folder, a socket in it and no port, gone when the process is.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use media_model::Pii;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// What the server's folders begin with; then comes the number of the process that they belong to.
const FOLDER: &str = "consilium-postgres-";

/// The role that owns the tables.
const OWNER: &str = "owner";

/// How long a start or a recovery may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether what is committed survives a power cut as well: for benches.
static FLUSHES: AtomicBool = AtomicBool::new(false);

/// Has the server flush to disk; before the first database.
pub fn flush_to_disk() {
    FLUSHES.store(true, Ordering::Relaxed);
}

/// How often a server that was killed is started again.
const STARTS_MAX: u32 = 200;

/// What is killed.
#[derive(Debug, Clone, Copy)]
pub enum Crash {
    /// The whole server.
    Server,
    /// A process that serves one connection of a node's: the server then throws all the others off, and recovers.
    Backend,
}

/// A database with the product's tables, empty.
pub struct Postgres {
    /// For the owner of the tables.
    pub owner_url: Pii<String>,
    /// For a node.
    pub node_url: Pii<String>,
}

impl Postgres {
    /// A new database with its tables, and a role for a node that may use them.
    pub async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        run(&url(OWNER, "postgres"), &format!("CREATE DATABASE {name}")).await;
        let owner_url = Pii::new(url(OWNER, &name));
        control_api::migrate_postgres(&owner_url).await.expect("the tables are made");
        let role = format!("node_of_{name}");
        run(owner_url.reveal(), &format!("CREATE ROLE {role} LOGIN IN ROLE consilium_service")).await;
        Self { node_url: Pii::new(url(&role, &name)), owner_url }
    }

    /// Runs statements as the owner of the tables, as somebody with all rights would.
    pub async fn run(&self, statements: &str) {
        run(self.owner_url.reveal(), statements).await;
    }

    /// Everything in the database, as `pg_dump` writes it.
    pub fn dump(&self) -> Vec<u8> {
        let dump = Command::new("pg_dump").arg(self.owner_url.reveal()).output().expect("pg_dump runs");
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        dump.stdout
    }

    /// An empty database of this owner's beside it, for the same roles.
    pub async fn empty_beside(&self, owner: &str) -> Self {
        self.run(&format!("CREATE ROLE {owner} LOGIN CREATEROLE")).await;
        let name = self.owner_url.reveal().split(['/', '?']).nth(3).expect("a database's name").to_owned();
        run(&url(OWNER, "postgres"), &format!("CREATE DATABASE {name}_again OWNER {owner}")).await;
        let of_it = |url: &Pii<String>| {
            Pii::new(url.reveal().replace(&format!("/{name}?"), &format!("/{name}_again?")))
        };
        Self { owner_url: of_it(&self.owner_url), node_url: of_it(&self.node_url) }
    }

    /// Kills with SIGKILL; returns when the server takes connections again.
    pub async fn crash(&self, what: Crash) {
        let process = match what {
            Crash::Server => {
                let file =
                    fs::read_to_string(server().join("data/postmaster.pid")).expect("a running server");
                file.lines().next().expect("a process").to_owned()
            }
            Crash::Backend => {
                let mut owner = connect(self.owner_url.reveal()).await;
                let of_a_node = "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'node_of_%' LIMIT 1";
                match sqlx::query_scalar::<_, i32>(of_a_node).fetch_optional(&mut owner).await.expect("a row")
                {
                    Some(process) => process.to_string(),
                    None => return,
                }
            }
        };
        // A backend may have ended by itself since.
        Command::new("kill").args(["-KILL", &process]).stderr(Stdio::null()).status().expect("kill runs");
        let _ = connect(self.owner_url.reveal()).await.close().await;
    }

    /// The same database, seen by another role.
    pub fn url_of(&self, role: &str) -> Pii<String> {
        let database = self.owner_url.reveal().split(['/', '?']).nth(3).expect("a database's name");
        Pii::new(url(role, database))
    }
}

/// A connection, once the server takes any.
async fn connect(url: &str) -> PgConnection {
    let started = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(error) => {
                assert!(started.elapsed() < START_TIMEOUT, "the server does not let us in: {error}")
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn run(url: &str, statements: &str) {
    let mut connection = connect(url).await;
    connection.execute(sqlx::AssertSqlSafe(statements.to_owned())).await.expect(statements);
    connection.close().await.expect("a goodbye");
}

fn url(role: &str, database: &str) -> String {
    format!("postgres://{role}@localhost/{database}?host={}", server().display())
}

/// The folder of this process's server, which is started if it is not there.
fn server() -> &'static Path {
    static SERVER: OnceLock<PathBuf> = OnceLock::new();
    SERVER.get_or_init(|| {
        let (started, has_started) = std::sync::mpsc::channel();
        // The server ends with the thread that made it: one that lives as long as the process.
        thread::spawn(move || {
            let folder = initialise();
            let mut server = launch(&folder);
            started.send(folder.clone()).expect("somebody waits");
            for _ in 1..STARTS_MAX {
                let _ = server.wait();
                server = launch(&folder);
            }
        });
        has_started.recv().expect("the server starts")
    })
}

/// A new folder of a server.
fn initialise() -> PathBuf {
    remove_what_others_left();
    let folder = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
    fs::create_dir(&folder).expect("a new folder");
    if is_root() {
        let chown = Command::new("chown").arg("postgres").arg(&folder).status();
        assert!(chown.expect("chown runs").success(), "there is a user postgres");
    }
    let mut init = command("initdb");
    init.args(["--username", OWNER, "--auth", "trust", "--no-sync"]);
    init.args(["--encoding", "UTF8", "--locale", "C", "-D"]);
    let init = init.arg(folder.join("data")).stdin(Stdio::null()).output().expect("initdb runs");
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    folder
}

/// Starts a server. One that was killed leaves processes that hold its memory for a moment: until then it does not start.
fn launch(folder: &Path) -> Child {
    let started = Instant::now();
    loop {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log");
        let mut server = command("postgres");
        server.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
        server.args(["-c", "listen_addresses=", "-c", "max_connections=300", "-c"]);
        server.arg(if FLUSHES.load(Ordering::Relaxed) { "fsync=on" } else { "fsync=off" });
        let mut server =
            server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres runs");
        while server.try_wait().expect("a child").is_none() {
            if UnixStream::connect(folder.join(".s.PGSQL.5432")).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(started.elapsed() < START_TIMEOUT, "{log}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// A program of PostgreSQL that ends with the thread that starts it, under a user that PostgreSQL runs as.
fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.arg("--").arg(find(program));
    command
}

/// Debian keeps the server's programs outside the path, a folder for each version.
fn find(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin").join(program)).collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| program.into())
}

/// Folders of processes that were killed.
fn remove_what_others_left() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(FOLDER)) else { continue };
        if !Path::new("/proc").join(process).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
