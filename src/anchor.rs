//! The anchor file: where the chains of the audit log stood, signed, outside the database.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use control_api::{ControlApi, audit::CheckpointSigner, line_file};

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
        line_file::append(&self.path, &lines).inspect_err(|_| self.signed_up_to = before)?;
        Ok(())
    }
}
