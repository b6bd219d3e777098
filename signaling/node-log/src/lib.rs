//! A file of a node's own that outlasts the process and a power cut: records are added at its end, and one flush of the disk
//! serves everybody who waits for theirs.
//!
//! ```text
//! header   "consilium node log 1\n"
//! batch    length, 4 bytes │ first 8 bytes of its SHA-256 │ its records, each: length, 4 bytes │ bytes
//! batch    …
//! ```
//!
//! Numbers are big-endian. A batch is written and flushed before the next one begins, so that only the last one can be torn; it was promised to
//! nobody and is cut off when the file is opened. Whatever else does not fit its digest is damage, and the file is not opened.
//!
//! Room of [`Limits::reserve_bytes`] is kept on the disk beyond the end. Records that somebody waits for are refused where it cannot
//! be renewed; those that must not fail, [`NodeLog::note`], may use it up.
//!
//! | file | holds |
//! |---|---|
//! | `format.rs` | batches and records as bytes |
//! | `file.rs` | the file: opened, added to, begun anew |
//! | `writer.rs` | the thread that writes |

mod file;
mod format;
#[cfg(test)]
mod tests;
mod writer;

use std::{io, path::Path, path::PathBuf};

pub use self::writer::NodeLog;
use self::{file::LogFile, format::Fault};

/// The longest record.
pub const RECORD_BYTES_MAX: usize = 192 * 1024;

/// What a log may take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The file, reserve included.
    pub bytes_max: u64,
    /// What is kept free for records that must not fail.
    pub reserve_bytes: u64,
}

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no such file, or of another version.
    #[error("{0} is not a node log of this version")]
    NotALog(PathBuf),
    /// It is longer than it may be.
    #[error("{path} is longer than {bytes_max} bytes")]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// It was changed, or the disk did not keep it.
    #[error("{path} is damaged at byte {offset}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
}

/// A record that would not survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Only the reserve is left.
    #[error("the node log is full")]
    Full,
    /// The disk refused, or the record is too long.
    #[error("the node log cannot be written")]
    Unwritable,
}

/// Opens a log, or begins it; what is in it.
pub fn open(path: &Path, limits: Limits) -> Result<(NodeLog, Vec<Vec<u8>>), OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let bytes = match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > limits.bytes_max => {
            return Err(OpenError::TooLong { path: path.to_owned(), bytes_max: limits.bytes_max });
        }
        Ok(_) => std::fs::read(path).map_err(io)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(io(error)),
    };
    let read = format::read(&bytes).map_err(|fault| match fault {
        Fault::NotALog => OpenError::NotALog(path.to_owned()),
        Fault::Damaged { offset } => OpenError::Damaged { path: path.to_owned(), offset },
    })?;
    let torn = bytes.len() - read.good_bytes;
    if torn > 0 && !bytes.is_empty() {
        tracing::warn!(path = %path.display(), bytes = torn, "cut off what was being written when the node stopped");
    }
    let file = if read.good_bytes == 0 {
        LogFile::begin(path, limits, &[])
    } else {
        LogFile::go_on(path, limits, read.good_bytes as u64)
    };
    let log = NodeLog::start(file.map_err(io)?).map_err(io)?;
    Ok((log, read.records))
}
