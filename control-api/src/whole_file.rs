//! Small files that are written whole or not at all, and outlast a power cut: keys, marks, what is kept for the next start.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Puts these bytes in the place of what the file holds; it is its owner's alone. On disk when this returns; a crash leaves the file
/// as it was before. One writer for each file.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
    // One that was there keeps the mode that it had.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_folder_of(path)
}

/// A name that has come into a folder is there after a power cut.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_behind_is_no_part_of_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("marks.head");
        put(&path, b"one").expect("a new file");
        fs::write(draft_of(&path), "a draft that a crash cut off").expect("the draft");
        put(&path, b"two").expect("the next");
        assert_eq!(fs::read(&path).expect("the file"), b"two");
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }
}
