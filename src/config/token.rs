//! `[master_keys_token]`: master keys that never leave a token.

use std::path::PathBuf;

use control_api::keys::{KeyFault, PinSource, TokenMasterKeys};
use serde::Deserialize;

/// A token by its PKCS #11 library and label, and the keys in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The PKCS #11 library of the token's maker.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The labels of its keys: the first wraps, all unwrap.
    pub keys: Vec<String>,
    /// A file with one line, the PIN.
    pub pin_file: Option<PathBuf>,
    /// The environment variable that holds the PIN instead.
    pub pin_variable: Option<String>,
    /// Whether a file or variable wraps instead: for the way back.
    #[serde(default)]
    pub unwraps_only: bool,
}

impl TokenConfig {
    /// The keys. Nothing is asked of the token yet.
    pub fn keys(&self) -> Result<TokenMasterKeys, KeyFault> {
        let pin = match (&self.pin_file, &self.pin_variable) {
            (Some(file), None) => PinSource::File(file.clone()),
            (None, Some(variable)) => PinSource::Variable(variable.clone()),
            _ => {
                let reason = "pin_file and pin_variable: one of them".to_owned();
                return Err(KeyFault::MasterMisconfigured { reason });
            }
        };
        TokenMasterKeys::new(&self.module, &self.token, &self.keys, pin)
    }
}
