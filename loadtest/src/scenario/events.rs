//! What happens while the window is measured: who comes, who goes, and what the network does.

use serde::{Deserialize, Serialize};

use super::{Profile, ScenarioError, within};
use crate::plan::Network;

const SECONDS_MAX: f64 = 86_400.0;

/// Consults that join while others talk.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// How many.
    pub consults: u32,
    /// Within so many seconds.
    pub over_s: f64,
    /// From so many seconds after the window began.
    #[serde(default)]
    pub after_s: f64,
    /// What they send.
    #[serde(default = "silence")]
    pub profile: Profile,
}

/// Consults that end, each with another that begins.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// How many in a minute; the oldest end first.
    pub consults_per_minute: f64,
}

/// Everybody's connection is cut without a goodbye, and everybody comes back as fast as they can.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// So many seconds after the window began.
    pub after_s: f64,
    /// Whose, in percent of the consults.
    #[serde(default = "all")]
    pub percent: f64,
    /// Whether the server is restarted: the command of `--restart-command` is run. Else the clients go by themselves.
    #[serde(default)]
    pub restarts_server: bool,
}

fn silence() -> Profile {
    Profile::Dtx
}

fn all() -> f64 {
    100.0
}

impl Storm {
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        within("storm.consults", self.consults, 1, super::PARTICIPANTS_MAX)?;
        within("storm.over_s", self.over_s, 0.0, SECONDS_MAX)?;
        within("storm.after_s", self.after_s, 0.0, SECONDS_MAX)
    }
}

impl Churn {
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        within("churn.consults_per_minute", self.consults_per_minute, 0.01, 60_000.0)
    }
}

impl Cut {
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        within("cut.after_s", self.after_s, 0.0, SECONDS_MAX)?;
        within("cut.percent", self.percent, 0.0, 100.0)
    }
}

pub(super) fn check_network(network: &Network) -> Result<(), ScenarioError> {
    within("network.loss_percent", network.loss_percent, 0.0, 100.0)?;
    within("network.delay_ms", network.delay_ms, 0.0, 10_000.0)?;
    within("network.jitter_ms", network.jitter_ms, 0.0, 10_000.0)?;
    within("network.rate_kbit", network.rate_kbit, 0.0, 1e9)?;
    within("network.address_change_s", network.address_change_s, 0.0, SECONDS_MAX)
}
