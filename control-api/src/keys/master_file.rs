//! A file of master keys.
//!
//! ```text
//! # comments and empty lines are left out
//! consilium_master_<43 characters of base64url: 256 bits>     this one wraps
//! consilium_master_<43 characters of base64url: 256 bits>     older ones unwrap
//! ```
//!
//! Nobody but its owner may write to it; the group may read it, for that is how systemd's credentials and the secrets
//! of Kubernetes arrive; others may not even do that.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{KeyFault, KeyMaterial, MasterName, fault::misconfigured, local::name_of, secret_file};
use crate::{limits::MASTER_FILE_BYTES_MAX, whole_file};

/// What a key starts with, so that secret scanners recognise one.
const PREFIX: &str = "consilium_master_";
/// 32 bytes in base64url without padding.
const DIGITS: usize = 43;

const HEADER: &str = "# Master keys of Consilium: the first wraps, all unwrap. Whoever has this file and the database\n\
                      # reads everything; whoever loses it reads nothing. Keep a copy apart from the database.\n";

/// A file of master keys, existing or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterFile(PathBuf);

/// A key that is in no file yet.
pub struct NewMasterKey {
    name: MasterName,
    line: Zeroizing<String>,
}

impl NewMasterKey {
    /// From the operating system's random source.
    pub fn draw() -> Self {
        let key = KeyMaterial::draw();
        let line = line(&key);
        Self { name: name_of(key), line }
    }

    /// What it will be called.
    pub const fn name(&self) -> &MasterName {
        &self.name
    }
}

impl fmt::Debug for NewMasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMasterKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl MasterFile {
    /// The file at this path; nothing is read yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a new file with one new key, readable by its owner only. A file that is there is an error, and stays.
    pub fn create(&self) -> Result<(), KeyFault> {
        self.create_with(&NewMasterKey::draw())
    }

    /// The same with a key whose name is known before it is in the file.
    pub fn create_with(&self, key: &NewMasterKey) -> Result<(), KeyFault> {
        let mut text = Zeroizing::new(String::with_capacity(MASTER_FILE_BYTES_MAX));
        for part in [HEADER, &key.line, "\n"] {
            text.push_str(part);
        }
        let beside = self.beside();
        let put = || {
            write_new(&beside, &text, None)?;
            // A link is refused where a file is, which a renaming would replace.
            let linked = fs::hard_link(&beside, &self.0);
            fs::remove_file(&beside)?;
            linked.and_then(|()| whole_file::sync_folder_of(&self.0))
        };
        put().map_err(|error| self.cannot("be created", &error))
    }

    /// Whether a file may be made here: an error where one is.
    pub fn is_to_be_made(&self) -> Result<(), KeyFault> {
        let is_there = fs::symlink_metadata(&self.0).is_ok();
        if is_there { Err(self.cannot("be created", &io::ErrorKind::AlreadyExists.into())) } else { Ok(()) }
    }

    /// Puts a new key before the others, in one step; owner and mode stay.
    pub fn rotate(&self) -> Result<(), KeyFault> {
        self.rotate_to(&NewMasterKey::draw())
    }

    /// The same with a key whose name is known before it is in the file.
    pub fn rotate_to(&self, key: &NewMasterKey) -> Result<(), KeyFault> {
        let path = fs::canonicalize(&self.0).map_err(|error| self.cannot("be found", &error))?;
        let file = Self(path);
        let old = file.read()?;
        keys(&old).map_err(|problem| misconfigured(&self.0.display(), problem))?;
        let mut text = Zeroizing::new(String::with_capacity(2 * MASTER_FILE_BYTES_MAX));
        let is_key = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let before: usize = old.split_inclusive('\n').take_while(|line| !is_key(line)).map(str::len).sum();
        let (comments, older) = old.split_at(before);
        for part in [comments, &key.line, "\n", older] {
            text.push_str(part);
        }
        file.replace(&text).map_err(|error| self.cannot("be rotated", &error))
    }

    /// Takes out the keys of which `is_unused` says so, in one step, and names them. The one that wraps stays.
    pub fn retire(&self, is_unused: impl Fn(&MasterName) -> bool) -> Result<Vec<MasterName>, KeyFault> {
        let path = fs::canonicalize(&self.0).map_err(|error| self.cannot("be found", &error))?;
        let file = Self(path);
        let old = file.read()?;
        let all = keys(&old).map_err(|problem| misconfigured(&self.0.display(), problem))?;
        let mut text = Zeroizing::new(String::with_capacity(MASTER_FILE_BYTES_MAX));
        text.push_str(HEADER);
        let mut retired = Vec::new();
        for (place, key) in all.into_iter().enumerate() {
            let line = line(&key);
            let name = name_of(key);
            if place > 0 && is_unused(&name) {
                retired.push(name);
                continue;
            }
            text.push_str(&line);
            text.push('\n');
        }
        if !retired.is_empty() {
            file.replace(&text).map_err(|error| self.cannot("be changed", &error))?;
        }
        Ok(retired)
    }

    /// Puts a text in the place of the file's; owner and mode stay.
    fn replace(&self, text: &str) -> io::Result<()> {
        let beside = self.beside();
        write_new(&beside, text, Some(&fs::metadata(&self.0)?))?;
        fs::rename(&beside, &self.0)?;
        whole_file::sync_folder_of(&self.0)
    }

    /// The text, if nobody but those who may could read or write it.
    pub(super) fn read(&self) -> Result<Zeroizing<String>, KeyFault> {
        secret_file::read(&self.0, MASTER_FILE_BYTES_MAX)
    }

    /// Where the next text is written before it takes the file's place. Two who rotate at once meet here.
    fn beside(&self) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(".new");
        name.into()
    }

    fn cannot(&self, what: &str, error: &io::Error) -> KeyFault {
        secret_file::cannot(&self.0, what, error)
    }
}

/// The keys of a text, in its order.
pub(super) fn keys(text: &str) -> Result<Vec<KeyMaterial>, &'static str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(|line| line.split(|c: char| c == ',' || c.is_whitespace()));
    let words = words.filter(|word| !word.is_empty());
    words.map(|word| parse(word).ok_or("holds something that is no master key")).collect()
}

/// A key as a line of the file.
pub(super) fn line(key: &KeyMaterial) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(PREFIX.len() + DIGITS));
    line.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(key.reveal(), &mut line);
    line
}

fn parse(word: &str) -> Option<KeyMaterial> {
    let digits = word.strip_prefix(PREFIX).filter(|digits| digits.len() == DIGITS)?;
    let mut bytes = Zeroizing::new([0; DIGITS]);
    let length = URL_SAFE_NO_PAD.decode_slice(digits, &mut bytes[..]).ok()?;
    KeyMaterial::take(bytes.get_mut(..length)?).ok()
}

/// Writes a file that is not there yet, with the owner and mode of `like`, and flushes it.
fn write_new(path: &Path, text: &str, like: Option<&fs::Metadata>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut fill = || {
        if let Some(like) = like {
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (like.uid(), like.gid()) {
                fchown(&file, Some(like.uid()), Some(like.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o777))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let filled = fill();
    if filled.is_err() {
        fs::remove_file(path)?;
    }
    filled
}
