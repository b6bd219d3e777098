//! The master keys of a node that runs, taken up anew when it is told to.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use control_api::keys::{MasterKeyRing, MasterKeys, Whose};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{config::Config, failure::Failure};

/// How often it is looked whether they are there.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// What the configuration says of master keys, and what it named last.
pub struct NodeMasterKeys {
    config: Config,
    file: Option<PathBuf>,
    ring: Arc<MasterKeyRing>,
    told: Signal,
}

impl NodeMasterKeys {
    /// A token that does not answer is waited for later: who has a ticket needs none. Anything else that is wrong is an error.
    pub async fn open(config: &Config, file: Option<&Path>) -> Result<Self, Failure> {
        // From here on SIGHUP is waited for: it would end the process.
        let told = signal(SignalKind::hangup())?;
        let ring = Arc::new(config.master_keys()?);
        match ring.check().await {
            Err(fault) if fault.whose() == Whose::KeyService => {
                tracing::warn!(%fault, "the master keys are away: what needs them waits");
            }
            checked => checked?,
        }
        Ok(Self { config: config.clone(), file: file.map(Path::to_owned), ring, told })
    }

    /// The keys as they are, and will be.
    pub fn ring(&self) -> Arc<MasterKeyRing> {
        self.ring.clone()
    }

    /// Looks whether they are there, for as long as the process lives: that is to be known before a node starts anew.
    pub async fn keep_looking(ring: Arc<MasterKeyRing>) {
        let mut said = None;
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            // Of a token that does not answer the log says so already.
            let fault = ring.check().await.err().filter(|fault| fault.whose() != Whose::KeyService);
            match &fault {
                Some(fault) if said.as_ref() != Some(fault) => {
                    tracing::error!(%fault, "the master keys are not as they have to be");
                }
                _ => {}
            }
            said = fault;
        }
    }

    /// Whether they are in a token that does not answer.
    pub async fn are_away(&self) -> bool {
        self.ring.check().await.is_err_and(|fault| fault.whose() == Whose::KeyService)
    }

    /// Waits for SIGHUP, but no longer than this.
    pub async fn told(&mut self, within: Duration) -> bool {
        tokio::time::timeout(within, self.told.recv()).await.is_ok()
    }

    /// Reads the configuration again, and the keys that it names. What is not good is reported, and the keys stay as they were.
    pub async fn take_up(&self) {
        match self.reload().await {
            Ok(master_keys) => tracing::info!(master_keys, "master keys read again"),
            Err(error) => tracing::error!(%error, "the master keys stay as they were"),
        }
    }

    async fn reload(&self) -> Result<usize, Failure> {
        let ring = match &self.file {
            Some(file) => Config { data: self.config.data.clone(), ..Config::load(file)? }.master_keys()?,
            None => self.config.master_keys()?,
        };
        ring.check().await?;
        self.ring.replace(ring);
        Ok(self.ring.names().len())
    }
}
