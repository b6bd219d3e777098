//! The anchor file: where the chains of the audit log stood, signed, outside the database.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use control_api::{ControlApi, audit::CheckpointSigner};

/// How often chains that have grown are signed. What was written after the last time can be cut off unnoticed.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// Signs chains and adds the lines to a file.
pub struct Anchor {
    path: PathBuf,
    signer: CheckpointSigner,
    signed_up_to: BTreeMap<media_model::TenantId, i64>,
}

impl Anchor {
    pub fn new(path: PathBuf, signer: CheckpointSigner) -> Self {
        Self { path, signer, signed_up_to: BTreeMap::new() }
    }

    /// Signs for as long as the process lives, at once to begin with: a node that is restarted all the time signs as well.
    pub async fn keep(mut self, api: ControlApi) {
        loop {
            if let Err(error) = self.sign(&api).await {
                tracing::error!(%error, path = %self.path.display(), "the audit log's checkpoints cannot be written");
            }
            tokio::time::sleep(CHECKPOINT_INTERVAL).await;
        }
    }

    async fn sign(&mut self, api: &ControlApi) -> Result<(), crate::failure::Failure> {
        let before = self.signed_up_to.clone();
        let lines = api.checkpoints(&self.signer, &mut self.signed_up_to).await?;
        append(&self.path, &lines).inspect_err(|_| self.signed_up_to = before)?;
        Ok(())
    }
}

fn append(path: &Path, lines: &[String]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut file: File = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    // A line that a power cut left half written stays a finding of its own, and spoils no other.
    let end = if ends_a_line(&mut file)? { "" } else { "\n" };
    file.write_all(format!("{end}{}\n", lines.join("\n")).as_bytes())?;
    file.sync_data()
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
        let path = folder.path().join("audit.anchor");
        append(&path, &["one".into(), "two".into()]).expect("a new file");
        std::fs::write(&path, "one\ntw").expect("the cut");
        append(&path, &["three".into()]).expect("the next line");
        append(&path, &["four".into()]).expect("the next line");
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "one\ntw\nthree\nfour\n");
    }
}
