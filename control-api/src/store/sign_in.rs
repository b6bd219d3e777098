//! Tables `sign_in` and `sign_in_states`: where a tenant's people sign in, and which sign-ins have come back.

use sqlx::Row as _;

use super::{StoreError, TenantTx};

/// Where a tenant's people sign in, as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct SignIn {
    pub issuer: String,
    pub client_id: String,
    /// Sealed.
    pub secret: Option<Vec<u8>>,
    pub mfa_required: bool,
    /// With a space between them.
    pub mfa_acr: String,
    pub idle_s: i64,
    pub return_to: Option<String>,
}

/// Puts down where the tenant's people sign in from now on.
pub(crate) async fn set(tx: &mut TenantTx, sign_in: &SignIn, now_ms: i64) -> Result<(), StoreError> {
    remove(tx).await?;
    sqlx::query(
        "INSERT INTO sign_in (tenant, issuer, client_id, secret, mfa_required, mfa_acr, idle_s, return_to, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tx.tenant().as_str())
    .bind(sign_in.issuer.as_str())
    .bind(sign_in.client_id.as_str())
    .bind(sign_in.secret.as_deref())
    .bind(i64::from(sign_in.mfa_required))
    .bind(sign_in.mfa_acr.as_str())
    .bind(sign_in.idle_s)
    .bind(sign_in.return_to.as_deref())
    .bind(now_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Nobody signs in any more; false if nobody did.
pub(crate) async fn remove(tx: &mut TenantTx) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM sign_in WHERE tenant = $1")
        .bind(tx.tenant().as_str())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Where the tenant's people sign in.
pub(crate) async fn find(tx: &mut TenantTx) -> Result<Option<SignIn>, StoreError> {
    let row = sqlx::query(
        "SELECT issuer, client_id, secret, mfa_required, mfa_acr, idle_s, return_to FROM sign_in WHERE tenant = $1",
    )
    .bind(tx.tenant().as_str())
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SignIn {
        issuer: row.try_get("issuer")?,
        client_id: row.try_get("client_id")?,
        secret: row.try_get("secret")?,
        mfa_required: row.try_get::<i64, _>("mfa_required")? != 0,
        mfa_acr: row.try_get("mfa_acr")?,
        idle_s: row.try_get("idle_s")?,
        return_to: row.try_get("return_to")?,
    }))
}

/// Takes a sign-in that has come back; false if it had before.
pub(crate) async fn claim_state(
    tx: &mut TenantTx,
    state_hash: &[u8],
    expires_at_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO sign_in_states (tenant, state_hash, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant, state_hash) DO NOTHING",
    )
    .bind(tx.tenant().as_str())
    .bind(state_hash)
    .bind(expires_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets sign-ins that could not come back again anyway.
pub(crate) async fn forget_states(tx: &mut TenantTx, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sign_in_states WHERE tenant = $1 AND expires_at <= $2")
        .bind(tx.tenant().as_str())
        .bind(now_ms)
        .execute(tx.connection())
        .await?;
    Ok(())
}
