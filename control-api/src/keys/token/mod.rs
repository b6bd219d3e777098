//! Master keys that never leave a token: a hardware security module, or a key management service by its PKCS #11 library.
//!
//! ```text
//! TokenMasterKeys ── order ──> the library's own thread ── PKCS #11 ──> token
//!   waits a while                logs in, finds keys, encrypts, decrypts; begins anew where the token was lost
//! ```
//!
//! A wrapped key is an envelope, as a local master key makes one, of a kind of its own: AES-256-GCM under the token's key
//! itself, with the same bytes as associated data. AES-GCM takes 2³² random nonces a key (NIST SP 800-38D §8.3): here one
//! is used when a tenant's key is drawn, and when master keys change.

mod error;
mod library;
mod logged_in;
mod settings;

use std::{path::Path, sync::Arc};

use error::TokenError;
use library::Library;
use logged_in::LoggedIn;
pub use settings::PinSource;
use settings::Settings;

use super::{
    KeyFault, KeyFuture, KeyMaterial, KeyName, MasterKeys, MasterName, Wrapped,
    cipher::{NONCE_BYTES, TAG_BYTES},
    envelope::{self, Envelope, Kind},
    material::KEY_BYTES,
};

/// Master keys in a PKCS #11 token. Nothing is asked of it before there is something to do.
///
/// Each call answers within [`crate::limits::TOKEN_CALL_TIMEOUT`]. Where the token does not, it is [`KeyFault::MasterUnavailable`], and the
/// next call logs in anew. A PIN that the token refuses is never tried a second time by the same value.
#[derive(Debug)]
pub struct TokenMasterKeys(Arc<Settings>);

impl TokenMasterKeys {
    /// Keys by their labels, in the token that is called `token`: the first wraps, all unwrap.
    pub fn new(library: &Path, token: &str, keys: &[String], pin: PinSource) -> Result<Self, KeyFault> {
        Settings::new(library, token, keys, pin).map(|settings| Self(Arc::new(settings)))
    }

    /// The first key of the list that is not in the token.
    pub async fn first_missing(&self) -> Result<Option<MasterName>, KeyFault> {
        for name in self.names() {
            let label = self.label(&name)?;
            if !self.order(move |token| token.has(&label)).await? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Makes a key of the list in the token, which it never leaves.
    pub async fn make(&self, name: &MasterName) -> Result<(), KeyFault> {
        let label = self.label(name)?;
        self.order(move |token| token.make(&label)).await
    }

    async fn wrapped(&self, name: KeyName, key: &KeyMaterial) -> Result<Wrapped, KeyFault> {
        let (master, label) = self.0.newest();
        let (header, context) = bound(name, master);
        let (label, key) = (label.to_owned(), KeyMaterial::take(&mut { *key.reveal() })?);
        let sealed = self.order(move |token| token.encrypt(&label, &context, key.reveal())).await?;
        Wrapped::new(master.clone(), [&header[..], &sealed].concat())
    }

    async fn unwrapped(&self, name: KeyName, wrapped: &Wrapped) -> Result<KeyMaterial, KeyFault> {
        let master = wrapped.master();
        let label = self.label(master)?;
        let envelope = Envelope::parse(Kind::TokenKey, wrapped.bytes())?;
        let not_authentic = || KeyFault::NotAuthentic { what: name.what() };
        let sealed = envelope.body().to_vec();
        if envelope.version() != name.version || sealed.len() != NONCE_BYTES + KEY_BYTES + TAG_BYTES {
            return Err(not_authentic());
        }
        let (_, context) = bound(name, master);
        let opened = self.order(move |token| token.decrypt(&label, &context, &sealed)).await?;
        KeyMaterial::take(&mut opened.ok_or_else(not_authentic)?)
    }

    fn label(&self, master: &MasterName) -> Result<String, KeyFault> {
        let label = self.0.label(master).map(str::to_owned);
        label.ok_or_else(|| KeyFault::UnknownMaster { master: master.clone() })
    }

    /// What comes of some work in the token.
    async fn order<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut LoggedIn) -> Result<T, TokenError> + Send + 'static,
    ) -> Result<T, KeyFault> {
        let done = Library::order(&self.0, work).await;
        self.0.note(&done);
        done.map_err(|error| error.into_fault(self.0.token()))
    }
}

impl MasterKeys for TokenMasterKeys {
    fn newest(&self) -> MasterName {
        self.0.newest().0.clone()
    }

    fn names(&self) -> Vec<MasterName> {
        self.0.names()
    }

    fn check(&self) -> KeyFuture<'_, ()> {
        let labels = self.0.labels();
        Box::pin(self.order(move |token| token.check(&labels)))
    }

    fn is_away(&self) -> bool {
        self.0.is_lost()
    }

    fn wrap<'a>(&'a self, name: KeyName, key: &'a KeyMaterial) -> KeyFuture<'a, Wrapped> {
        Box::pin(self.wrapped(name, key))
    }

    fn unwrap<'a>(&'a self, name: KeyName, wrapped: &'a Wrapped) -> KeyFuture<'a, KeyMaterial> {
        Box::pin(self.unwrapped(name, wrapped))
    }
}

/// The first bytes of a wrapped key, and what is bound to it.
fn bound(name: KeyName, master: &MasterName) -> ([u8; envelope::HEADER_BYTES], Vec<u8>) {
    let header = envelope::header(Kind::TokenKey, name.version);
    let fields = name.bound_to(master);
    (header, envelope::context(header, &fields.each_ref().map(String::as_str)))
}
