//! `consilium master-key` where a token holds the keys. Which of them are used, the configuration says.

use control_api::{
    MasterKeyChange,
    keys::{MasterKeys, TokenMasterKeys},
};

use super::{super::shell::Shell, Where};
use crate::{config::Config, failure::Failure};

pub async fn create(at: &Where, config: &Config, token: &TokenMasterKeys) -> Result<(), Failure> {
    let Some(name) = token.first_missing().await? else {
        let text = "every key of `keys` in [master_keys_token] is in the token: nothing was made. For a new one put \
                    another label first in `keys`, then run this again";
        return Err(text.into());
    };
    // First the entry: what cannot be put down is not done.
    if let Some(shell) = at.shell(config).await? {
        shell.api.note_master_key(MasterKeyChange::Created, name.clone()).await?;
        shell.close().await;
    }
    token.make(&name).await?;
    println!("{name} is in the token: send SIGHUP to every node whose configuration lists it");
    Ok(())
}

pub fn rotate() -> Result<(), Failure> {
    let text = "the master keys are in a token: nothing was changed. Put a new label first in `keys` of \
                [master_keys_token], run `consilium master-key create`, and send SIGHUP; with several nodes put it below the \
                others first, and at the top once every node was sent SIGHUP";
    Err(text.into())
}

/// A list in a file that people write is theirs to change.
pub async fn retire(at: &Where, config: &Config, token: &TokenMasterKeys) -> Result<(), Failure> {
    let shell = Shell::open(&at.config).await?;
    let in_use = shell.api.master_keys_in_use().await?;
    shell.close().await;
    let of_token = token.names();
    // But for the first, which wraps.
    for name in of_token.iter().skip(1).filter(|name| !in_use.contains_key(name)) {
        println!("{name} wraps nothing: its label may go from `keys`");
    }
    let beside: Vec<_> =
        config.master_keys()?.names().into_iter().filter(|name| !of_token.contains(name)).collect();
    if !beside.is_empty() && beside.iter().all(|name| !in_use.contains_key(name)) {
        println!("master_keys_file or master_keys_variable may go: what is in there wraps nothing");
    }
    let text = "the master keys are in a token: nothing was changed. Take labels that wrap nothing out of `keys` of \
                [master_keys_token], on every node, and send SIGHUP to every node";
    Err(text.into())
}
