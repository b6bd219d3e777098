//! Where master keys are, and which of them wrap.

use std::{path::PathBuf, sync::Arc};

use control_api::keys::{KeyFault, LocalMasterKeys, MasterFile, MasterKeyRing, MasterKeys};

use super::{Config, TokenConfig};

impl Config {
    /// The master keys, those that wrap first.
    pub fn master_keys(&self) -> Result<MasterKeyRing, KeyFault> {
        let local = || self.local_master_keys().map(|keys| Arc::new(keys) as Arc<dyn MasterKeys>);
        let Some(token) = &self.master_keys_token else {
            return Ok(MasterKeyRing::new(local()?, Vec::new()));
        };
        let of_token = Arc::new(token.keys()?);
        if token.unwraps_only {
            return Ok(MasterKeyRing::new(local()?, vec![of_token]));
        }
        let is_local_named = self.master_keys_file.is_some() || self.master_keys_variable.is_some();
        let others = if is_local_named { vec![local()?] } else { Vec::new() };
        Ok(MasterKeyRing::new(of_token, others))
    }

    /// The token whose first key wraps.
    pub fn wrapping_token(&self) -> Option<&TokenConfig> {
        self.master_keys_token.as_ref().filter(|token| !token.unwraps_only)
    }

    /// Those of a file or a variable. A file that the configuration names has to be there: one that is made anew opens nothing.
    pub fn local_master_keys(&self) -> Result<LocalMasterKeys, KeyFault> {
        if let Some(variable) = &self.master_keys_variable {
            return LocalMasterKeys::from_env(variable);
        }
        let path = self.master_keys_file();
        if self.master_keys_file.is_none() && !path.exists() {
            MasterFile::at(&path).create()?;
        }
        LocalMasterKeys::from_file(&path)
    }

    /// The file of master keys.
    pub fn master_keys_file(&self) -> PathBuf {
        self.master_keys_file.clone().unwrap_or_else(|| self.data.join("keys").join("master.keys"))
    }
}
