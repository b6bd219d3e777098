//! `consilium signing-key list --config FILE` and `revoke --kid KID`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::rfc3339;

use super::shell::Shell;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct SigningKeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Prints the public keys that nodes believe: what each signs, its kid, since and until when it signs.
    List {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Takes a key back: within seconds nothing is good any more that it has signed, and its node signs with a new one.
    Revoke {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Which, by the kid that `list` prints.
        #[arg(long)]
        kid: String,
    },
}

impl SigningKeyCommand {
    pub async fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::List { config } => {
                let shell = Shell::open(&config).await?;
                for key in shell.api.published_keys().await? {
                    let (since, until) = (rfc3339(key.since_ms), rfc3339(key.signs_until_ms));
                    println!("{}\t{}\t{since}\t{until}", key.signs, key.key.kid());
                }
                shell.close().await;
            }
            Action::Revoke { config, kid } => {
                let shell = Shell::open(&config).await?;
                shell.api.revoke_signing_key(&kid).await?;
                shell.close().await;
            }
        }
        Ok(())
    }
}
