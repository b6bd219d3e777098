//! Which database, and how to get connections to it.

use std::path::{Path, PathBuf};

use media_model::Pii;
use sqlx::{
    AnyPool, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    error::BoxDynError,
};
use url::Url;

use crate::limits::{
    CHECKPOINT_PAGES, POSTGRES_READERS_MAX, POSTGRES_WRITERS_MAX, READER_CACHE_KIB, SQLITE_READERS_MAX,
    STORE_IDLE_TIMEOUT, STORE_TIMEOUT, WRITER_CACHE_KIB,
};

/// Where the rows are kept.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file of this one process.
    Sqlite(PathBuf),
    /// A server, as `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=verify-full&sslrootcert=FILE]`.
    Postgres(Pii<String>),
}

/// What becomes of a database file that is not there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Missing {
    IsMade,
    IsAnError,
}

/// Connections to a database.
#[derive(Debug, Clone)]
pub(super) struct Pools {
    pub readers: AnyPool,
    /// Apart from those of readers: a join's audit entry does not wait until everybody has read who asked before.
    /// SQLite: one connection, for which writers stand in line: several that write at a time would each sleep and try again
    /// until one of them has waited too long (`database is locked`), when many people join at once.
    pub writers: AnyPool,
}

impl Pools {
    /// A server is asked for connections when they are needed.
    pub async fn connect(database: &Database, missing: Missing) -> Result<Self, sqlx::Error> {
        sqlx::any::install_default_drivers();
        match database {
            Database::Sqlite(path) => Self::sqlite(path, missing).await,
            Database::Postgres(url) => {
                let options: AnyConnectOptions = url.reveal().parse()?;
                let readers = postgres(options.clone(), POSTGRES_READERS_MAX);
                Ok(Self { readers, writers: postgres(options, POSTGRES_WRITERS_MAX) })
            }
        }
    }

    async fn sqlite(path: &Path, missing: Missing) -> Result<Self, sqlx::Error> {
        let options = sqlite_options(path, missing).map_err(sqlx::Error::Configuration)?;
        // First the writer, which creates the file.
        let writers = sqlite_pool(1, WRITER_CACHE_KIB).connect_with(options.clone()).await?;
        let readers = sqlite_pool(SQLITE_READERS_MAX, READER_CACHE_KIB).connect_with(options).await?;
        Ok(Self { readers, writers })
    }

    pub async fn close(&self) {
        self.writers.close().await;
        self.readers.close().await;
    }
}

fn sqlite_options(path: &Path, missing: Missing) -> Result<AnyConnectOptions, BoxDynError> {
    let path = std::path::absolute(path)?;
    let file = Url::from_file_path(path).map_err(|()| "not a path")?;
    // The driver takes what stands in the place of the path, percent-encoded.
    let mode = match missing {
        Missing::IsMade => "rwc",
        Missing::IsAnError => "rw",
    };
    let url = format!("sqlite://{}?mode={mode}", file.path());
    Ok(url.parse()?)
}

fn sqlite_pool(connections: u32, cache: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(STORE_TIMEOUT)
        .idle_timeout(STORE_IDLE_TIMEOUT)
        // A file neither hangs up nor grows tired of a connection; each new one is a thread, with memory of its own.
        .test_before_acquire(false)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute("PRAGMA journal_mode = WAL").await?;
                // An audit entry that was answered for has to survive a power cut: `commit` sees to that, for many at once.
                connection.execute("PRAGMA synchronous = NORMAL").await?;
                connection.execute(CHECKPOINT_PAGES).await?;
                connection.execute("PRAGMA foreign_keys = ON").await?;
                // What is deleted is overwritten with zeros: an erased person's wrapped key above all.
                connection.execute("PRAGMA secure_delete = ON").await?;
                // Each connection keeps pages of its own.
                connection.execute(cache).await?;
                Ok(())
            })
        })
}

/// Connections to a server that wait for nothing longer than a request may.
pub(super) fn postgres(options: AnyConnectOptions, connections: u32) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(STORE_TIMEOUT)
        .idle_timeout(STORE_IDLE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("SET statement_timeout = '5s'").await?;
                connection.execute("SET idle_in_transaction_session_timeout = '10s'").await?;
                Ok(())
            })
        })
        .connect_lazy_with(options)
}
