//! `consilium master-key create | rotate | list | retire`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::keys::{LocalMasterKeys, MasterFile};

use super::shell::Shell;
use crate::{config::Config, failure::Failure};

#[derive(Debug, Args)]
pub struct MasterKeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes the file with a first key. A file that is there stays.
    Create(Where),
    /// Puts a new key before the others; nodes take it up when they are sent SIGHUP.
    Rotate(Where),
    /// Says which keys there are, the one that wraps first, and how many tenants' keys each wraps.
    List(Where),
    /// Takes keys out of the file that wrap nothing any more.
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
        match self.action {
            Action::Create(at) => Ok(at.file()?.create()?),
            Action::Rotate(at) => at.rotate(),
            Action::List(at) => at.list().await,
            Action::Retire(at) => at.retire().await,
        }
    }
}

impl Where {
    fn file(&self) -> Result<MasterFile, Failure> {
        let config = Config::load(&self.config)?;
        if let Some(variable) = &config.master_keys_variable {
            return Err(format!(
                "the master keys are in the environment variable {variable}: change them there"
            )
            .into());
        }
        Ok(MasterFile::at(config.master_keys_file()))
    }

    fn rotate(&self) -> Result<(), Failure> {
        let file = self.file()?;
        file.rotate()?;
        let names = LocalMasterKeys::from_file(file.path())?.names();
        let newest = names.first().map(ToString::to_string).unwrap_or_default();
        println!("{newest} wraps from now on: send SIGHUP to every node that has this file");
        Ok(())
    }

    async fn list(&self) -> Result<(), Failure> {
        let names = Config::load(&self.config)?.master_keys()?.names();
        let shell = Shell::open(&self.config).await?;
        let in_use = shell.api.master_keys_in_use().await?;
        shell.close().await;
        for name in &names {
            println!("{name}: wraps {} keys", in_use.get(name).copied().unwrap_or_default());
        }
        for (name, keys) in in_use.iter().filter(|(name, _)| !names.contains(name)) {
            println!("{name}: wraps {keys} keys and is not among them");
        }
        Ok(())
    }

    async fn retire(&self) -> Result<(), Failure> {
        let file = self.file()?;
        let shell = Shell::open(&self.config).await?;
        let in_use = shell.api.master_keys_in_use().await?;
        shell.close().await;
        for name in file.retire(|name| !in_use.contains_key(name))? {
            println!("{name} is gone from the file");
        }
        Ok(())
    }
}
