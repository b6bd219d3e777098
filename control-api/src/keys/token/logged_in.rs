//! A token that the PIN has opened.

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
};
use zeroize::Zeroizing;

use super::{
    super::{
        cipher::{NONCE_BYTES, TAG_BYTES},
        material::KEY_BYTES,
    },
    error::{TokenError, Undecrypted, answer_of, is_about_the_pin},
    settings::Settings,
};

/// A login, and the keys that were looked at since.
pub struct LoggedIn {
    library: Pkcs11,
    slot: Slot,
    session: Session,
    keys: BTreeMap<String, ObjectHandle>,
}

impl LoggedIn {
    pub fn to(library: &Pkcs11, settings: &Settings) -> Result<Self, TokenError> {
        let slot = slot_of(library, settings.token())?;
        let session = library.open_ro_session(slot)?;
        if library.get_token_info(slot)?.user_pin_final_try() {
            let reason =
                "one more wrong PIN locks it: log in with the right one by its maker's tool, then try again";
            return Err(TokenError::Misconfigured(reason.to_owned()));
        }
        match session.login(UserType::User, Some(&settings.pin()?)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) if is_about_the_pin(&error) => return Err(settings.refuse(&answer_of(&error))),
            Err(error) => return Err(error.into()),
        }
        Ok(Self { library: library.clone(), slot, session, keys: BTreeMap::new() })
    }

    /// Goes from a token that is lost: what it says to that is of no interest.
    pub fn leave(self) {
        let _ = self.session.close();
    }

    /// Whether the keys are there and good, and the first of them encrypts and decrypts as it has to.
    pub fn check(&mut self, labels: &[String]) -> Result<(), TokenError> {
        for label in labels {
            self.key(label)?;
        }
        labels.first().map_or(Ok(()), |label| self.works(label))
    }

    /// Whether a key has this label.
    pub fn has(&mut self, label: &str) -> Result<bool, TokenError> {
        Ok(!self.found(label)?.is_empty())
    }

    /// Makes a key that encrypts and decrypts within this token and nowhere else.
    pub fn make(&mut self, label: &str) -> Result<(), TokenError> {
        let writing = self.library.open_rw_session(self.slot)?;
        writing.generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen((KEY_BYTES as u64).into()),
                Attribute::Label(label.as_bytes().to_vec()),
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::Wrap(false),
                Attribute::Unwrap(false),
                Attribute::Sign(false),
                Attribute::Verify(false),
                Attribute::Derive(false),
            ],
        )?;
        self.key(label).map(|_| ())
    }

    /// Nonce, ciphertext and tag.
    pub fn encrypt(&mut self, label: &str, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, TokenError> {
        let key = self.key(label)?;
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce).expect("the system's random source works");
        let sealed = self.session.encrypt(&gcm(&mut nonce, context)?, key, plaintext)?;
        if sealed.len() != plaintext.len() + TAG_BYTES {
            let reason = "it does AES-GCM in a way of its own: ciphertext and a tag of 16 bytes are expected";
            return Err(TokenError::Misconfigured(reason.to_owned()));
        }
        // There are tokens that draw the nonce themselves, and leave it where ours was.
        Ok([&nonce[..], &sealed].concat())
    }

    /// The plaintext; `None` where these bytes were not encrypted under the key in this context.
    pub fn decrypt(
        &mut self,
        label: &str,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, TokenError> {
        let key = self.key(label)?;
        let Some((nonce, ciphertext)) = sealed.split_first_chunk::<NONCE_BYTES>() else { return Ok(None) };
        let mut nonce = *nonce;
        let opened = self.session.decrypt(&gcm(&mut nonce, context)?, key, ciphertext);
        match opened.map_err(Undecrypted::from) {
            Ok(plaintext) => Ok(Some(Zeroizing::new(plaintext))),
            Err(Undecrypted::NotAuthentic) => Ok(None),
            // If it still does as it should, then it is the bytes.
            Err(Undecrypted::Either(error)) => match (self.works(label), error) {
                (Ok(()), _) | (Err(TokenError::Misconfigured(_)), TokenError::Lost(_)) => Ok(None),
                (Err(_), error) => Err(error),
            },
        }
    }

    /// Whether what the key encrypts is decrypted again.
    fn works(&mut self, label: &str) -> Result<(), TokenError> {
        let (key, context, mut nonce) = (self.key(label)?, b"consilium", [0; NONCE_BYTES]);
        let plaintext = [0; KEY_BYTES];
        let sealed = self.encrypt(label, context, &plaintext)?;
        let (head, ciphertext) = sealed.split_at(NONCE_BYTES);
        nonce.copy_from_slice(head);
        if self.session.decrypt(&gcm(&mut nonce, context)?, key, ciphertext)? != plaintext {
            return Err(TokenError::Misconfigured("it does not decrypt what it has encrypted".to_owned()));
        }
        Ok(())
    }

    /// The key of this label, if it is one, of the right kind, and stays where it is.
    fn key(&mut self, label: &str) -> Result<ObjectHandle, TokenError> {
        if let Some(key) = self.keys.get(label) {
            return Ok(*key);
        }
        let key = match self.found(label)?[..] {
            [key] => key,
            [] => return Err(wrong(label, "is not there: `consilium master-key create` makes it")),
            _ => return Err(wrong(label, "is not the only one of this label")),
        };
        let wanted = [
            AttributeType::KeyType,
            AttributeType::ValueLen,
            AttributeType::Sensitive,
            AttributeType::Extractable,
        ];
        let is = self.session.get_attributes(key, &wanted)?;
        let is_aes_256 = is.contains(&Attribute::KeyType(KeyType::AES))
            && is.contains(&Attribute::ValueLen((KEY_BYTES as u64).into()));
        if !is_aes_256 {
            return Err(wrong(label, "is no AES key of 256 bits"));
        }
        if !is.contains(&Attribute::Sensitive(true)) || !is.contains(&Attribute::Extractable(false)) {
            return Err(wrong(label, "can be taken out of it: it has to be sensitive and not extractable"));
        }
        self.keys.insert(label.to_owned(), key);
        Ok(key)
    }

    fn found(&mut self, label: &str) -> Result<Vec<ObjectHandle>, TokenError> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Token(true),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        Ok(self.session.find_objects(&template)?)
    }
}

fn gcm<'b>(nonce: &'b mut [u8], context: &'b [u8]) -> Result<Mechanism<'b>, TokenError> {
    let tag_bits = (TAG_BYTES as u64 * 8).into();
    Ok(Mechanism::AesGcm(GcmParams::new(nonce, context, tag_bits)?))
}

fn slot_of(library: &Pkcs11, token: &str) -> Result<Slot, TokenError> {
    let mut others = Vec::new();
    let mut found = Vec::new();
    for slot in library.get_slots_with_token()? {
        // One that does not answer is not there.
        let Ok(info) = library.get_token_info(slot) else { continue };
        match info.label().trim_end() {
            label if label == token => found.push(slot),
            label => others.push(format!("`{label}`")),
        }
    }
    match found[..] {
        [slot] => Ok(slot),
        [] => Err(TokenError::Lost(format!("it is not there; there are: {}", others.join(", ")))),
        _ => Err(TokenError::Misconfigured("it is not the only one of this label".to_owned())),
    }
}

fn wrong(label: &str, problem: &str) -> TokenError {
    TokenError::Misconfigured(format!("key `{label}` {problem}"))
}
