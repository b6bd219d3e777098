//! Files that grow by lines and outlast a power cut: the list of erasures, the audit log's checkpoints.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::whole_file;

/// Adds lines; they are on disk when this returns. A new file is its owner's alone. What a power cut left of a line stays a
/// fault of its own for whoever reads the file, and spoils no other.
pub fn append<T: AsRef<str>>(path: &Path, lines: &[T]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    let mut text = if ends_a_line(&mut file)? { String::new() } else { "\n".to_owned() };
    for line in lines {
        text.push_str(line.as_ref());
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    if is_new { whole_file::sync_folder_of(path) } else { Ok(()) }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines");
        append(&path, &["one", "two"]).expect("a new file");
        std::fs::write(&path, "one\ntw").expect("the cut");
        append(&path, &["three"]).expect("the next line");
        append::<&str>(&path, &[]).expect("nothing");
        append(&path, &["four"]).expect("the next line");
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "one\ntw\nthree\nfour\n");
    }
}
