//! What commands need that act on a node's store beside it.

use std::{path::Path, sync::Arc};

use control_api::{ControlApi, Store, keys::MasterKeys};

use crate::{config::Config, failure::Failure, keys::NodeKeys, wiring::NothingRuns};

/// The rules over a node's store, for one command.
pub struct Shell {
    pub api: ControlApi,
    store: Store,
}

impl Shell {
    pub async fn open(config: &Path) -> Result<Self, Failure> {
        let config = Config::load(config)?;
        // First the keys of the node: that makes the folder.
        let keys = NodeKeys::load_or_generate(&config.data)?;
        let master = Arc::new(config.master_keys()?);
        Self::over(&config, keys, master).await
    }

    /// Under other master keys than those of the configuration, which may still have to be made.
    pub async fn open_under(config: &Config, master: Arc<dyn MasterKeys>) -> Result<Self, Failure> {
        let keys = NodeKeys::load_or_generate(&config.data)?;
        Self::over(config, keys, master).await
    }

    async fn over(config: &Config, keys: NodeKeys, master: Arc<dyn MasterKeys>) -> Result<Self, Failure> {
        let store = Store::open(&config.database()?).await?;
        let api = ControlApi::new(store.clone(), keys.tickets.signer, Arc::new(NothingRuns), master)
            .with_sign_in_networks(config.sign_in_networks.clone())
            .listing_erasures(config.erasures_file());
        Ok(Self { api, store })
    }

    pub async fn close(self) {
        self.store.close().await;
    }
}
