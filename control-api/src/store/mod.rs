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
pub(crate) mod tenant_keys;
mod tenant_tx;
pub(crate) mod tenants;
pub(crate) mod tickets;
pub(crate) mod webhooks;

use std::sync::Arc;

use media_model::TenantId;

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

/// Handle on the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Pools,
    /// SQLite only: PostgreSQL flushes for many at once by itself.
    flush: Option<Arc<Flush>>,
}

impl Store {
    /// Opens the database. A file is created if it is not there, and its tables are brought up to date.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let pools = Pools::connect(database, Missing::IsMade).await?;
        schema::prepare(database, &pools).await?;
        Ok(Self::over(database, pools))
    }

    /// Opens a database that is there, to read it with whatever role: its tables stay as they are.
    pub async fn open_to_read(database: &Database) -> Result<Self, StoreError> {
        Ok(Self::over(database, Pools::connect(database, Missing::IsAnError).await?))
    }

    fn over(database: &Database, pools: Pools) -> Self {
        let flush = match database {
            Database::Sqlite(path) => Some(Arc::new(Flush::new(path))),
            Database::Postgres(_) => None,
        };
        Self { pools, flush }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pools.readers).await?;
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
        TenantTx::new(self.pools.writers.begin_with(begin).await?, tenant, self.has_row_security()).await
    }

    /// A transaction that only reads.
    pub(crate) async fn read(&self, tenant: TenantId) -> Result<TenantTx, StoreError> {
        TenantTx::new(self.pools.readers.begin().await?, tenant, self.has_row_security()).await
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
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pools.writers).await?;
        }
        Ok(())
    }

    const fn has_row_security(&self) -> bool {
        self.flush.is_none()
    }
}
