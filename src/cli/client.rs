//! `consilium client create --config FILE --tenant TENANT --name NAME`, `list` and `revoke`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::{permissions::Scope, rfc3339};
use media_model::TenantId;

use super::shell::Shell;
use crate::failure::Failure;

/// What a portal needs that has consults without appointments.
const DEFAULT_SCOPES: [Scope; 3] = [Scope::ConsultsCreate, Scope::ConsultsWrite, Scope::TicketsWrite];

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
        #[arg(long = "scope", value_name = "SCOPE", default_values_t = DEFAULT_SCOPES)]
        scopes: Vec<Scope>,
    },
    /// Prints the tenant's clients: id, since when, until when, what they may do.
    List {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose back ends they are.
        #[arg(long)]
        tenant: TenantId,
    },
    /// Revokes a client at once: neither its key nor a token of its opens anything any more.
    Revoke {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose back end it is.
        #[arg(long)]
        tenant: TenantId,
        /// Which, by the id that `list` prints.
        #[arg(long)]
        id: String,
    },
}

impl ClientCommand {
    pub async fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create { config, tenant, name, scopes } => {
                let shell = Shell::open(&config).await?;
                let key = shell.api.create_client(tenant, &name, scopes.into_iter().collect()).await?;
                // The key alone on standard output, for scripts.
                if let Some(id) = shell.api.client_id(&key).await? {
                    eprintln!("client_id for OAuth 2: {id}");
                }
                println!("{}", key.reveal());
                shell.close().await;
            }
            Action::List { config, tenant } => {
                let shell = Shell::open(&config).await?;
                for client in shell.api.clients_from_shell(tenant).await? {
                    let until = client.revoked_at_ms.map_or_else(|| "good".to_owned(), rfc3339);
                    println!("{}\t{}\t{until}\t{}", client.id, rfc3339(client.created_at_ms), client.scopes);
                }
                shell.close().await;
            }
            Action::Revoke { config, tenant, id } => {
                let shell = Shell::open(&config).await?;
                shell.api.revoke_client_from_shell(tenant, &id).await?;
                shell.close().await;
            }
        }
        Ok(())
    }
}
