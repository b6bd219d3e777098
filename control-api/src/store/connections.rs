//! Table `connections`: how each connection to a consult was. Rows are added, never changed.

use media_model::ConsultId;
use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::{
    appointments::{Connection, Quality},
    limits::CONNECTIONS_KEPT_MAX,
};

/// Adds one, unless it is there, its consult is not, or its person has had too many.
pub(crate) async fn insert(tx: &mut TenantTx, connection: &Connection) -> Result<(), StoreError> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let round_trip = connection.round_trip.map(|time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
    sqlx::query(
        "INSERT INTO connections (tenant, consult_id, id, person, packets, lost, round_trip_us, broke)
         SELECT tenant, id, $3, $4, $5, $6, $7, $8 FROM consults WHERE tenant = $1 AND id = $2
             AND (SELECT count(*) FROM connections WHERE tenant = $1 AND consult_id = $2 AND person = $4) < $9
         ON CONFLICT DO NOTHING",
    )
    .bind(tx.tenant().as_str())
    .bind(connection.consult.to_string())
    .bind(connection.id.to_string())
    .bind(connection.person.to_string())
    .bind(number(connection.packets))
    .bind(number(connection.lost))
    .bind(round_trip)
    .bind(i64::from(connection.broke))
    .bind(CONNECTIONS_KEPT_MAX)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How well each person was connected to a consult, by those of their connections that are over.
pub(crate) async fn qualities(tx: &mut TenantTx, consult: ConsultId) -> Result<Vec<Quality>, StoreError> {
    let rows = sqlx::query(
        "SELECT person, CAST(sum(packets) AS BIGINT) AS packets, CAST(sum(lost) AS BIGINT) AS lost,
             max(round_trip_us) AS round_trip_us, CAST(sum(broke) AS BIGINT) AS broke
         FROM connections WHERE tenant = $1 AND consult_id = $2 GROUP BY person ORDER BY person",
    )
    .bind(tx.tenant().as_str())
    .bind(consult.to_string())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(quality_of).collect()
}

fn quality_of(row: &AnyRow) -> Result<Quality, StoreError> {
    let packets = row.try_get::<i64, _>("packets")?.max(1);
    let lost = row.try_get::<i64, _>("lost")?.clamp(0, packets);
    let permille = (i128::from(lost) * 1_000 + i128::from(packets) / 2) / i128::from(packets);
    let round_trip_us: Option<i64> = row.try_get("round_trip_us")?;
    Ok(Quality {
        person: row.try_get::<&str, _>("person")?.parse().map_err(|_| StoreError::Malformed("person"))?,
        loss_permille: u16::try_from(permille).unwrap_or(1_000),
        round_trip_ms: round_trip_us.map(|time| u32::try_from((time + 500) / 1_000).unwrap_or(u32::MAX)),
        interruptions: u32::try_from(row.try_get::<i64, _>("broke")?).unwrap_or(u32::MAX),
    })
}
