//! What is good enough.

use serde::{Deserialize, Serialize};

use super::{ScenarioError, within};

/// What is good enough. A limit that is None is not looked at.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// 99th percentile of the one-way delay, in milliseconds.
    pub delay_p99_ms: f64,
    /// The same between those who were there before the window began: who talks while others join.
    pub established_delay_p99_ms: Option<f64>,
    /// Packets that never came, in percent.
    pub loss_percent: f64,
    /// Packets that never came, or only by retransmission, in percent.
    pub loss_before_repair_percent: Option<f64>,
    /// Packets that came behind later ones of their stream, in percent.
    pub out_of_order_percent: f64,
    /// Participants that could not join or were lost.
    pub lost_participants: u64,
    /// Participants who could not join because the target was full, and stayed so.
    pub refused_participants: u64,
    /// 99th percentile of the time to come back after signaling broke, in milliseconds.
    pub resume_p99_ms: Option<f64>,
    /// 99th percentile of the time to join, in milliseconds.
    pub join_p99_ms: Option<f64>,
    /// 99th percentile of the time to the first picture, in milliseconds.
    pub first_frame_p99_ms: Option<f64>,
    /// Freezes of a picture in a minute that somebody watches it.
    pub freezes_per_minute: Option<f64>,
    /// Resident memory of the server for each participant, in KiB.
    pub memory_per_participant_kib: Option<f64>,
    /// By how much the server's memory may grow from the middle of the window to its end, in percent.
    pub memory_growth_percent: Option<f64>,
    /// By how many descriptors and threads the server may have grown when the window ends.
    pub descriptor_growth: Option<f64>,
    /// By how many descriptors the server may grow from the middle of the window to its end, by a line through the samples.
    pub descriptor_drift: Option<f64>,
    /// The same for its sockets.
    pub socket_drift: Option<f64>,
    /// The same for its runtime's tasks.
    pub task_drift: Option<f64>,
    /// From the moment when connections were cut until everybody was back, in seconds.
    pub recovery_s: Option<f64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            delay_p99_ms: 10.0,
            established_delay_p99_ms: None,
            loss_percent: 0.1,
            loss_before_repair_percent: None,
            out_of_order_percent: 0.1,
            lost_participants: 0,
            refused_participants: 0,
            resume_p99_ms: None,
            join_p99_ms: None,
            first_frame_p99_ms: None,
            freezes_per_minute: None,
            memory_per_participant_kib: None,
            memory_growth_percent: None,
            descriptor_growth: None,
            descriptor_drift: None,
            socket_drift: None,
            task_drift: None,
            recovery_s: None,
        }
    }
}

impl Thresholds {
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let optional = |name, value: Option<f64>, max| within(name, value.unwrap_or(0.0), 0.0, max);
        within("thresholds.delay_p99_ms", self.delay_p99_ms, 0.0, 60_000.0)?;
        optional("thresholds.established_delay_p99_ms", self.established_delay_p99_ms, 60_000.0)?;
        within("thresholds.loss_percent", self.loss_percent, 0.0, 100.0)?;
        optional("thresholds.loss_before_repair_percent", self.loss_before_repair_percent, 100.0)?;
        within("thresholds.out_of_order_percent", self.out_of_order_percent, 0.0, 100.0)?;
        optional("thresholds.resume_p99_ms", self.resume_p99_ms, 60_000.0)?;
        optional("thresholds.join_p99_ms", self.join_p99_ms, 60_000.0)?;
        optional("thresholds.first_frame_p99_ms", self.first_frame_p99_ms, 60_000.0)?;
        optional("thresholds.freezes_per_minute", self.freezes_per_minute, 1e6)?;
        optional("thresholds.memory_per_participant_kib", self.memory_per_participant_kib, 1e9)?;
        optional("thresholds.memory_growth_percent", self.memory_growth_percent, 1e6)?;
        optional("thresholds.descriptor_growth", self.descriptor_growth, 1e9)?;
        optional("thresholds.descriptor_drift", self.descriptor_drift, 1e9)?;
        optional("thresholds.socket_drift", self.socket_drift, 1e9)?;
        optional("thresholds.task_drift", self.task_drift, 1e9)?;
        optional("thresholds.recovery_s", self.recovery_s, 1e6)
    }
}
