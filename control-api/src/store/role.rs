//! With which role a node may log in to PostgreSQL.

use sqlx::{AnyPool, Row as _};

use super::StoreError;

/// Refuses a role to which row-level security does not apply, or that could switch it off: a superuser, one with
/// `BYPASSRLS`, and one that owns a table, be it through another role that it is a member of
/// (PostgreSQL, "Row Security Policies").
pub(super) async fn check(pool: &AnyPool) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM pg_roles
                  WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')) AS above,
                (SELECT count(*) FROM pg_class
                  WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
                    AND pg_has_role(current_user, relowner, 'MEMBER')) AS owned",
    )
    .fetch_one(pool)
    .await?;
    let (above, owned): (i64, i64) = (row.try_get("above")?, row.try_get("owned")?);
    if above > 0 {
        return Err(StoreError::RoleTooPowerful(
            "is a superuser or has BYPASSRLS, itself or through a membership",
        ));
    }
    if owned > 0 {
        return Err(StoreError::RoleTooPowerful("owns tables, itself or through a membership"));
    }
    Ok(())
}
