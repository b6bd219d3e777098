//! `consilium master-key create | rotate | list | retire`

mod file;
mod token;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::{Database, keys::MasterKeys};

use super::shell::Shell;
use crate::{config::Config, failure::Failure};

#[derive(Debug, Args)]
pub struct MasterKeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes the file with a first key, or in a token the first key of the list that is not there. What is there stays.
    Create(Where),
    /// Puts a new key before the others in the file; nodes take it up when they are sent SIGHUP.
    Rotate(Where),
    /// Says which keys there are, the one that wraps first, and how many tenants' keys each wraps.
    List(Where),
    /// Takes keys out of the file that wrap nothing any more; of a token's, says which may go.
    Retire(Where),
}

#[derive(Debug, Args)]
struct Where {
    /// The node's configuration file.
    #[arg(long)]
    config: PathBuf,
}

impl MasterKeyCommand {
    pub async fn run(self) -> Result<(), Failure> {
        let (Action::Create(at) | Action::Rotate(at) | Action::List(at) | Action::Retire(at)) = &self.action;
        let config = Config::load(&at.config)?;
        match (&self.action, config.wrapping_token()) {
            (Action::List(_), _) => list(at, &config).await,
            (Action::Create(_), Some(keys)) => token::create(at, &config, &keys.keys()?).await,
            (Action::Rotate(_), Some(_)) => token::rotate(),
            (Action::Retire(_), Some(keys)) => token::retire(at, &config, &keys.keys()?).await,
            (Action::Create(_), None) => file::create(at, &config).await,
            (Action::Rotate(_), None) => file::rotate(at, &config).await,
            (Action::Retire(_), None) => file::retire(at, &config).await,
        }
    }
}

impl Where {
    /// The node's store, once there is one: keys may be made before that.
    async fn shell(&self, config: &Config) -> Result<Option<Shell>, Failure> {
        if self.has_store(config)? { Shell::open(&self.config).await.map(Some) } else { Ok(None) }
    }

    fn has_store(&self, config: &Config) -> Result<bool, Failure> {
        Ok(match config.database()? {
            Database::Sqlite(file) => file.exists(),
            Database::Postgres(_) => config.data.join("keys").exists(),
        })
    }
}

async fn list(at: &Where, config: &Config) -> Result<(), Failure> {
    let keys = config.master_keys()?;
    let names = keys.names();
    let shell = Shell::open(&at.config).await?;
    let in_use = shell.api.master_keys_in_use().await?;
    shell.close().await;
    for name in &names {
        println!("{name}: wraps {} keys", in_use.get(name).copied().unwrap_or_default());
    }
    for (name, keys) in in_use.iter().filter(|(name, _)| !names.contains(name)) {
        println!("{name}: wraps {keys} keys and is not among them");
    }
    Ok(keys.check().await?)
}
