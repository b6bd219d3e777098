//! Table `portal_origins`, and in `tenants` the version of each tenant's.

use media_model::TenantId;
use sqlx::{Row as _, any::AnyRow};

use super::{Store, StoreError, TenantTx};
use crate::PortalOrigin;

impl Store {
    /// Every tenant but [`TenantId::SYSTEM`], and which version of its origins there is.
    pub(crate) async fn portal_versions(&self) -> Result<Vec<(TenantId, i64)>, StoreError> {
        let rows = sqlx::query("SELECT id, portals_version FROM tenants WHERE id <> $1")
            .bind(TenantId::SYSTEM.as_str())
            .fetch_all(self.readers()?)
            .await?;
        let version = |row: &AnyRow| {
            let id = row.try_get::<&str, _>("id")?.parse();
            Ok((id.map_err(|_| StoreError::Malformed("a tenant's name"))?, row.try_get("portals_version")?))
        };
        rows.iter().map(version).collect()
    }
}

/// Begins a change; the version that there is from now on. Two who change a tenant's at once do so one after the other.
pub(crate) async fn begin_change(tx: &mut TenantTx) -> Result<Option<i64>, StoreError> {
    let tenant = tx.tenant();
    sqlx::query("UPDATE tenants SET portals_version = portals_version + 1 WHERE id = $1")
        .bind(tenant.as_str())
        .execute(tx.connection())
        .await?;
    version(tx).await
}

/// Which version there is; none where there is no such tenant.
pub(crate) async fn version(tx: &mut TenantTx) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("SELECT portals_version FROM tenants WHERE id = $1")
        .bind(tx.tenant().as_str())
        .fetch_optional(tx.connection())
        .await?;
    Ok(row.map(|row| row.try_get("portals_version")).transpose()?)
}

/// All of the tenant's, in the order of their text.
pub(crate) async fn all(tx: &mut TenantTx) -> Result<Vec<PortalOrigin>, StoreError> {
    let rows = sqlx::query("SELECT origin FROM portal_origins WHERE tenant = $1")
        .bind(tx.tenant().as_str())
        .fetch_all(tx.connection())
        .await?;
    let origin = |row: &AnyRow| {
        let text = row.try_get::<&str, _>("origin")?;
        text.parse().map_err(|_| StoreError::Malformed("a portal's origin"))
    };
    let mut origins = rows.iter().map(origin).collect::<Result<Vec<PortalOrigin>, StoreError>>()?;
    origins.sort_unstable();
    Ok(origins)
}

/// The tenant has these from now on, and no others.
pub(crate) async fn replace(tx: &mut TenantTx, origins: &[PortalOrigin]) -> Result<(), StoreError> {
    let tenant = tx.tenant();
    sqlx::query("DELETE FROM portal_origins WHERE tenant = $1")
        .bind(tenant.as_str())
        .execute(tx.connection())
        .await?;
    for origin in origins {
        sqlx::query("INSERT INTO portal_origins (tenant, origin) VALUES ($1, $2)")
            .bind(tenant.as_str())
            .bind(origin.as_str())
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}
