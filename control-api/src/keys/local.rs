//! Master keys that this process holds itself.

use std::{env, path::Path};

use zeroize::Zeroizing;

use super::{
    KeyFault, KeyFuture, KeyMaterial, KeyName, KeyVersion, MasterFile, MasterKeys, MasterName, Wrapped,
    cipher,
    envelope::{self, Envelope, Kind},
    fault::misconfigured,
    master_file,
};
use crate::limits::MASTER_KEYS_MAX;

/// Master keys from a file or an environment variable, as they were when it was read; see [`MasterFile`] for their form.
///
/// A file is the better place: a variable can be read in `/proc` and is handed on to child processes.
#[derive(Debug)]
pub struct LocalMasterKeys {
    newest: NamedKey,
    older: Vec<NamedKey>,
}

#[derive(Debug)]
struct NamedKey {
    name: MasterName,
    key: KeyMaterial,
}

impl LocalMasterKeys {
    /// Reads a file of master keys.
    pub fn from_file(path: &Path) -> Result<Self, KeyFault> {
        let text = MasterFile::at(path).read()?;
        Self::parse(&text).map_err(|problem| misconfigured(&path.display(), problem))
    }

    /// Reads an environment variable, in which commas may stand for line ends.
    pub fn from_env(variable: &str) -> Result<Self, KeyFault> {
        let value = env::var(variable).map_err(|_| misconfigured(&variable, "is not set, or not text"))?;
        Self::parse(&Zeroizing::new(value)).map_err(|problem| misconfigured(&variable, problem))
    }

    /// Draws a master key that nobody else has: whatever it wraps is lost with this value. For tests.
    pub fn ephemeral() -> Self {
        Self::of(KeyMaterial::draw())
    }

    fn of(key: KeyMaterial) -> Self {
        Self { newest: NamedKey::new(key), older: Vec::new() }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut keys = master_file::keys(text)?.into_iter();
        let mut parsed = Self::of(keys.next().ok_or("holds no key")?);
        for key in keys.map(NamedKey::new) {
            if parsed.all().any(|other| other.name == key.name) {
                return Err("holds a key twice");
            }
            if parsed.all().count() >= MASTER_KEYS_MAX {
                return Err("holds too many keys");
            }
            parsed.older.push(key);
        }
        Ok(parsed)
    }

    fn all(&self) -> impl Iterator<Item = &NamedKey> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    fn unwrapped(&self, name: KeyName, wrapped: &Wrapped) -> Result<KeyMaterial, KeyFault> {
        let master = wrapped.master();
        let known = self.all().find(|key| key.name == *master);
        let known = known.ok_or_else(|| KeyFault::UnknownMaster { master: master.clone() })?;
        let envelope = Envelope::parse(Kind::TenantKey, wrapped.bytes())?;
        let mut bytes =
            envelope
                .open(&known.key, &name.bound_to(master).each_ref().map(String::as_str), || name.what())?;
        KeyMaterial::take(&mut bytes)
    }
}

impl MasterKeys for LocalMasterKeys {
    fn newest(&self) -> MasterName {
        self.newest.name.clone()
    }

    fn names(&self) -> Vec<MasterName> {
        self.all().map(|key| key.name.clone()).collect()
    }

    fn wrap<'a>(&'a self, name: KeyName, key: &'a KeyMaterial) -> KeyFuture<'a, Wrapped> {
        let NamedKey { name: master, key: wrapping } = &self.newest;
        let fields = name.bound_to(master);
        let fields = fields.each_ref().map(String::as_str);
        let bytes = envelope::seal(Kind::TenantKey, name.version, wrapping, &fields, key.reveal());
        let wrapped = Wrapped::new(master.clone(), bytes);
        Box::pin(std::future::ready(wrapped))
    }

    fn unwrap<'a>(&'a self, name: KeyName, wrapped: &'a Wrapped) -> KeyFuture<'a, KeyMaterial> {
        Box::pin(std::future::ready(self.unwrapped(name, wrapped)))
    }
}

impl NamedKey {
    /// The name comes from the key, so that two keys never share one, whatever file they stand in.
    fn new(key: KeyMaterial) -> Self {
        let context = envelope::context(envelope::header(Kind::MasterName, KeyVersion::FIRST), &[]);
        let digits: String =
            cipher::derive(&key, &context).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("local:{digits}").parse().expect("the name is short and printable");
        Self { name, key }
    }
}

/// What a key is called; the key itself is wiped.
pub(super) fn name_of(key: KeyMaterial) -> MasterName {
    NamedKey::new(key).name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_missing_or_holds_something_else_is_named_but_not_shown() {
        let missing = LocalMasterKeys::from_env("CONSILIUM_NO_SUCH_VARIABLE").map(|_| ());
        assert_eq!(missing, Err(misconfigured(&"CONSILIUM_NO_SUCH_VARIABLE", "is not set, or not text")));
        let path = LocalMasterKeys::from_env("PATH").map(|_| ());
        assert_eq!(path, Err(misconfigured(&"PATH", "holds something that is no master key")));
    }

    #[test]
    fn a_list_of_keys_needs_one_takes_few_and_none_twice() {
        let key = |i: usize| master_file::line(&KeyMaterial::take(&mut [i as u8; 32]).expect("32 bytes"));
        let list = |n: usize| (0..n).map(|i| key(i).to_string()).collect::<Vec<_>>();
        let parse = |text: &str| LocalMasterKeys::parse(text).map(|keys| keys.all().count());
        assert_eq!(parse("# nothing\n"), Err("holds no key"));
        assert_eq!(parse(&list(MASTER_KEYS_MAX).join("\n")), Ok(MASTER_KEYS_MAX));
        assert_eq!(parse(&list(MASTER_KEYS_MAX + 1).join(",")), Err("holds too many keys"));
        assert_eq!(parse(&format!("{0} {0}", key(1).as_str())), Err("holds a key twice"));
        assert_eq!(parse(&format!("{}x", key(1).as_str())), Err("holds something that is no master key"));
        assert_eq!(parse(&key(1)[..59]), Err("holds something that is no master key"));
    }
}
