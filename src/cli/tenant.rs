//! `consilium tenant create --config FILE NAME`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use media_model::TenantId;

use super::shell::Shell;
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
}

impl TenantCommand {
    pub async fn run(self) -> Result<(), Failure> {
        let Action::Create { config, name } = self.action;
        let shell = Shell::open(&config).await?;
        shell.api.create_tenant(name).await?;
        shell.close().await;
        Ok(())
    }
}
