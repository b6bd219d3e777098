//! What the drill does to a place: it copies the database, loses it, and puts the copy back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::place::{Place, roles_beside};

impl Place {
    /// Backs up while a node runs; the folder.
    pub fn back_up(&self) -> PathBuf {
        let out = self.folder.path().join("backup");
        let (name, url_file) = (text(&out), text(&self.folder.path().join("backup-url")));
        let mut words = vec!["backup", "--out", &name];
        if self.is_postgres() {
            words.extend(["--url-file", &url_file]);
        }
        words.push("--config");
        self.run(&words);
        out
    }

    /// Takes the database away; what is restored then is another one, made by an owner without all rights.
    pub async fn lose_the_database(&mut self) {
        match &mut self.postgres {
            None => ["", "-wal", "-shm"].iter().for_each(|end| {
                let _ = fs::remove_file(self.folder.path().join(format!("data/consilium.db{end}")));
            }),
            Some(postgres) => {
                *postgres = postgres.empty_beside("plain_owner").await;
                let write =
                    |name: &str, url: &str| fs::write(self.folder.path().join(name), url).expect("a file");
                write("node-url", postgres.node_url.reveal());
                write("auditor-url", postgres.url_of(&roles_beside(postgres)[0]).reveal());
                write("owner-url", postgres.url_of("plain_owner").reveal());
            }
        }
    }

    /// What it says.
    pub fn restore(&self, from: &Path) -> String {
        let (name, url_file) = (text(from), text(&self.folder.path().join("owner-url")));
        let mut words = vec!["restore", "--from", &name];
        if self.is_postgres() {
            words.extend(["--url-file", &url_file]);
        }
        words.push("--config");
        self.run(&words)
    }

    /// Of all people.
    pub async fn wrapped_keys(&self) -> Vec<Vec<u8>> {
        let all = sqlx::query_scalar("SELECT wrapped FROM person_keys WHERE wrapped IS NOT NULL");
        all.fetch_all(&self.raw().await).await.expect("rows")
    }
}

/// Whether a file in this folder, or below it, holds these bytes.
pub fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        fs::read(path).expect("a file").windows(bytes.len()).any(|window| window == bytes)
    })
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}
