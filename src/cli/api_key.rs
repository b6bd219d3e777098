//! `consilium api-key create --config FILE --name NAME`

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use control_api::{ControlApi, Store};

use crate::{config::Config, failure::Failure, keys::NodeKeys, wiring::NothingRuns};

#[derive(Debug, Args)]
pub struct ApiKeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a key and prints it; it cannot be shown again.
    Create {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// What the audit log calls its holder: letters, digits and hyphens.
        #[arg(long)]
        name: String,
    },
}

impl ApiKeyCommand {
    pub async fn run(self) -> Result<(), Failure> {
        let Action::Create { config, name } = self.action;
        let config = Config::load(&config)?;
        // First the keys: that makes the folder.
        let keys = NodeKeys::load_or_generate(&config.data)?;
        let store = Store::open(&config.database_file()).await?;
        let api = ControlApi::new(store.clone(), keys.ticket_signer.clone(), Arc::new(NothingRuns));
        let key = api.create_key(&name).await?;
        println!("{}", key.reveal());
        store.close().await;
        Ok(())
    }
}
