//! Which token, which keys of it, and where its PIN comes from.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{
    super::{KeyFault, MasterName, fault::misconfigured, secret_file},
    error::TokenError,
};
use crate::limits::{MASTER_KEYS_MAX, TOKEN_LABEL_BYTES_MAX, TOKEN_PIN_BYTES_MAX};

/// What is known of a token before it is asked.
#[derive(Debug)]
pub struct Settings {
    library: PathBuf,
    token: String,
    newest: (MasterName, String),
    older: Vec<(MasterName, String)>,
    pin: PinSource,
    refused: OnceLock<String>,
    is_lost: AtomicBool,
}

/// Where the PIN of a token is read each time that somebody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// One line of a file that others may not read.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

impl Settings {
    pub fn new(library: &Path, token: &str, keys: &[String], pin: PinSource) -> Result<Self, KeyFault> {
        if !library.is_absolute() {
            return Err(misconfigured(&library.display(), "is no whole path of a PKCS #11 library"));
        }
        if !(1..=TOKEN_LABEL_BYTES_MAX).contains(&token.len()) {
            return Err(misconfigured(&"the label of a token", "has 1 to 32 bytes"));
        }
        let named = keys.iter().map(|label| Ok((name_of(token, label)?, label.clone())));
        let mut named = named.collect::<Result<Vec<_>, KeyFault>>()?.into_iter();
        let newest =
            named.next().ok_or_else(|| misconfigured(&"the list of a token's keys", "names no key"))?;
        if keys.len() > MASTER_KEYS_MAX || keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
            let problem = format!("names a key twice, or more than {MASTER_KEYS_MAX}");
            return Err(misconfigured(&"the list of a token's keys", &problem));
        }
        Ok(Self {
            library: library.to_owned(),
            token: token.to_owned(),
            newest,
            older: named.collect(),
            pin,
            refused: OnceLock::new(),
            is_lost: AtomicBool::new(false),
        })
    }

    pub fn library(&self) -> &Path {
        &self.library
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// The key that wraps: its name and its label.
    pub fn newest(&self) -> (&MasterName, &str) {
        (&self.newest.0, &self.newest.1)
    }

    pub fn names(&self) -> Vec<MasterName> {
        self.all().map(|(name, _)| name.clone()).collect()
    }

    pub fn labels(&self) -> Vec<String> {
        self.all().map(|(_, label)| label.clone()).collect()
    }

    pub fn label(&self, master: &MasterName) -> Option<&str> {
        self.all().find(|(name, _)| name == master).map(|(_, label)| label.as_str())
    }

    pub fn pin(&self) -> Result<AuthPin, TokenError> {
        match self.refused.get() {
            Some(reason) => Err(TokenError::Misconfigured(reason.clone())),
            None => self.pin.read().map_err(TokenError::Fault),
        }
    }

    /// That the token refuses the PIN. Tokens lock after a few wrong ones: it is not tried again.
    pub fn refuse(&self, why: &str) -> TokenError {
        let reason =
            format!("it refuses the PIN ({why}), which is not tried again before SIGHUP or a restart");
        tracing::error!(token = self.token, why, "the token of the master keys refuses the PIN");
        TokenError::Misconfigured(self.refused.get_or_init(|| reason).clone())
    }

    /// Whether it was when it was asked last.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// Says in the log when the token is lost, and when it is there again.
    pub fn note<T>(&self, done: &Result<T, TokenError>) {
        let is_lost = match done {
            Ok(_) => false,
            Err(TokenError::Lost(_)) => true,
            Err(_) => return,
        };
        if self.is_lost.swap(is_lost, Ordering::Relaxed) == is_lost {
            return;
        }
        match done {
            Err(TokenError::Lost(reason)) => {
                tracing::error!(token = self.token, reason, "the token of the master keys does not answer");
            }
            _ => tracing::info!(token = self.token, "the token of the master keys answers again"),
        }
    }

    fn all(&self) -> impl Iterator<Item = &(MasterName, String)> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

impl PinSource {
    fn read(&self) -> Result<AuthPin, KeyFault> {
        let (text, origin) = match self {
            Self::File(path) => (secret_file::read(path, TOKEN_PIN_BYTES_MAX)?, path.display().to_string()),
            Self::Variable(variable) => {
                let value = env::var(variable);
                let value = value.map_err(|_| misconfigured(variable, "is not set, or not text"))?;
                (Zeroizing::new(value), variable.clone())
            }
        };
        let pin = text.trim_end_matches(['\r', '\n']);
        if pin.is_empty() || pin.contains('\n') {
            return Err(misconfigured(&origin, "has to hold one line, the PIN"));
        }
        Ok(AuthPin::new(pin.into()))
    }
}

/// `pkcs11:TOKEN/KEY`, with what is not a letter, a digit or one of `-._~` as in a URL.
fn name_of(token: &str, label: &str) -> Result<MasterName, KeyFault> {
    if label.is_empty() {
        return Err(misconfigured(&"the label of a key", "has at least one byte"));
    }
    let name = format!("pkcs11:{}/{}", in_url(token), in_url(label)).parse();
    name.map_err(|_| misconfigured(&label, "is too long for the label of a key"))
}

fn in_url(label: &str) -> String {
    let mut text = String::with_capacity(label.len());
    for byte in label.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(library: &str, token: &str, keys: &[&str]) -> Result<Settings, String> {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        let pin = PinSource::Variable("CONSILIUM_NO_SUCH_PIN".to_owned());
        Settings::new(Path::new(library), token, &keys, pin).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_key_s_name_says_token_and_label_in_printable_words() {
        let settings = settings("/lib.so", "Klinik Süd", &["2026/a", "2025"]).expect("good settings");
        let names: Vec<_> = settings.names().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["pkcs11:Klinik%20S%C3%BCd/2026%2Fa", "pkcs11:Klinik%20S%C3%BCd/2025"]);
        assert_eq!(settings.newest().1, "2026/a");
        assert_eq!(settings.label(&settings.names()[1]), Some("2025"));
    }

    #[test]
    fn settings_that_name_no_token_or_key_are_refused() {
        let many: Vec<_> = (0..=MASTER_KEYS_MAX).map(|i| i.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let (long, long_token) = ("k".repeat(250), "t".repeat(33));
        for (library, token, keys, said) in [
            ("lib.so", "t", &["a"][..], "whole path"),
            ("/lib.so", "", &["a"], "1 to 32 bytes"),
            ("/lib.so", &long_token, &["a"], "1 to 32 bytes"),
            ("/lib.so", "t", &[], "names no key"),
            ("/lib.so", "t", &["a", "a"], "twice"),
            ("/lib.so", "t", &many, "more than 16"),
            ("/lib.so", "t", &[""], "at least one byte"),
            ("/lib.so", "t", &[&long], "too long"),
        ] {
            let fault = settings(library, token, keys).expect_err("refused");
            assert!(fault.contains(said), "{fault}");
        }
    }
}
