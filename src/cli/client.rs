//! `consilium client create --config FILE --tenant TENANT --name NAME`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use media_model::TenantId;

use super::shell::Shell;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct ClientCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a back end's API key and prints it; it cannot be shown again.
    Create {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose back end it is.
        #[arg(long)]
        tenant: TenantId,
        /// What the audit log calls it: letters, digits and hyphens.
        #[arg(long)]
        name: String,
    },
}

impl ClientCommand {
    pub async fn run(self) -> Result<(), Failure> {
        let Action::Create { config, tenant, name } = self.action;
        let shell = Shell::open(&config).await?;
        let key = shell.api.create_client(tenant, &name).await?;
        println!("{}", key.reveal());
        shell.close().await;
        Ok(())
    }
}
