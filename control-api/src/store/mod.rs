//! The only SQL of the product: one text for SQLite and PostgreSQL; every statement is bound, none is built from what came from outside.
//!
//! | file | holds |
//! |---|---|
//! | `database.rs` | which database, and connections to it |
//! | `schema.rs` | the tables' versions |
//! | `role.rs` | with which role of PostgreSQL a node may log in |
//! | `rows.rs` | statements that insert several rows at once |
//! | `tenant_tx.rs` | [`TenantTx`]: the only way to a tenant's rows |
//! | `backup.rs` | copies of a database, wrapped keys apart |
//! | `flush.rs` | SQLite: one flush of the disk for many commits |
//! | the others | a table each |

pub(crate) mod api_clients;
pub(crate) mod appointments;
pub(crate) mod audit;
mod backup;
pub(crate) mod break_glasses;
pub(crate) mod chat_lines;
pub(crate) mod connections;
pub(crate) mod consents;
pub(crate) mod consults;
mod database;
pub(crate) mod dropping;
mod flush;
pub(crate) mod guest_links;
pub(crate) mod holds;
pub(crate) mod identities;
pub(crate) mod kept_answers;
pub(crate) mod outbox;
pub(crate) mod people;
pub(crate) mod portal_origins;
mod role;
mod rows;
mod schema;
pub(crate) mod sealed;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod signing_keys;
pub(crate) mod tenant_keys;
mod tenant_tx;
pub(crate) mod tenants;
pub(crate) mod tickets;
pub(crate) mod webhooks;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use media_model::TenantId;
use sqlx::AnyPool;

use crate::keys::KeyFault;

pub use backup::{PostgresSnapshot, back_up_sqlite, restore_sqlite};
pub(crate) use consults::Consult;
pub use database::Database;
use database::{Missing, Pools};
use flush::Flush;
pub use schema::migrate_postgres;
pub(crate) use tenant_tx::TenantTx;
pub(crate) use tickets::Ticket;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed or did not answer. Nothing of the transaction was kept, unless it failed in [`Store::commit`].
    #[error("the database failed: {0}")]
    Failed(#[from] sqlx::Error),
    /// Somebody whose time is booked would be booked twice.
    #[error("somebody would be booked twice")]
    BookedTwice,
    /// A key or a sealed value could not be opened.
    #[error(transparent)]
    Keys(#[from] KeyFault),
    /// The database has not answered yet since the start.
    #[error("the database has not answered since the start")]
    NotOpened,
    /// A row that cannot be there.
    #[error("the database holds what is not {0}")]
    Malformed(&'static str),
    /// The audit entry of a read could not be kept, so that nothing may be told.
    #[error("the audit entry of a read was not kept")]
    ReadNotKept,
    /// `consilium migrate` has to run first.
    #[error("the database has tables of version {version}, {needed} is needed: run `consilium migrate`")]
    TablesTooOld {
        /// What is there; 0 for nothing.
        version: i64,
        /// What this binary needs.
        needed: i64,
    },
    /// Row-level security does not hold such a role.
    #[error("the node's role in the database {0}: give it one that only is a member of consilium_service")]
    RoleTooPowerful(&'static str),
}

impl StoreError {
    /// Whether the database is not there or takes nobody now, as opposed to one that refuses.
    fn is_away(&self) -> bool {
        match self {
            Self::NotOpened | Self::Failed(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
            // It starts, stops, or has all the connections that it takes (PostgreSQL, "Error Codes").
            Self::Failed(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "53300"))
            }
            _ => false,
        }
    }
}

/// Handle on the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    database: Arc<Database>,
    pools: Pools,
    /// Whether its tables and the role of its connections were found to be right.
    is_opened: Arc<AtomicBool>,
    /// SQLite only: PostgreSQL flushes for many at once by itself.
    flush: Option<Arc<Flush>>,
}

impl Store {
    /// Opens the database. A file is created if it is not there, and its tables are brought up to date.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let store = Self::over(database, Missing::IsMade).await?;
        store.look().await?;
        Ok(store)
    }

    /// As [`Store::open`], but a server may be away: then every use fails until [`Store::look`] has found it and its tables.
    pub async fn open_or_wait(database: &Database) -> Result<Self, StoreError> {
        let store = Self::over(database, Missing::IsMade).await?;
        match store.look().await {
            Err(error) if error.is_away() => {
                tracing::warn!(%error, "the database is away: what needs it waits");
                Ok(store)
            }
            looked => looked.map(|()| store),
        }
    }

    /// Opens a database that is there, to read it with whatever role: its tables stay as they are.
    pub async fn open_to_read(database: &Database) -> Result<Self, StoreError> {
        let store = Self::over(database, Missing::IsAnError).await?;
        sqlx::query("SELECT 1").execute(&store.pools.readers).await?;
        store.is_opened.store(true, Relaxed);
        Ok(store)
    }

    async fn over(database: &Database, missing: Missing) -> Result<Self, StoreError> {
        let pools = Pools::connect(database, missing).await?;
        let flush = match database {
            Database::Sqlite(path) => Some(Arc::new(Flush::new(path))),
            Database::Postgres(_) => None,
        };
        Ok(Self { database: Arc::new(database.clone()), pools, is_opened: Arc::default(), flush })
    }

    /// Looks whether the database is there, with the tables and the role that a node needs; from then on it may be used.
    pub async fn look(&self) -> Result<(), StoreError> {
        schema::prepare(&self.database, &self.pools).await?;
        self.is_opened.store(true, Relaxed);
        Ok(())
    }

    /// Whether it was found to be right since the start.
    pub fn is_opened(&self) -> bool {
        self.is_opened.load(Relaxed)
    }

    fn readers(&self) -> Result<&AnyPool, StoreError> {
        if self.is_opened() { Ok(&self.pools.readers) } else { Err(StoreError::NotOpened) }
    }

    fn writers(&self) -> Result<&AnyPool, StoreError> {
        if self.is_opened() { Ok(&self.pools.writers) } else { Err(StoreError::NotOpened) }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(self.readers()?).await?;
        Ok(())
    }

    /// Writes everything out and closes.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// A transaction that may write.
    pub(crate) async fn begin(&self, tenant: TenantId) -> Result<TenantTx, StoreError> {
        // IMMEDIATE: a transaction that starts by reading and then writes could otherwise fail half-way.
        let begin = if self.has_row_security() { "BEGIN" } else { "BEGIN IMMEDIATE" };
        TenantTx::new(self.writers()?.begin_with(begin).await?, tenant, self.has_row_security()).await
    }

    /// A transaction that only reads.
    pub(crate) async fn read(&self, tenant: TenantId) -> Result<TenantTx, StoreError> {
        TenantTx::new(self.readers()?.begin().await?, tenant, self.has_row_security()).await
    }

    /// Keeps an act for good: it is on disk when this returns. After an error it may be kept or not.
    pub(crate) async fn commit(&self, tx: TenantTx) -> Result<(), StoreError> {
        tx.commit().await?;
        if let Some(flush) = &self.flush {
            flush.committed().await.map_err(sqlx::Error::Io)?;
        }
        Ok(())
    }

    /// SQLite: takes the write-ahead log into the database and empties it, so that nothing stands in it any more that was
    /// overwritten. PostgreSQL does that on its own account (`VACUUM`).
    pub(crate) async fn forget_freed_bytes(&self) -> Result<(), StoreError> {
        if !self.has_row_security() {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(self.writers()?).await?;
        }
        Ok(())
    }

    const fn has_row_security(&self) -> bool {
        self.flush.is_none()
    }
}
