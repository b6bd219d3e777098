//! The only SQL of the product. SQLite for now; every statement is bound, none is built from text.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod consults;
mod flush;
pub(crate) mod tickets;

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) use consults::Consult;
use flush::Flush;
pub(crate) use tickets::Ticket;

use crate::limits::{PAGE_CACHE_KIB, STORE_TIMEOUT};

/// The database failed or did not answer. Nothing of the transaction was kept, unless it failed in [`Store::commit`].
#[derive(Debug, thiserror::Error)]
#[error("the database failed: {0}")]
pub struct StoreError(#[from] sqlx::Error);

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self(error.into())
    }
}

/// A transaction: an act and its audit entry commit together or not at all.
pub(crate) type Act = Transaction<'static, Sqlite>;

/// Handle on the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    /// One connection, for which writers stand in line: several that write at a time would each sleep and try again until
    /// one of them has waited too long (`database is locked`), when many people join at once.
    writer: SqlitePool,
    flush: Arc<Flush>,
}

impl Store {
    /// Opens the database file, creates it if it is not there, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An audit entry that was answered for has to survive a power cut: `commit` sees to that, for many at once.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            // Each connection keeps pages of its own; rows are looked up one by one, and the system keeps the file in memory.
            .pragma("cache_size", PAGE_CACHE_KIB)
            .busy_timeout(STORE_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(STORE_TIMEOUT)
            .idle_timeout(Duration::from_secs(600))
            .connect_with(options.clone())
            .await?;
        let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(STORE_TIMEOUT);
        // A file does not hang up.
        let writer = writer.test_before_acquire(false);
        let writer = writer.connect_with(options).await?;
        sqlx::migrate!().run(&writer).await?;
        Ok(Self { pool, writer, flush: Arc::new(Flush::new(path)) })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Writes everything out and closes.
    pub async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }

    pub(crate) async fn begin(&self) -> Result<Act, StoreError> {
        // IMMEDIATE: a transaction that starts by reading and then writes could otherwise fail half-way.
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Keeps an act for good: it is on disk when this returns. After an error it may be kept or not.
    pub(crate) async fn commit(&self, act: Act) -> Result<(), StoreError> {
        act.commit().await?;
        Ok(self.flush.committed().await.map_err(sqlx::Error::Io)?)
    }
}
