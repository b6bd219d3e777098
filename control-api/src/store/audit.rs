//! Tables `audit`, `audit_links` and `audit_pending`: entries and links are added and never changed; `dropping.rs` deletes.

use std::sync::LazyLock;

use media_model::ConsultId;
use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx, rows, rows::Inserts};
use crate::audit::{ChainHash, EntryId, Head, Link, SealedRow, StoredEntry, Unsealed};
use crate::{appointments::Passage, ids::PersonId, limits::PASSAGES_MAX};

/// Columns of an entry in the order of [`entry_of`], each with the table's name: the only text that statements share.
macro_rules! entry_columns {
    () => {
        "a.entry, a.version, a.at, a.action, a.outcome, a.actor, a.asserted_by, a.surface, a.patient, a.consult_id,
         a.participant, a.person_id, a.role, a.detail, a.address, a.request, a.duration_us"
    };
}

static INSERT_ENTRIES: LazyLock<Inserts> = LazyLock::new(|| {
    let head = "INSERT INTO audit (tenant, entry, version, at, action, outcome, actor, asserted_by, surface, patient,
                                   consult_id, participant, person_id, role, detail, address, request, duration_us)";
    Inserts::new(head, 18)
});

static INSERT_PENDING: LazyLock<Inserts> =
    LazyLock::new(|| Inserts::new("INSERT INTO audit_pending (tenant, entry)", 2));

static INSERT_LINKS: LazyLock<Inserts> = LazyLock::new(|| {
    Inserts::new("INSERT INTO audit_links (tenant, seq, entry, previous, hash, sealed_at)", 6)
});

/// Adds entries, to be sealed soon.
pub(crate) async fn insert(tx: &mut TenantTx, entries: &[StoredEntry]) -> Result<(), StoreError> {
    let tenant = tx.tenant();
    for (which, part) in rows::parts(entries) {
        let (mut insert, mut pending) =
            (sqlx::query(INSERT_ENTRIES.text(which, tx)), sqlx::query(INSERT_PENDING.text(which, tx)));
        for entry in part {
            insert = insert
                .bind(tenant.as_str())
                .bind(entry.id.as_str())
                .bind(entry.version)
                .bind(entry.at_ms)
                .bind(entry.action.as_str())
                .bind(entry.outcome.as_str())
                .bind(entry.actor.as_str())
                .bind(entry.asserted_by.as_deref())
                .bind(entry.surface.as_str())
                .bind(entry.patient.as_deref())
                .bind(entry.consult.as_deref())
                .bind(entry.participant)
                .bind(entry.person.as_deref())
                .bind(entry.role.as_deref())
                .bind(entry.detail.as_deref())
                .bind(entry.address.as_deref())
                .bind(entry.request.as_deref())
                .bind(entry.duration_us);
            pending = pending.bind(tenant.as_str()).bind(entry.id.as_str());
        }
        insert.execute(tx.connection()).await?;
        pending.execute(tx.connection()).await?;
    }
    tx.note_entries(entries);
    Ok(())
}

/// Whether there is such an entry.
pub(crate) async fn has(tx: &mut TenantTx, id: EntryId) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM audit WHERE tenant = $1 AND entry = $2")
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .fetch_optional(tx.connection())
        .await?;
    Ok(row.is_some())
}

/// Where the chain stands.
pub(crate) async fn head(tx: &mut TenantTx) -> Result<Head, StoreError> {
    let tenant = tx.tenant();
    let row = sqlx::query("SELECT seq, hash FROM audit_links WHERE tenant = $1 ORDER BY seq DESC LIMIT 1")
        .bind(tenant.as_str())
        .fetch_optional(tx.connection())
        .await?;
    let Some(row) = row else { return Ok(Head::genesis(tenant.as_str())) };
    let hash = ChainHash::from_slice(row.try_get("hash")?).ok_or(StoreError::Malformed("a link's hash"))?;
    Ok(Head { seq: row.try_get("seq")?, hash })
}

/// Ids of the entries that wait to be sealed, oldest first: they begin with the time.
pub(crate) async fn pending_ids(tx: &mut TenantTx, entries_max: i64) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query("SELECT entry FROM audit_pending WHERE tenant = $1 ORDER BY entry LIMIT $2")
        .bind(tx.tenant().as_str())
        .bind(entries_max)
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(|row| Ok(row.try_get("entry")?)).collect()
}

/// The same entries, read back. Which ones is settled before any is looked at, however the database would plan it.
pub(crate) async fn pending(tx: &mut TenantTx, entries_max: i64) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = sqlx::query(concat!(
        "WITH oldest AS MATERIALIZED (SELECT entry FROM audit_pending WHERE tenant = $1 ORDER BY entry LIMIT $2)
         SELECT ",
        entry_columns!(),
        " FROM oldest o JOIN audit a ON a.tenant = $1 AND a.entry = o.entry ORDER BY o.entry"
    ))
    .bind(tx.tenant().as_str())
    .bind(entries_max)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(entry_of).collect()
}

/// Adds links; their entries wait no longer.
pub(crate) async fn link(tx: &mut TenantTx, links: &[Link], now_ms: i64) -> Result<(), StoreError> {
    let tenant = tx.tenant();
    let Some(first) = links.first() else { return Ok(()) };
    for (which, part) in rows::parts(links) {
        let mut insert = sqlx::query(INSERT_LINKS.text(which, tx));
        for link in part {
            insert = insert
                .bind(tenant.as_str())
                .bind(link.seq)
                .bind(link.entry.as_str())
                .bind(link.previous.as_bytes().as_slice())
                .bind(link.hash.as_bytes().as_slice())
                .bind(now_ms);
        }
        insert.execute(tx.connection()).await?;
    }
    sqlx::query(
        "DELETE FROM audit_pending WHERE tenant = $1
            AND entry IN (SELECT entry FROM audit_links WHERE tenant = $1 AND seq >= $2)",
    )
    .bind(tenant.as_str())
    .bind(first.seq)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Links after this number, with the entries that they name as they are now.
pub(crate) async fn sealed_after(
    tx: &mut TenantTx,
    seq: i64,
    links_max: i64,
) -> Result<Vec<SealedRow>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT l.seq, l.entry AS link_entry, l.previous, l.hash, ",
        entry_columns!(),
        " FROM audit_links l LEFT JOIN audit a ON a.tenant = l.tenant AND a.entry = l.entry
          WHERE l.tenant = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3"
    ))
    .bind(tx.tenant().as_str())
    .bind(seq)
    .bind(links_max)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(sealed_of).collect()
}

/// Likewise, of the entries that are about a person, as the patient or otherwise.
pub(crate) async fn sealed_about(
    tx: &mut TenantTx,
    person: PersonId,
    seq: i64,
    links_max: i64,
) -> Result<Vec<SealedRow>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT l.seq, l.entry AS link_entry, l.previous, l.hash, ",
        entry_columns!(),
        " FROM audit a JOIN audit_links l ON l.tenant = a.tenant AND l.entry = a.entry
          WHERE a.tenant = $1 AND (a.patient = $4 OR a.person_id = $4) AND l.seq > $2 ORDER BY l.seq LIMIT $3"
    ))
    .bind(tx.tenant().as_str())
    .bind(seq)
    .bind(links_max)
    .bind(person.to_string())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(sealed_of).collect()
}

fn sealed_of(row: &AnyRow) -> Result<SealedRow, StoreError> {
    let is_there = row.try_get::<Option<&str>, _>("entry")?.is_some();
    Ok(SealedRow {
        seq: row.try_get("seq")?,
        entry: row.try_get("link_entry")?,
        previous: ChainHash::from_slice(row.try_get("previous")?),
        hash: ChainHash::from_slice(row.try_get("hash")?),
        stored: if is_there { Some(entry_of(row)?) } else { None },
    })
}

/// Comings and goings in a consult, in the order in which they were written down.
pub(crate) async fn passages(tx: &mut TenantTx, consult: ConsultId) -> Result<Vec<Passage>, StoreError> {
    let rows = sqlx::query(
        "SELECT at, action, person_id, role, request FROM audit
         WHERE tenant = $1 AND consult_id = $2 AND outcome = 'granted' AND action IN ('joined', 'admitted', 'left')
           AND person_id IS NOT NULL AND role IS NOT NULL
         ORDER BY nr LIMIT $3",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .bind(PASSAGES_MAX)
    .fetch_all(tx.connection())
    .await?;
    let passage = |row: &AnyRow| {
        Ok(Passage {
            at_ms: row.try_get("at")?,
            person: parsed(row, "person_id")?,
            role: parsed(row, "role")?,
            request: row.try_get::<Option<&str>, _>("request")?.and_then(|request| request.parse().ok()),
            came: row.try_get::<&str, _>("action")? != "left",
        })
    };
    rows.iter().map(passage).collect()
}

fn parsed<T: std::str::FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    row.try_get::<&str, _>(column)?.parse().map_err(|_| StoreError::Malformed(column))
}

/// Entries that no link names, whether they are in line to be sealed or not.
pub(crate) async fn unsealed(tx: &mut TenantTx) -> Result<Unsealed, StoreError> {
    if tx.has_row_security() {
        // It looks at every entry that there is, for whoever verifies or drops and has time; no request waits for it.
        sqlx::query("SET LOCAL statement_timeout = 0").execute(tx.connection()).await?;
    }
    let row = sqlx::query(
        "SELECT count(*) AS entries, min(a.at) AS oldest FROM audit a
         WHERE a.tenant = $1
           AND NOT EXISTS (SELECT 1 FROM audit_links l WHERE l.tenant = a.tenant AND l.entry = a.entry)",
    )
    .bind(tx.tenant().as_str())
    .fetch_one(tx.connection())
    .await?;
    let count = row.try_get::<i64, _>("entries")?.unsigned_abs();
    Ok(Unsealed { count, oldest_at_ms: row.try_get("oldest")? })
}

fn entry_of(row: &AnyRow) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry {
        id: row.try_get("entry")?,
        version: row.try_get("version")?,
        at_ms: row.try_get("at")?,
        action: row.try_get("action")?,
        outcome: row.try_get("outcome")?,
        actor: row.try_get("actor")?,
        asserted_by: row.try_get("asserted_by")?,
        surface: row.try_get("surface")?,
        patient: row.try_get("patient")?,
        consult: row.try_get("consult_id")?,
        participant: row.try_get("participant")?,
        person: row.try_get("person_id")?,
        role: row.try_get("role")?,
        detail: row.try_get("detail")?,
        address: row.try_get("address")?,
        request: row.try_get("request")?,
        duration_us: row.try_get("duration_us")?,
    })
}
