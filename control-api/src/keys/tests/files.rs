//! Master key files: who may read them, and that no crash or slip loses a key.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use crate::{
    keys::{LocalMasterKeys, MasterFile, MasterKeys, Whose},
    limits::MASTER_FILE_BYTES_MAX,
};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> MasterFile {
        MasterFile::at(self.path("master-keys"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn reason(path: &Path) -> String {
    let fault = LocalMasterKeys::from_file(path).map(|_| ()).expect_err("refused");
    assert_eq!(fault.whose(), Whose::Operator);
    fault.to_string()
}

#[test]
fn a_new_file_is_for_its_owner_only_and_is_read_back() {
    let folder = Folder::new();
    folder.file().create().expect("a new file");
    let mode = fs::metadata(folder.file().path()).expect("the file").mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(folder.names(), ["master-keys"]);
    let keys = LocalMasterKeys::from_file(folder.file().path()).expect("a master key");
    assert_eq!(keys.names().len(), 1);
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let folder = Folder::new();
    folder.file().create().expect("a new file");
    let path = folder.file().path().to_owned();
    for mode in [0o604, 0o644, 0o602, 0o601, 0o620, 0o660, 0o610, 0o777] {
        chmod(&path, mode);
        let said = reason(&path);
        assert!(said.contains(&format!("{mode:04o}")) && said.contains("chmod 600"), "{said}");
    }
    for mode in [0o400, 0o600, 0o440, 0o640] {
        chmod(&path, mode);
        assert!(LocalMasterKeys::from_file(&path).is_ok(), "{mode:o}");
    }
}

#[test]
fn a_file_that_is_there_is_never_replaced() {
    let folder = Folder::new();
    folder.file().create().expect("a new file");
    let text = fs::read(folder.file().path()).expect("the file");
    assert!(folder.file().create().is_err());
    assert_eq!(fs::read(folder.file().path()).expect("the file"), text);
    assert_eq!(folder.names(), ["master-keys"]);
}

#[test]
fn rotating_keeps_the_older_keys_their_order_comments_and_mode() {
    let folder = Folder::new();
    let file = folder.file();
    file.create().expect("a new file");
    chmod(file.path(), 0o640);
    let names = || LocalMasterKeys::from_file(file.path()).expect("a master key").names();
    let mut expected = names();
    let comments = fs::read_to_string(file.path()).expect("the file").matches('#').count();
    for _ in 0..3 {
        file.rotate().expect("another key");
        assert_eq!(names()[1..], expected);
        expected = names();
    }
    let text = fs::read_to_string(file.path()).expect("the file");
    assert!(comments > 0 && text.starts_with('#') && text.matches('#').count() == comments, "{text}");
    assert_eq!(fs::metadata(file.path()).expect("the file").mode() & 0o777, 0o640);
    assert_eq!(folder.names(), ["master-keys"]);
}

#[test]
fn rotating_through_a_link_changes_the_file_behind_it() {
    let folder = Folder::new();
    folder.file().create().expect("a new file");
    let link = folder.path("link");
    symlink(folder.file().path(), &link).expect("a link");
    MasterFile::at(&link).rotate().expect("another key");
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    assert_eq!(LocalMasterKeys::from_file(folder.file().path()).map(|keys| keys.names().len()), Ok(2));
}

#[test]
fn a_rotation_that_somebody_else_began_is_left_alone() {
    let folder = Folder::new();
    folder.file().create().expect("a new file");
    fs::write(folder.path("master-keys.new"), "theirs").expect("written");
    let said = folder.file().rotate().expect_err("refused").to_string();
    assert!(said.contains("cannot be rotated"), "{said}");
    assert_eq!(fs::read(folder.path("master-keys.new")).expect("the file"), b"theirs");
}

#[test]
fn what_is_no_key_file_is_named_but_not_shown() {
    let folder = Folder::new();
    let path = folder.path("master-keys");
    assert!(reason(&path).contains("cannot be opened"));
    assert!(reason(folder.0.path()).contains("is not a regular file"));
    let long = "#".repeat(MASTER_FILE_BYTES_MAX + 1);
    let texts: [(&[u8], &str); 5] = [
        (b"", "holds no key"),
        (b"# only words\n", "holds no key"),
        (b"hunter2\n", "no master key"),
        (b"\xff\xfe", "is not text"),
        (long.as_bytes(), "too long"),
    ];
    for (text, expected) in texts {
        fs::write(&path, text).expect("written");
        chmod(&path, 0o600);
        let said = reason(&path);
        assert!(said.contains(expected) && !said.contains("hunter2"), "{said}");
    }
}
