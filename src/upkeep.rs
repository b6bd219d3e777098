//! The node's side of its database: what is done once it answers, before anybody may call, and what goes on from then.
//!
//! A node starts while its database, or the token that holds its master keys, is away: people with tickets come, go and talk, and what
//! they do waits in the spool. The control API answers 503 until the database was asked who has to be erased again and which tickets
//! were taken back.

use std::time::{Duration, SystemTime};

use control_api::{ControlApi, webhooks::WebhookSender};

use crate::{
    anchor::Anchor, failure::Failure, master_keys::NodeMasterKeys, renewal, signing_keys::SigningKeys,
};

/// How often a database is looked for that is away.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What it needs.
pub struct Upkeep {
    pub api: ControlApi,
    pub signing_keys: SigningKeys,
    pub master: NodeMasterKeys,
    pub anchor: Anchor,
    pub webhooks: WebhookSender,
}

impl Upkeep {
    /// Begins, at once where the database and the master keys are there: then an error is one of the start.
    pub async fn begin(mut self) -> Result<(), Failure> {
        if !self.api.store().is_opened() {
            tokio::spawn(self.begin_when_it_is_there());
            return Ok(());
        }
        match self.prepare().await {
            Ok(()) => self.go_on(),
            Err(error) if !self.master.are_away().await => return Err(error),
            Err(_) => drop(tokio::spawn(self.begin_when_it_is_there())),
        }
        Ok(())
    }

    async fn begin_when_it_is_there(mut self) {
        let mut said = String::new();
        loop {
            if self.master.told(LOOK_INTERVAL).await {
                self.master.take_up().await;
            }
            let prepared = match self.api.store().look().await {
                Ok(()) => self.prepare().await,
                Err(error) => Err(error.into()),
            };
            match prepared {
                Ok(()) => break,
                Err(error) if error.to_string() == said => {}
                Err(error) => {
                    tracing::error!(%error, "the control API does not answer yet");
                    said = error.to_string();
                }
            }
        }
        tracing::info!("what was away is there: the control API answers");
        self.go_on();
    }

    /// Before anybody can ask: a database that was restored has those again who were erased since.
    async fn prepare(&mut self) -> Result<(), Failure> {
        self.api.replay_erasures().await?;
        self.api.refresh_portals().await?;
        self.signing_keys.follow(&self.api, SystemTime::now()).await?;
        self.api.replay_revocations().await?;
        self.api.open_door();
        Ok(())
    }

    fn go_on(self) {
        let Self { api, signing_keys, master, anchor, webhooks } = self;
        tokio::spawn(api.clone().keep_following_orders());
        tokio::spawn(signing_keys.keep(api.clone()));
        tokio::spawn(api.clone().keep_sealing());
        tokio::spawn(api.clone().keep_forgetting_answers());
        tokio::spawn(api.clone().keep_logging_off());
        tokio::spawn(api.clone().keep_refreshing_portals());
        tokio::spawn(renewal::keep(api.clone(), master));
        tokio::spawn(api.clone().keep_delivering(webhooks));
        tokio::spawn(anchor.keep(api));
    }
}
