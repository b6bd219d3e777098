//! The file: opened, added to, begun anew.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use crate::{
    Limits,
    format::{self, BATCH_BYTES_MAX, HEADER},
};

/// A log on disk, whole up to its end.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    limits: Limits,
    bytes: u64,
    /// Up to where the disk has kept room.
    kept_bytes: u64,
    /// Something may stand behind the end that a write left there when it failed.
    is_torn: bool,
    /// The folder is known to have the file under its name.
    is_named: bool,
}

impl LogFile {
    /// Goes on behind this many bytes, which are whole.
    pub(crate) fn go_on(path: &Path, limits: Limits, bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        let mut log =
            Self { path: path.to_owned(), file, limits, bytes, kept_bytes: 0, is_torn: true, is_named: true };
        log.mend()?;
        Ok(log)
    }

    /// Makes a file of these records and puts it in the place of the one that may be there, at once.
    pub(crate) fn begin(path: &Path, limits: Limits, records: &[Vec<u8>]) -> io::Result<Self> {
        let mut content = HEADER.to_vec();
        for batch in batches(records) {
            format::write(&mut content, batch.iter().map(Vec::as_slice));
        }
        let aside = path.with_extension("new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(&content)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        let bytes = content.len() as u64;
        let mut log = Self {
            path: path.to_owned(),
            file,
            limits,
            bytes,
            kept_bytes: 0,
            is_torn: false,
            is_named: false,
        };
        // From here on this is the file, and nothing may be added to the other: what fails now is tried again with the next batch.
        if let Err(error) = log.name() {
            tracing::warn!(path = %path.display(), %error, "the folder of the node log cannot be flushed");
        }
        Ok(log)
    }

    /// The same with these records alone.
    pub(crate) fn begun_anew(&self, records: &[Vec<u8>]) -> io::Result<Self> {
        Self::begin(&self.path, self.limits, records)
    }

    /// How long it is.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether so much more goes in and leaves the reserve alone, on the disk as well.
    pub(crate) fn has_room_for(&mut self, more: u64) -> bool {
        let wanted = self.bytes + more + self.limits.reserve_bytes;
        wanted <= self.limits.bytes_max && (wanted <= self.kept_bytes || self.keep(wanted))
    }

    /// Adds records as one batch. They are on disk when this returns; after an error none of them is in the file.
    pub(crate) fn add<'a>(&mut self, records: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
        let mut batch = Vec::new();
        format::write(&mut batch, records);
        let end = self.bytes + batch.len() as u64;
        if end > self.limits.bytes_max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.name()?;
        self.mend()?;
        self.is_torn = true;
        self.file.write_all(&batch)?;
        self.file.sync_data()?;
        (self.bytes, self.is_torn) = (end, false);
        Ok(())
    }

    /// Has the folder's disk know the file by its name.
    fn name(&mut self) -> io::Result<()> {
        if let Some(folder) =
            self.path.parent().filter(|folder| !self.is_named && !folder.as_os_str().is_empty())
        {
            File::open(folder)?.sync_all()?;
        }
        self.is_named = true;
        Ok(())
    }

    /// Cuts off what a failed write may have left.
    fn mend(&mut self) -> io::Result<()> {
        if !self.is_torn {
            return Ok(());
        }
        self.file.set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.sync_all()?;
        (self.kept_bytes, self.is_torn) = (0, false);
        Ok(())
    }

    /// Has the disk keep room up to here. A file system that cannot do so is taken at its word when something is written.
    fn keep(&mut self, end: u64) -> bool {
        // A bit more at a time, so that it is not asked for with each batch.
        let end = (end + self.limits.reserve_bytes).min(self.limits.bytes_max);
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.bytes, end - self.bytes) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                self.kept_bytes = end;
                true
            }
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "no room can be kept for the node log");
                false
            }
        }
    }
}

/// Records in the order they have, as many together as make a batch.
fn batches(mut records: &[Vec<u8>]) -> impl Iterator<Item = &[Vec<u8>]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |record: &&Vec<u8>| {
            bytes += format::size_of(record);
            bytes <= BATCH_BYTES_MAX
        };
        let count = records.iter().take_while(fits).count();
        let (batch, rest) = records.split_at(count);
        records = rest;
        (!batch.is_empty()).then_some(batch)
    })
}
