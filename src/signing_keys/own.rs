//! This node's key for one use, and the one that comes after it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use control_api::{KeyUse, PublishedKey, limits::SIGNING_KEY_KNOWN_FIRST};
use signaling_protocol::ticket::{InvalidKey, KeyRing, PublicKey, Signer, Token};

use super::{SigningKeysError, Time, known::KnownKeys};
use crate::keys::{KeyFileError, key_file, read, write_secret};

/// So long before its last millisecond a key gets a successor.
const SUCCESSOR_FIRST_MS: i64 = 2 * SIGNING_KEY_KNOWN_FIRST.as_millis() as i64;

/// What is to be done about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// Others have to learn of the one that signs.
    Publish,
    /// It was taken back: a new one signs at once.
    Replace,
    /// Its time is nearly over: others have to learn of a new one.
    Succeed,
    /// Others have to learn of the successor that there is.
    PublishSuccessor,
    /// All know the successor: it signs.
    Turn,
}

/// A key of this node's for one use.
pub trait Own: Send {
    /// What it signs.
    fn signs(&self) -> KeyUse;
    /// What is to be done about it, by what is published now and was published before.
    fn due(&self, published: &[PublishedKey], known: &KnownKeys, now_ms: i64) -> Due;
    /// Does it; what has to be published then.
    fn carry_out(&mut self, due: Due, time: Time) -> Result<Option<PublishedKey>, SigningKeysError>;
    /// Believes it and these.
    fn trust(&self, others: Vec<PublicKey>) -> Result<(), InvalidKey>;
}

/// The key of a ring, whose file is in this folder.
pub fn key<T: Token + 'static>(
    signs: KeyUse,
    ring: &KeyRing<T>,
    folder: &Path,
) -> Result<Box<dyn Own>, KeyFileError> {
    let (file, next_file) = (key_file(folder, signs.as_str()), key_file(folder, &format!("{signs}.next")));
    let next = match read(&next_file)? {
        Some(der) => Some(Signer::from_pkcs8(&der).map_err(|_| KeyFileError::Invalid(next_file.clone()))?),
        None => None,
    };
    Ok(Box::new(OwnKey { signs, ring: ring.clone(), next, file, next_file }))
}

struct OwnKey<T> {
    signs: KeyUse,
    ring: KeyRing<T>,
    next: Option<Signer<T>>,
    file: PathBuf,
    next_file: PathBuf,
}

impl<T: Token> OwnKey<T> {
    fn published(&self, signer: &Signer<T>, time: Time) -> PublishedKey {
        PublishedKey::new(self.signs, signer.public_key(), time.now_ms, time.lifetime)
    }

    fn draw(file: &Path) -> Result<Signer<T>, SigningKeysError> {
        let signer = Signer::generate()?;
        write_secret(file, &signer.to_pkcs8()?)?;
        Ok(signer)
    }
}

impl<T: Token> Own for OwnKey<T> {
    fn signs(&self) -> KeyUse {
        self.signs
    }

    fn due(&self, published: &[PublishedKey], known: &KnownKeys, now_ms: i64) -> Due {
        let find = |key: &PublicKey| published.iter().find(|one| one.signs == self.signs && one.key == *key);
        let key = self.ring.signer.public_key();
        let Some(own) = find(&key) else {
            return if known.has(self.signs, &key) { Due::Replace } else { Due::Publish };
        };
        if now_ms < own.signs_until_ms.saturating_sub(SUCCESSOR_FIRST_MS) {
            return Due::Nothing;
        }
        let Some(next) = self.next.as_ref().map(Signer::public_key) else { return Due::Succeed };
        match find(&next) {
            Some(next)
                if now_ms >= next.since_ms.saturating_add(SIGNING_KEY_KNOWN_FIRST.as_millis() as i64) =>
            {
                Due::Turn
            }
            Some(_) => Due::Nothing,
            None if known.has(self.signs, &next) => Due::Succeed,
            None => Due::PublishSuccessor,
        }
    }

    fn carry_out(&mut self, due: Due, time: Time) -> Result<Option<PublishedKey>, SigningKeysError> {
        match due {
            Due::Nothing => Ok(None),
            Due::Publish => Ok(Some(self.published(&self.ring.signer, time))),
            Due::Replace => {
                tracing::warn!(signs = %self.signs, "this node's key was taken back: a new one signs");
                self.ring.signer.turn_to(&Self::draw(&self.file)?)?;
                Ok(Some(self.published(&self.ring.signer, time)))
            }
            Due::Succeed => {
                let next = Self::draw(&self.next_file)?;
                let published = self.published(&next, time);
                self.next = Some(next);
                Ok(Some(published))
            }
            Due::PublishSuccessor => Ok(self.next.as_ref().map(|next| self.published(next, time))),
            Due::Turn => {
                let moved = fs::rename(&self.next_file, &self.file);
                moved.map_err(|source| KeyFileError::Io { path: self.file.clone(), source })?;
                if let Some(next) = self.next.take() {
                    self.ring.signer.turn_to(&next)?;
                    tracing::info!(signs = %self.signs, key = next.public_key().kid(), "a new key signs");
                }
                Ok(None)
            }
        }
    }

    fn trust(&self, mut others: Vec<PublicKey>) -> Result<(), InvalidKey> {
        let own = self.ring.signer.public_key();
        if !others.contains(&own) {
            others.push(own);
        }
        self.ring.verifier.trust(others)
    }
}
