//! Keys: one signer, and the public keys of all whose tokens are good.

use std::{fmt, marker::PhantomData, sync::Arc};

use arc_swap::ArcSwap;
use aws_lc_rs::{
    digest,
    signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey},
};

use super::{
    TicketError,
    claims::{ResumeToken, Ticket, Token},
    jws::{self, Unverified},
};

/// Signs tickets; the control API holds it.
pub type TicketSigner = Signer<Ticket>;
/// Verifies tickets; every node holds one.
pub type TicketVerifier = Verifier<Ticket>;
/// Signs resume tokens; a node holds it.
pub type ResumeSigner = Signer<ResumeToken>;
/// Verifies resume tokens; the same node holds it.
pub type ResumeVerifier = Verifier<ResumeToken>;

/// Bytes that are no Ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key")]
pub struct InvalidKey;

/// A public key and the `kid` that tokens call it by.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    bytes: [u8; 32],
}

impl PublicKey {
    /// A key from its 32 bytes (RFC 8032 §5.1.5).
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, InvalidKey> {
        ParsedPublicKey::new(&ED25519, bytes).map_err(|_| InvalidKey)?;
        let hash = digest::digest(&digest::SHA256, &bytes);
        let kid = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { kid, bytes })
    }

    /// The key's name: the first 8 bytes of its SHA-256, in hexadecimal.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its 32 bytes (RFC 8032 §5.1.5).
    pub const fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", self.kid)
    }
}

/// A private key for one kind of token. Clones are handles to the same: what one turns to, all sign with.
pub struct Signer<T> {
    key: Arc<ArcSwap<Key>>,
    kind: PhantomData<fn(&T)>,
}

struct Key {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl<T: Token> Signer<T> {
    /// A new key from the operating system's random source.
    pub fn generate() -> Result<Self, InvalidKey> {
        Self::from_pair(Ed25519KeyPair::generate().map_err(|_| InvalidKey)?)
    }

    /// A key kept as PKCS #8 (RFC 8410 §7).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKey> {
        Self::from_pair(Ed25519KeyPair::from_pkcs8(der).map_err(|_| InvalidKey)?)
    }

    /// The key as PKCS #8 version 2 (RFC 5958 §2), to be kept. A secret: never to be logged.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, InvalidKey> {
        self.key.load().pair.to_pkcs8().map(|document| document.as_ref().to_vec()).map_err(|_| InvalidKey)
    }

    /// The other half, for verifiers.
    pub fn public_key(&self) -> PublicKey {
        self.key.load().public.clone()
    }

    /// Signs with the other's key from now on, and every clone of this does.
    pub fn turn_to(&self, other: &Self) -> Result<(), InvalidKey> {
        let pair = Ed25519KeyPair::from_pkcs8(&other.to_pkcs8()?).map_err(|_| InvalidKey)?;
        self.key.store(Arc::new(Key::of(pair)?));
        Ok(())
    }

    /// The token in its compact form. It is a secret until it has been used.
    pub fn sign(&self, token: &T) -> String {
        let key = self.key.load();
        let input = jws::signing_input(T::TYP, key.public.kid(), &token.to_claims());
        let signature = key.pair.sign(input.as_bytes());
        jws::compact(input, signature.as_ref())
    }

    fn from_pair(pair: Ed25519KeyPair) -> Result<Self, InvalidKey> {
        Ok(Self { key: Arc::new(ArcSwap::from_pointee(Key::of(pair)?)), kind: PhantomData })
    }
}

impl Key {
    fn of(pair: Ed25519KeyPair) -> Result<Self, InvalidKey> {
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| InvalidKey)?;
        Ok(Self { pair, public: PublicKey::from_bytes(bytes)? })
    }
}

impl<T> Clone for Signer<T> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), kind: PhantomData }
    }
}

impl<T> fmt::Debug for Signer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("public", &self.key.load().public).finish_non_exhaustive()
    }
}

/// The public keys for one kind of token. Clones are handles to the same: whom one trusts, all do.
pub struct Verifier<T> {
    keys: Arc<ArcSwap<Trusted>>,
    kind: PhantomData<fn() -> T>,
}

type Trusted = Vec<(PublicKey, ParsedPublicKey)>;

impl<T: Token> Verifier<T> {
    /// Accepts what any of the keys has signed: the new and the old one while keys are being changed, those of other nodes.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, InvalidKey> {
        Ok(Self { keys: Arc::new(ArcSwap::from_pointee(parsed(keys)?)), kind: PhantomData })
    }

    /// Accepts what any of these keys has signed from now on, and no other.
    pub fn trust(&self, keys: impl IntoIterator<Item = PublicKey>) -> Result<(), InvalidKey> {
        self.keys.store(Arc::new(parsed(keys)?));
        Ok(())
    }

    /// What the token says, if it is genuine and its time is now (seconds since 1970).
    ///
    /// Whether it was taken back or used before is not known here.
    pub fn verify(&self, token: &str, now_unix_s: u64) -> Result<T, TicketError> {
        let token = self.genuine(token)?;
        token.check_time(now_unix_s)?;
        Ok(token)
    }

    /// What the token says, if it is genuine, whatever the time. It opens nothing before [`Token::check_time`] was asked.
    pub fn genuine(&self, token: &str) -> Result<T, TicketError> {
        let token = Unverified::parse(token, T::TYP)?;
        let keys = self.keys.load();
        let (_, key) = keys.iter().find(|(key, _)| key.kid == token.kid).ok_or(TicketError::Invalid)?;
        key.verify_sig(token.signed, &token.signature).map_err(|_| TicketError::Invalid)?;
        T::from_claims(token.into_claims()?)
    }
}

fn parsed(keys: impl IntoIterator<Item = PublicKey>) -> Result<Trusted, InvalidKey> {
    let parse = |key: PublicKey| match ParsedPublicKey::new(&ED25519, key.bytes) {
        Ok(parsed) => Ok((key, parsed)),
        Err(_) => Err(InvalidKey),
    };
    keys.into_iter().map(parse).collect()
}

impl<T> Clone for Verifier<T> {
    fn clone(&self) -> Self {
        Self { keys: Arc::clone(&self.keys), kind: PhantomData }
    }
}

impl<T> fmt::Debug for Verifier<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.load().iter().map(|(key, _)| key)).finish()
    }
}

/// A node's own key for one kind of token, and those whose tokens it believes.
#[derive(Debug)]
pub struct KeyRing<T> {
    /// What this node signs with.
    pub signer: Signer<T>,
    /// Whose tokens are good here.
    pub verifier: Verifier<T>,
}

impl<T: Token> KeyRing<T> {
    /// A ring in which nobody is believed but whoever has this key.
    pub fn of(signer: Signer<T>) -> Result<Self, InvalidKey> {
        Ok(Self { verifier: Verifier::new([signer.public_key()])?, signer })
    }
}

impl<T> Clone for KeyRing<T> {
    fn clone(&self) -> Self {
        Self { signer: self.signer.clone(), verifier: self.verifier.clone() }
    }
}
