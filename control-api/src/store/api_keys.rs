//! Table `api_keys`.

use super::{Act, Store, StoreError};

impl Store {
    /// The id of the key with this hash, unless it was revoked.
    pub(crate) async fn api_key_id(&self, secret_hash: &[u8]) -> Result<Option<String>, StoreError> {
        let id = sqlx::query_scalar("SELECT id FROM api_keys WHERE secret_hash = ? AND revoked_at IS NULL")
            .bind(secret_hash)
            .fetch_optional(&self.pool)
            .await?;
        Ok(id)
    }
}

pub(crate) async fn insert(
    act: &mut Act,
    id: &str,
    secret_hash: &[u8],
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO api_keys (id, secret_hash, created_at) VALUES (?, ?, ?)")
        .bind(id)
        .bind(secret_hash)
        .bind(now_ms)
        .execute(&mut **act)
        .await?;
    Ok(())
}
