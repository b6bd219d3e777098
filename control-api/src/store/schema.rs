//! The tables, and which of their versions this binary needs.

use media_model::Pii;
use sqlx::{AnyPool, Row as _, migrate::Migrator};

use super::{Database, Pools, StoreError, database::postgres};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// SQLite belongs to this process alone, which brings its tables up to date. The tables of a server belong to a role that a
/// node does not have: there it only looks whether all that it needs is there.
pub(super) async fn prepare(database: &Database, pools: &Pools) -> Result<(), StoreError> {
    match database {
        Database::Sqlite(_) => migrate(&SQLITE, &pools.writers).await,
        Database::Postgres(_) => {
            check_version(&pools.readers).await?;
            super::role::check(&pools.readers).await
        }
    }
}

/// Brings the tables of a server up to date, with the role that owns them.
pub async fn migrate_postgres(url: &Pii<String>) -> Result<(), StoreError> {
    sqlx::any::install_default_drivers();
    let options = url.reveal().parse()?;
    let pool = postgres(options, 1);
    let migrated = migrate(&POSTGRES, &pool).await;
    pool.close().await;
    migrated
}

/// Migrations of a newer binary are left alone: it and this one run side by side while nodes are replaced one by one.
async fn migrate(migrations: &Migrator, pool: &AnyPool) -> Result<(), StoreError> {
    let migrator = Migrator {
        migrations: migrations.migrations.clone(),
        ignore_missing: true,
        ..Migrator::with_migrations(Vec::new())
    };
    migrator.run(pool).await.map_err(|error| StoreError::Failed(error.into()))
}

async fn check_version(pool: &AnyPool) -> Result<(), StoreError> {
    let needed = POSTGRES.iter().map(|migration| migration.version).max().unwrap_or_default();
    let row = sqlx::query("SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations WHERE success")
        .fetch_one(pool)
        .await;
    let version = match row {
        Ok(row) => row.try_get::<i64, _>("version")?,
        // No such table, or none that this role may read.
        Err(sqlx::Error::Database(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    if version < needed {
        return Err(StoreError::TablesTooOld { version, needed });
    }
    Ok(())
}
