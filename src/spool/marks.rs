//! Where the spool's chain of records began and ended last, in a file of its own: a spool that was emptied, or whose end was cut
//! off, has less than this says.
//!
//! ```text
//! begins   number, 8 bytes │ hash, 32   │ ends   number, 8 │ hash, 32       sealed
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use control_api::whole_file;

use super::{
    Cipher,
    chain::{HASH_BYTES, Head},
};

const CONTEXT: &[u8] = b"consilium spool head 1";
const HEAD_BYTES: usize = 8 + HASH_BYTES;

/// Of the records that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// What stands before the first.
    pub begins: Head,
    /// What stands behind the last.
    pub ends: Head,
}

/// The file.
pub struct MarksFile(PathBuf);

impl MarksFile {
    /// Beside the spool.
    pub fn beside(spool: &Path) -> Self {
        Self(spool.with_extension("head"))
    }

    /// What it says; nothing if it is not there.
    pub fn read(&self, cipher: &Cipher) -> io::Result<Option<Marks>> {
        let sealed = match fs::read(&self.0) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let marks = cipher.open(CONTEXT, &sealed).and_then(|bytes| marks_of(&bytes));
        marks.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not sealed by this node"))
    }

    /// Has it say this. On disk when it returns; a crash leaves the one before.
    pub async fn write(&self, cipher: &Cipher, marks: Marks) {
        let bytes =
            [marks.begins, marks.ends].map(|head| [&head.number.to_be_bytes()[..], &head.hash].concat());
        let (path, sealed) = (self.0.clone(), cipher.seal(CONTEXT, &bytes.concat()));
        let put = tokio::task::spawn_blocking(move || whole_file::put(&path, &sealed)).await;
        if let Err(error) = put.unwrap_or_else(|failed| Err(io::Error::other(failed))) {
            tracing::warn!(%error, "it cannot be noted where the spool ends: one that is cut would not be noticed");
        }
    }
}

fn marks_of(bytes: &[u8]) -> Option<Marks> {
    let (begins, ends) = bytes.split_at_checked(HEAD_BYTES)?;
    Some(Marks { begins: head_of(begins)?, ends: head_of(ends)? })
}

fn head_of(bytes: &[u8]) -> Option<Head> {
    let (number, hash) = bytes.split_first_chunk()?;
    Some(Head { number: u64::from_be_bytes(*number), hash: hash.try_into().ok()? })
}
