//! Takes up master keys while the node runs, and wraps anew what an older key wraps.

use std::time::Duration;

use control_api::ControlApi;
use tokio::signal::unix::{SignalKind, signal};

use crate::master_keys::NodeMasterKeys;

/// How often keys are looked at without being told: what a node left half done, the next does.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the master keys again at each SIGHUP, for as long as the process lives. What is not good is reported, and the keys stay
/// as they were.
pub async fn keep(api: ControlApi, master: NodeMasterKeys) {
    let mut told = match signal(SignalKind::hangup()) {
        Ok(told) => told,
        Err(error) => {
            tracing::error!(%error, "SIGHUP cannot be waited for: new master keys need a restart");
            return;
        }
    };
    loop {
        match api.renew_keys().await {
            Ok(renewed) => {
                if renewed != Default::default() {
                    tracing::info!(renewed.of_tenants, renewed.of_people, "keys were wrapped anew");
                }
                if let Err(error) = api.reseal().await {
                    tracing::error!(%error, "values were not sealed anew");
                }
            }
            Err(error) => tracing::error!(%error, "keys were not wrapped anew"),
        }
        let _ = tokio::time::timeout(RENEWAL_INTERVAL, told.recv()).await;
        match master.reload().await {
            Ok(master_keys) => tracing::info!(master_keys, "master keys read again"),
            Err(error) => tracing::error!(%error, "the master keys stay as they were"),
        }
    }
}
