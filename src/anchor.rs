//! The anchor file: where the chains of the audit log stood, signed, outside the database.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
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

    /// Signs for as long as the process lives.
    pub async fn keep(mut self, api: ControlApi) {
        loop {
            tokio::time::sleep(CHECKPOINT_INTERVAL).await;
            if let Err(error) = self.sign(&api).await {
                tracing::error!(%error, path = %self.path.display(), "the audit log's checkpoints cannot be written");
            }
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
    let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{}\n", lines.join("\n")).as_bytes())?;
    file.sync_data()
}
