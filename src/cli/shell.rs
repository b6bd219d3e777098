//! What commands need that act on a node's store beside it.

use std::{path::Path, sync::Arc};

use control_api::{ControlApi, Store};

use crate::{config::Config, failure::Failure, keys::NodeKeys, wiring::NothingRuns};

/// The rules over a node's store, for one command.
pub struct Shell {
    pub api: ControlApi,
    store: Store,
}

impl Shell {
    pub async fn open(config: &Path) -> Result<Self, Failure> {
        let config = Config::load(config)?;
        // First the keys: that makes the folder.
        let keys = NodeKeys::load_or_generate(&config.data)?;
        let store = Store::open(&config.database()?).await?;
        let master = Arc::new(config.master_keys()?);
        let api = ControlApi::new(store.clone(), keys.tickets.signer, Arc::new(NothingRuns), master)
            .with_sign_in_networks(config.sign_in_networks.clone())
            .listing_erasures(config.erasures_file());
        Ok(Self { api, store })
    }

    pub async fn close(self) {
        self.store.close().await;
    }
}
