//! `consilium tenant create --config FILE NAME`, `sign-in` and `rotate-key`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use media_model::TenantId;

use super::{shell::Shell, sign_in::SignIn};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct TenantCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a tenant: a clinic, or a group of them, that sees nothing of the others.
    Create {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// What links and the audit log call it: up to 40 lower-case letters, digits and hyphens.
        name: TenantId,
    },
    /// Has a tenant's people sign in by OpenID Connect from now on.
    SignIn(SignIn),
    /// Has nobody of a tenant sign in any more, and signs out whoever is.
    NoSignIn {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose people.
        #[arg(long)]
        tenant: TenantId,
    },
    /// Gives a tenant a new sealing key, and wraps its people's keys under it. Nodes go on meanwhile.
    RotateKey {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose key.
        name: TenantId,
    },
}

impl TenantCommand {
    pub async fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create { config, name } => {
                let shell = Shell::open(&config).await?;
                shell.api.create_tenant(name).await?;
                shell.close().await;
            }
            Action::SignIn(command) => command.run().await?,
            Action::NoSignIn { config, tenant } => {
                let shell = Shell::open(&config).await?;
                shell.api.remove_sign_in(tenant).await?;
                shell.close().await;
            }
            Action::RotateKey { config, name } => {
                let shell = Shell::open(&config).await?;
                let renewed = shell.api.rotate_tenant_key(name).await?;
                println!("{} people's keys are wrapped under the new key", renewed.of_people);
                shell.close().await;
            }
        }
        Ok(())
    }
}
