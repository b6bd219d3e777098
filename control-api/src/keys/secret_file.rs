//! Files that hold a secret: master keys, or the PIN of a token.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use zeroize::Zeroizing;

use super::{KeyFault, fault::misconfigured};

/// The text, if nobody but those who may could read or write it.
pub(super) fn read(path: &Path, bytes_max: usize) -> Result<Zeroizing<String>, KeyFault> {
    let mut file = File::open(path).map_err(|error| cannot(path, "be opened", &error))?;
    // Asked of the open file, so that it cannot be exchanged between the look and the reading.
    let found = file.metadata().map_err(|error| cannot(path, "be looked at", &error))?;
    if !found.is_file() {
        return Err(misconfigured(&path.display(), "is not a regular file"));
    }
    let mode = found.mode() & 0o777;
    if mode & 0o037 != 0 {
        let problem = format!(
            "has mode {mode:04o}: it may be open to its owner and its group's reading only (chmod 600)"
        );
        return Err(misconfigured(&path.display(), &problem));
    }
    // Room enough from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    let read = Read::by_ref(&mut file).take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| cannot(path, "be read", &error))?;
    if bytes.len() > bytes_max {
        return Err(misconfigured(&path.display(), "is too long"));
    }
    let text = str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| misconfigured(&path.display(), "is not text"))
}

/// That it cannot be used, and what the system says.
pub(super) fn cannot(path: &Path, what: &str, error: &io::Error) -> KeyFault {
    misconfigured(&path.display(), &format!("cannot {what}: {error}"))
}
