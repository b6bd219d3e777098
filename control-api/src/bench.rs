//! What benches need beyond the API: the same read with and without its audit entry. Not in any build but theirs.

use std::time::Instant;

use crate::{ApiKey, ControlApi, audit::RequestId, auth::Request, ids::PersonId};

impl ControlApi {
    /// Reads a person as a back end with this secret; tells whether that went well.
    pub async fn bench_read(&self, secret: &str, person: PersonId, is_audited: bool) -> bool {
        let Some(key) = ApiKey::parse(secret) else { return false };
        let request = Request { id: RequestId::from_bytes([0; 16]), address: None, started: Instant::now() };
        let Ok(caller) = self.caller(&key, request).await else { return false };
        if is_audited {
            return self.read_person(caller, person).await.is_ok();
        }
        let Ok(mut tx) = self.store.read(caller.tenant).await else { return false };
        self.person_as_kept(&mut tx, person).await.is_ok()
    }
}
