//! `consilium client create --config FILE --tenant TENANT --name NAME`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::permissions::Scope;
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
        /// What it may do; once for each (docs/control-api.md has the list).
        #[arg(long = "scope", value_name = "SCOPE", default_values_t = [Scope::ConsultsWrite, Scope::TicketsWrite])]
        scopes: Vec<Scope>,
    },
}

impl ClientCommand {
    pub async fn run(self) -> Result<(), Failure> {
        let Action::Create { config, tenant, name, scopes } = self.action;
        let shell = Shell::open(&config).await?;
        let key = shell.api.create_client(tenant, &name, scopes.into_iter().collect()).await?;
        // The key alone on standard output, for scripts.
        if let Some(id) = shell.api.client_id(&key).await? {
            eprintln!("client_id for OAuth 2: {id}");
        }
        println!("{}", key.reveal());
        shell.close().await;
        Ok(())
    }
}
