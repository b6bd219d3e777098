//! The audit table, read as an auditor's tool would.

use std::path::Path;

use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub action: String,
    pub outcome: String,
    pub actor: String,
    pub consult: Option<String>,
    pub participant: Option<i64>,
    pub person: Option<String>,
    pub role: Option<String>,
    pub detail: Option<String>,
    pub patient: Option<String>,
    /// Sealed.
    pub address: Option<Vec<u8>>,
    pub request: Option<String>,
    pub duration_us: Option<i64>,
    pub at_ms: i64,
}

/// Every entry of the node with this folder, oldest first.
pub async fn entries(data: &Path) -> Vec<Entry> {
    let options = SqliteConnectOptions::new().filename(data.join("consilium.db")).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.expect("the database opens");
    let rows = sqlx::query(
        "SELECT action, outcome, actor, consult_id, participant, person_id, role, detail, patient,
                address, request, duration_us, at
         FROM audit ORDER BY nr",
    )
    .fetch_all(&mut database)
    .await
    .expect("the audit table can be read");
    database.close().await.expect("the database closes");
    let entry = |row: sqlx::sqlite::SqliteRow| Entry {
        action: row.get(0),
        outcome: row.get(1),
        actor: row.get(2),
        consult: row.get(3),
        participant: row.get(4),
        person: row.get(5),
        role: row.get(6),
        detail: row.get(7),
        patient: row.get(8),
        address: row.get(9),
        request: row.get(10),
        duration_us: row.get(11),
        at_ms: row.get(12),
    };
    rows.into_iter().map(entry).collect()
}

/// Ids of the tickets that were taken back.
pub async fn revoked_tickets(data: &Path) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(data.join("consilium.db")).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.expect("the database opens");
    let ids = sqlx::query_scalar("SELECT id FROM tickets WHERE revoked_at IS NOT NULL");
    ids.fetch_all(&mut database).await.expect("the tickets can be read")
}
