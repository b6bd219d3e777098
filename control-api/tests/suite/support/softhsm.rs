//! SoftHSM 2, a token in software: tokens in a folder of the test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Opens every token.
pub const PIN: &str = "2604-7719";

/// A folder of tokens, and the configuration that names it.
pub struct SoftHsm(PathBuf);

impl SoftHsm {
    /// In this folder, which is there.
    pub fn within(folder: &Path) -> Self {
        let hsm = Self(folder.to_owned());
        fs::create_dir(hsm.tokens()).expect("a folder for tokens");
        let configuration =
            format!("directories.tokendir = {}\nobjectstore.backend = file\n", hsm.tokens().display());
        fs::write(hsm.configuration(), configuration).expect("a file");
        hsm
    }

    /// What `SOFTHSM2_CONF` has to be for whoever is to see these tokens.
    pub fn configuration(&self) -> PathBuf {
        self.0.join("softhsm2.conf")
    }

    /// A new token without keys; returns its folder, which is the token.
    pub fn token(&self, label: &str) -> PathBuf {
        let before = self.folders();
        let words = ["--init-token", "--free", "--label", label, "--so-pin", "2604-0000", "--pin", PIN];
        let made = Command::new("softhsm2-util")
            .args(words)
            .env("SOFTHSM2_CONF", self.configuration())
            .output()
            .expect("softhsm2-util is needed: `deploy/dependencies test` installs it");
        assert!(made.status.success(), "{made:?}");
        self.folders().into_iter().find(|folder| !before.contains(folder)).expect("the token's folder")
    }

    fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }

    fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.tokens()).expect("the folder of tokens");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }
}

/// SoftHSM's PKCS #11 library. Debian has it beside other libraries, or in a folder of the architecture's.
pub fn library() -> PathBuf {
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    let within = roots.iter().flat_map(|root| fs::read_dir(root).into_iter().flatten().flatten());
    let folders = roots.iter().cloned().chain(within.map(|entry| entry.path()));
    let found = folders.map(|folder| folder.join("softhsm/libsofthsm2.so")).find(|library| library.exists());
    found.expect("libsofthsm2.so is needed: `deploy/dependencies test` installs it")
}
