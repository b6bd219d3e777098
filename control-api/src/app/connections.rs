//! How people's connections were, as signaling found when each was over. Nobody has accessed anything by it: it is in no audit log.

use super::{ControlApi, seen::is_for_good};
use crate::{StoreError, appointments::Connection, store};

impl ControlApi {
    /// Keeps how these connections were, those that are known already and those of consults that are not there left out. Returns when
    /// all of it is on disk; after an error none of it counts. What the database refuses for good is dropped: it must hold up no entry.
    pub async fn keep_connections(&self, connections: &[Connection]) -> Result<(), StoreError> {
        match self.insert_connections(connections).await {
            Err(error) if is_for_good(&error) => {
                tracing::error!(%error, "how connections were cannot be kept");
                Ok(())
            }
            kept => kept,
        }
    }

    async fn insert_connections(&self, connections: &[Connection]) -> Result<(), StoreError> {
        let Some(first) = connections.first() else { return Ok(()) };
        let mut act = self.store.begin(first.tenant).await?;
        for connection in connections {
            if act.tenant() != connection.tenant {
                act.turn_to(connection.tenant).await?;
            }
            store::connections::insert(&mut act, connection).await?;
        }
        self.commit(act).await
    }
}
