//! A clinic whose node has its master keys in a file at first, and a token at hand.

use std::{
    ffi::OsStr,
    fs,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use serde_json::json;

use crate::{
    place::Place,
    softhsm::{self, SoftHsm},
    support::{
        audit,
        control::{BackEnd, PATIENT},
        eventually,
        node::{Node, consilium},
        within_patience,
    },
};

pub struct Clinic {
    pub place: Place,
    pub hsm: SoftHsm,
    /// What the configuration says beside master keys.
    rest: String,
}

/// A line of `master-key list`.
#[derive(Debug)]
pub struct Listed {
    pub name: String,
    pub wraps: u32,
}

impl Clinic {
    pub async fn new() -> Self {
        Self::over(Place::sqlite().await)
    }

    pub fn over(place: Place) -> Self {
        let folder = place.folder.path().join("hsm");
        fs::create_dir(&folder).expect("a folder");
        let clinic = Self {
            hsm: SoftHsm::within(&folder),
            rest: fs::read_to_string(place.folder.path().join("consilium.toml")).expect("a file"),
            place,
        };
        clinic.set_pin(softhsm::PIN);
        clinic
    }

    /// The PIN that the node tries.
    pub fn set_pin(&self, pin: &str) {
        fs::write(self.pin_file(), pin).expect("a file");
        fs::set_permissions(self.pin_file(), fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    /// The configuration of keys in the token.
    pub fn in_token(&self, keys: &[&str]) -> String {
        let (library, pin_file) = (softhsm::library(), self.pin_file());
        format!(
            "[master_keys_token]\nmodule = {library:?}\ntoken = \"clinic\"\nkeys = {keys:?}\npin_file = {pin_file:?}\n"
        )
    }

    /// The same, and of the file that was there before.
    pub fn beside_the_file(&self, keys: &[&str]) -> String {
        format!("master_keys_file = {:?}\n{}", self.data().join("keys/master.keys"), self.in_token(keys))
    }

    pub fn configure(&self, master_keys: &str) {
        let (before, table) = master_keys.split_at(master_keys.find('[').unwrap_or(master_keys.len()));
        fs::write(self.configuration(), format!("{before}{}{table}", self.rest)).expect("a file");
    }

    pub fn serve(&self) -> Node {
        let (file, conf) = (self.configuration(), self.hsm.configuration());
        let arguments = ["serve".as_ref(), "--config".as_ref(), file.as_os_str()];
        Node::serve_with(arguments, &self.data(), &[("SOFTHSM2_CONF", conf.to_str().expect("text"))])
    }

    /// What a command that does its work says.
    pub fn said(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).expect("text")
    }

    /// What a command that does not says on standard output, and why.
    pub fn refused(&self, words: &[&str]) -> (String, String) {
        let done = self.run(words);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        (String::from_utf8(done.stdout).expect("text"), String::from_utf8(done.stderr).expect("text"))
    }

    pub fn listed(&self) -> Vec<Listed> {
        let listed = self.said(&["master-key", "list"]);
        let line = |line: &str| {
            let (name, rest) = line.split_once(": wraps ").expect("a name");
            let wraps = rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
            Listed { name: name.to_owned(), wraps }
        };
        listed.lines().map(line).collect()
    }

    pub async fn until_all_is_wrapped_by(&self, name: &str) {
        let is_done = || self.listed().iter().all(|key| (key.name == name) == (key.wraps > 0));
        within_patience("all keys to be wrapped anew", async {
            while !is_done() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }

    /// Sends SIGHUP, and waits until the node has said this once more.
    pub async fn reload(&self, node: &Node, line: &str) {
        let said = node.log().matches(line).count();
        node.hang_up();
        eventually(line, || node.log().matches(line).count() > said).await;
    }

    /// The path of a patient.
    pub async fn register(&self, node: &Node) -> String {
        let back_end = BackEnd::with_key(node.address(), &self.place.key);
        format!("/v1/people/{}", back_end.id_of(PATIENT).await)
    }

    pub async fn external_id(&self, node: &Node, path: &str) -> String {
        let back_end = BackEnd::with_key(node.address(), &self.place.key);
        let answer = back_end.call("GET", path, &json!({})).await;
        answer.json()["external_id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    /// What the audit log says of changed keys.
    pub async fn notes(&self) -> Vec<String> {
        let entries = audit::entries(&self.data()).await.into_iter();
        let notes = entries.filter(|entry| entry.action == "rotate_keys").filter_map(|entry| entry.detail);
        notes.filter(|note| note.starts_with("master_key")).collect()
    }

    pub fn data(&self) -> PathBuf {
        self.place.folder.path().join("data")
    }

    fn run(&self, words: &[&str]) -> Output {
        let file = self.configuration();
        let arguments = words.iter().map(OsStr::new).chain(["--config".as_ref(), file.as_os_str()]);
        let mut command = consilium(arguments);
        command.env("SOFTHSM2_CONF", self.hsm.configuration()).output().expect("the binary runs")
    }

    fn pin_file(&self) -> PathBuf {
        self.place.folder.path().join("pin")
    }

    fn configuration(&self) -> PathBuf {
        self.place.folder.path().join("consilium.toml")
    }
}

/// Has everybody wait who wants to look at this token, until what is returned is gone.
pub fn hold(token: &Path) -> Vec<fs::File> {
    let entries = fs::read_dir(token).expect("the token's folder");
    let held = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("a file");
        // SAFETY: all bytes zero is a lock of nothing in particular; what is not zero is set below.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as libc::c_short;
        // SAFETY: the descriptor is open, and the lock lives as long as the call.
        let is_held = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLKW, &lock) };
        assert_eq!(is_held, 0, "{}", std::io::Error::last_os_error());
        file
    });
    held.collect()
}
