//! `consilium master-key create | rotate | list | retire`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::{
    Database, MasterKeyChange,
    keys::{LocalMasterKeys, MasterFile, MasterName, NewMasterKey},
};

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
            Action::Create(at) => at.create().await,
            Action::Rotate(at) => at.rotate().await,
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

    /// The node's store, once there is one: the file may be made before that.
    async fn shell(&self) -> Result<Option<Shell>, Failure> {
        let config = Config::load(&self.config)?;
        let is_there = match config.database()? {
            Database::Sqlite(file) => file.exists(),
            Database::Postgres(_) => config.data.join("keys").exists(),
        };
        if is_there { Shell::open(&self.config).await.map(Some) } else { Ok(None) }
    }

    /// The key that wraps.
    fn newest(&self) -> Result<MasterName, Failure> {
        let names = LocalMasterKeys::from_file(self.file()?.path())?.names();
        Ok(names.into_iter().next().ok_or("the file has no key")?)
    }

    async fn create(&self) -> Result<(), Failure> {
        self.file()?.create()?;
        if let Some(shell) = self.shell().await? {
            shell.api.note_master_key(MasterKeyChange::Created, self.newest()?).await?;
            shell.close().await;
        }
        Ok(())
    }

    async fn rotate(&self) -> Result<(), Failure> {
        // First the store: what cannot be put down is not done.
        let shell = self.shell().await?;
        let key = NewMasterKey::draw();
        let name = key.name().clone();
        if let Some(shell) = shell {
            shell.api.note_master_key(MasterKeyChange::Rotated, name.clone()).await?;
            shell.close().await;
        }
        self.file()?.rotate_to(&key)?;
        println!("{name} wraps from now on: send SIGHUP to every node that has this file");
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
        let names = LocalMasterKeys::from_file(file.path())?.names();
        // But for the first, which wraps.
        for name in names.into_iter().skip(1).filter(|name| !in_use.contains_key(name)) {
            // First the entry: no key goes without one.
            shell.api.note_master_key(MasterKeyChange::Retired, name.clone()).await?;
            file.retire(|one| *one == name)?;
            println!("{name} is gone from the file");
        }
        shell.close().await;
        Ok(())
    }
}
