//! Copies of a database, with the wrapped keys apart from the data: who has the one without the other reads nothing about people, and
//! copies of keys can be thrown away after days, when whoever was erased is to be gone from them too.

use std::path::Path;

use media_model::Pii;
use sqlx::{
    Connection as _, Executor as _, PgConnection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

use super::StoreError;

/// Copies a file as it is at one moment, while others may write to it. Neither of the copies may be there already.
pub async fn back_up_sqlite(database: &Path, data: &Path, keys: &Path) -> Result<(), StoreError> {
    let mut source = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await?;
    sqlx::query("VACUUM INTO $1").bind(text(data)?).execute(&mut source).await?;
    source.close().await?;
    let mut copy = open_alone(data, Some(keys)).await?;
    for statement in [
        "CREATE TABLE apart.tenant_keys AS SELECT * FROM main.tenant_keys",
        "CREATE TABLE apart.person_keys AS SELECT * FROM main.person_keys",
        "DELETE FROM main.tenant_keys",
        "DELETE FROM main.person_keys",
        "DETACH apart",
        // So that the keys are in no page that was freed.
        "VACUUM",
    ] {
        copy.execute(statement).await?;
    }
    Ok(copy.close().await?)
}

/// Puts both copies together into a file that is not there yet.
pub async fn restore_sqlite(data: &Path, keys: &Path, database: &Path) -> Result<(), StoreError> {
    let mut draft = database.as_os_str().to_owned();
    draft.push(".restoring");
    let draft = Path::new(&draft);
    std::fs::copy(data, draft).map_err(sqlx::Error::Io)?;
    let mut restored = open_alone(draft, None).await?;
    sqlx::query("ATTACH $1 AS apart").bind(text(keys)?).execute(&mut restored).await?;
    for statement in [
        "BEGIN",
        "INSERT INTO main.tenant_keys (tenant, purpose, version, master, wrapped, created_at)
             SELECT tenant, purpose, version, master, wrapped, created_at FROM apart.tenant_keys",
        "INSERT INTO main.person_keys (tenant, person, version, wrapped)
             SELECT tenant, person, version, wrapped FROM apart.person_keys",
        "COMMIT",
        "DETACH apart",
    ] {
        restored.execute(statement).await?;
    }
    restored.close().await?;
    let put = || {
        std::fs::File::open(draft)?.sync_all()?;
        std::fs::rename(draft, database)
    };
    Ok(put().map_err(sqlx::Error::Io)?)
}

/// A file that nobody else has open, without a log beside it; with another one attached that is made new.
async fn open_alone(file: &Path, attached: Option<&Path>) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new().filename(file).journal_mode(SqliteJournalMode::Delete);
    // What may make a file decides for the one that is attached, too.
    let options = options.create_if_missing(attached.is_some());
    let mut connection = SqliteConnection::connect_with(&options.pragma("secure_delete", "ON")).await?;
    if let Some(attached) = attached {
        sqlx::query("ATTACH $1 AS apart").bind(text(attached)?).execute(&mut connection).await?;
    }
    Ok(connection)
}

fn text(path: &Path) -> Result<&str, StoreError> {
    let not_text = || sqlx::Error::Configuration("a path that is not text".into());
    Ok(path.to_str().ok_or_else(not_text)?)
}

/// A moment of a server's database, held for as long as this lives, for several copies that belong together.
#[derive(Debug)]
pub struct PostgresSnapshot {
    connection: PgConnection,
    name: String,
}

impl PostgresSnapshot {
    /// Holds this moment.
    pub async fn hold(url: &Pii<String>) -> Result<Self, StoreError> {
        let mut connection = PgConnection::connect(url.reveal()).await?;
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        let name = sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut connection).await?;
        Ok(Self { connection, name })
    }

    /// What `pg_dump --snapshot` calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets it go.
    pub async fn release(self) -> Result<(), StoreError> {
        Ok(self.connection.close().await?)
    }
}
