//! `consilium master-key` where a file holds the keys.

use std::sync::Arc;

use control_api::{
    MasterKeyChange,
    keys::{LocalMasterKeys, MasterFile, MasterKeys, NewMasterKey},
};

use super::{super::shell::Shell, Where};
use crate::{config::Config, failure::Failure};

pub async fn create(at: &Where, config: &Config) -> Result<(), Failure> {
    let file = file(config)?;
    file.is_to_be_made()?;
    let key = NewMasterKey::draw();
    // First the entry, as with every other change. Nothing is sealed for it: the keys that would seal are still to be made.
    if at.has_store(config)? {
        let shell = Shell::open_under(config, Arc::new(LocalMasterKeys::ephemeral())).await?;
        shell.api.note_master_key(MasterKeyChange::Created, key.name().clone()).await?;
        shell.close().await;
    }
    Ok(file.create_with(&key)?)
}

pub async fn rotate(at: &Where, config: &Config) -> Result<(), Failure> {
    let file = file(config)?;
    // First the store: what cannot be put down is not done.
    let shell = at.shell(config).await?;
    let key = NewMasterKey::draw();
    let name = key.name().clone();
    if let Some(shell) = shell {
        shell.api.note_master_key(MasterKeyChange::Rotated, name.clone()).await?;
        shell.close().await;
    }
    file.rotate_to(&key)?;
    println!("{name} wraps from now on: send SIGHUP to every node that has this file");
    Ok(())
}

pub async fn retire(at: &Where, config: &Config) -> Result<(), Failure> {
    let file = file(config)?;
    let shell = Shell::open(&at.config).await?;
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

fn file(config: &Config) -> Result<MasterFile, Failure> {
    if let Some(variable) = &config.master_keys_variable {
        let text = format!("the master keys are in the environment variable {variable}: change them there");
        return Err(text.into());
    }
    Ok(MasterFile::at(config.master_keys_file()))
}
