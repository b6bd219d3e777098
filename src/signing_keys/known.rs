//! The public keys that nodes had published when this one asked last: a line each, beside its own keys.

use std::path::{Path, PathBuf};

use control_api::{KeyUse, PublishedKey};
use signaling_protocol::ticket::PublicKey;

use crate::keys::{KeyFileError, read, write_secret};

/// What the file has.
pub struct KnownKeys {
    path: PathBuf,
    keys: Vec<PublishedKey>,
}

impl KnownKeys {
    /// Reads the file; none is as an empty one. A line that is no key is believed in nothing.
    pub fn open(folder: &Path) -> Result<Self, KeyFileError> {
        let path = folder.join("published.keys");
        let text = read(&path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let keys: Vec<_> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if keys.len() < text.lines().count() {
            tracing::warn!(file = %path.display(), "lines that are no keys are left out");
        }
        Ok(Self { path, keys })
    }

    /// Whether others have more keys, fewer, or others.
    pub fn differ(&self, published: &[PublishedKey]) -> bool {
        self.keys.len() != published.len() || published.iter().any(|key| !self.keys.contains(key))
    }

    /// These are known from now on, and on disk.
    pub fn keep(&mut self, keys: Vec<PublishedKey>) -> Result<(), KeyFileError> {
        let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
        write_secret(&self.path, text.as_bytes())?;
        self.keys = keys;
        Ok(())
    }

    /// Whether this was published when it was asked last.
    pub fn has(&self, signs: KeyUse, key: &PublicKey) -> bool {
        self.keys.iter().any(|known| known.signs == signs && known.key == *key)
    }

    /// What has signed something that may be good now.
    pub fn good(&self, signs: KeyUse, now_ms: i64) -> Vec<PublicKey> {
        let is_good = |known: &&PublishedKey| known.signs == signs && now_ms < known.good_until_ms();
        self.keys.iter().filter(is_good).map(|known| known.key.clone()).collect()
    }
}
