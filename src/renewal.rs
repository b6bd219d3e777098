//! Takes up master keys while the node runs, and wraps anew what an older key wraps.

use std::time::Duration;

use control_api::ControlApi;

use crate::master_keys::NodeMasterKeys;

/// How often keys are looked at without being told: what a node left half done, the next does.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the master keys again at each SIGHUP, for as long as the process lives.
pub async fn keep(api: ControlApi, mut master: NodeMasterKeys) {
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
        master.told(RENEWAL_INTERVAL).await;
        master.take_up().await;
    }
}
