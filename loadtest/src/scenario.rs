//! Scenarios: a TOML file says who is in how many consults, what they send, how long, and what is good enough.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    media::SocketMode,
    plan::{MediaProfile, Pace},
    target::{WantedConsult, WantedParticipant},
};

/// Participants of all consults together.
pub const PARTICIPANTS_MAX: u32 = 200_000;
const CONSULT_PARTICIPANTS_MAX: u32 = 250;
const SECONDS_MAX: f64 = 86_400.0;
/// What an RTP packet has to hold: header, extensions, descriptor, stamp.
const PACKET_BYTES_MIN: usize = 100;
const PACKET_BYTES_MAX: usize = 1_300;

/// A scenario.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Who.
    pub consults: Consults,
    /// What they send.
    #[serde(default)]
    pub media: Media,
    /// How it goes.
    #[serde(default)]
    pub run: Run,
    /// What is good enough.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// How `ramp` goes.
    #[serde(default)]
    pub ramp: Ramp,
}

/// Who is in how many consults.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Consults {
    /// How many consults.
    pub count: u32,
    /// People in each.
    pub participants: u32,
    /// How many of them publish; the others receive only. Without it: all.
    pub publishers: Option<u32>,
}

/// What publishers send.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Packets of sound a second; 0: no sound is published.
    pub audio_packets_per_second: f64,
    /// Length of each, RTP header included, before it is sealed.
    pub audio_packet_bytes: usize,
    /// Pictures a second; 0: no picture is published.
    pub video_frames_per_second: f64,
    /// Packets of each, sent in a burst.
    pub video_packets_per_frame: u32,
    /// Length of each, likewise.
    pub video_packet_bytes: usize,
    /// Publishes tracks but sends nothing on them.
    pub silent: bool,
    /// Scales both rates such that so many packets a second are forwarded in all.
    pub forwarded_packets_per_second: Option<f64>,
    /// From one RTCP report to the next, in milliseconds.
    pub report_interval_ms: u64,
}

/// How it goes.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// From the last join to the measuring window, in seconds.
    pub warm_up_s: f64,
    /// Length of the measuring window, in seconds.
    pub measure_s: f64,
    /// Consults that begin in a second.
    pub consults_per_second: f64,
    /// Consults that are joining at one time.
    pub joining_max: u32,
    /// Who has which socket. Shared ones need a target on loopback.
    pub sockets: SocketMode,
    /// Whether trains are received in one piece (UDP_GRO).
    pub gro: bool,
}

/// What is good enough.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// 99th percentile of the one-way delay, in milliseconds.
    pub delay_p99_ms: f64,
    /// Packets that never came, in percent.
    pub loss_percent: f64,
    /// Participants that could not join or were lost.
    pub lost_participants: u64,
}

/// How `ramp` goes.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ramp {
    /// Consults that each step adds.
    pub step: u32,
    /// Where it ends at the latest.
    pub consults_max: u32,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            audio_packets_per_second: 50.0,
            audio_packet_bytes: 120,
            video_frames_per_second: 25.0,
            video_packets_per_frame: 4,
            video_packet_bytes: 1_100,
            silent: false,
            forwarded_packets_per_second: None,
            report_interval_ms: 1_000,
        }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            warm_up_s: 2.0,
            measure_s: 10.0,
            consults_per_second: 20.0,
            joining_max: 8,
            sockets: SocketMode::Shared,
            gro: true,
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { delay_p99_ms: 10.0, loss_percent: 0.1, lost_participants: 0 }
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self { step: 10, consults_max: 400 }
    }
}

/// Why a scenario is none.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Not TOML, a key that is unknown, a value of the wrong kind.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A value out of its bounds.
    #[error("{name} has to be {bounds}")]
    Bounds {
        /// Which.
        name: &'static str,
        /// Its bounds.
        bounds: String,
    },
}

impl Scenario {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        Self::parse(&std::fs::read_to_string(path)?)
    }

    /// Reads TOML and checks every bound.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Checks every bound; what the command line has changed is checked again.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let Self { consults, media, run, thresholds, ramp } = self;
        within("consults.participants", consults.participants, 1, CONSULT_PARTICIPANTS_MAX)?;
        within("consults.count", consults.count, 1, PARTICIPANTS_MAX / consults.participants)?;
        within("consults.publishers", consults.publishers.unwrap_or(1), 0, consults.participants)?;
        within("ramp.step", ramp.step, 1, PARTICIPANTS_MAX)?;
        within("ramp.consults_max", ramp.consults_max, 1, PARTICIPANTS_MAX / consults.participants)?;
        within("media.audio_packets_per_second", media.audio_packets_per_second, 0.0, 10_000.0)?;
        within("media.video_frames_per_second", media.video_frames_per_second, 0.0, 10_000.0)?;
        within("media.video_packets_per_frame", media.video_packets_per_frame, 1, 40)?;
        let forwarded = media.forwarded_packets_per_second.unwrap_or(1.0);
        within("media.forwarded_packets_per_second", forwarded, 1.0, 1e8)?;
        for (name, bytes) in [
            ("media.audio_packet_bytes", media.audio_packet_bytes),
            ("media.video_packet_bytes", media.video_packet_bytes),
        ] {
            within(name, bytes, PACKET_BYTES_MIN, PACKET_BYTES_MAX)?;
        }
        within("media.report_interval_ms", media.report_interval_ms, 100, 600_000)?;
        within("run.warm_up_s", run.warm_up_s, 0.0, SECONDS_MAX)?;
        within("run.measure_s", run.measure_s, 0.1, SECONDS_MAX)?;
        within("run.consults_per_second", run.consults_per_second, 0.01, 100_000.0)?;
        within("run.joining_max", run.joining_max, 1, 1_000)?;
        within("thresholds.delay_p99_ms", thresholds.delay_p99_ms, 0.0, 60_000.0)?;
        within("thresholds.loss_percent", thresholds.loss_percent, 0.0, 100.0)
    }

    /// Packets a second that are forwarded when everything runs, at the scenario's own rates.
    fn forwarded_unscaled(&self) -> f64 {
        let publishers = f64::from(self.publishers());
        let receivers = f64::from(self.consults.participants.saturating_sub(1));
        let Media { audio_packets_per_second, video_frames_per_second, video_packets_per_frame, .. } =
            self.media;
        let of_one = audio_packets_per_second + video_frames_per_second * f64::from(video_packets_per_frame);
        f64::from(self.consults.count) * publishers * receivers * of_one
    }

    fn publishers(&self) -> u32 {
        self.consults.publishers.unwrap_or(self.consults.participants)
    }

    /// What publishers send, scaled.
    pub fn profile(&self) -> MediaProfile {
        let media = &self.media;
        let scale = match media.forwarded_packets_per_second {
            Some(wanted) if self.forwarded_unscaled() > 0.0 => wanted / self.forwarded_unscaled(),
            _ => 1.0,
        };
        let interval_ns = |rate: f64| {
            let rate = if media.silent { 0.0 } else { rate * scale };
            if rate > 0.0 { (1e9 / rate).max(1_000.0) as u64 } else { 0 }
        };
        MediaProfile {
            audio: Pace {
                interval_ns: interval_ns(media.audio_packets_per_second),
                burst: 1,
                packet_bytes: media.audio_packet_bytes,
            },
            video: Pace {
                interval_ns: interval_ns(media.video_frames_per_second),
                burst: media.video_packets_per_frame,
                packet_bytes: media.video_packet_bytes,
            },
            report_interval_ns: media.report_interval_ms * 1_000_000,
        }
    }

    /// The consult of this number.
    pub fn consult(&self, number: u32) -> WantedConsult {
        let size = self.consults.participants;
        let person = |place: u32| WantedParticipant {
            number: number * size + place,
            audio: place < self.publishers() && self.media.audio_packets_per_second > 0.0,
            video: place < self.publishers() && self.media.video_frames_per_second > 0.0,
            receives: true,
        };
        WantedConsult { number, participants: (0..size).map(person).collect() }
    }
}

fn within<T: PartialOrd + fmt::Display>(
    name: &'static str,
    value: T,
    min: T,
    max: T,
) -> Result<(), ScenarioError> {
    if value >= min && value <= max {
        return Ok(());
    }
    Err(ScenarioError::Bounds { name, bounds: format!("from {min} to {max}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "[consults]\ncount = 2\nparticipants = 3\n";

    #[test]
    fn what_is_left_out_has_the_shape_of_a_consult() {
        let scenario = Scenario::parse(SMALL).expect("a scenario");
        let profile = scenario.profile();
        assert_eq!((profile.audio.interval_ns, profile.video.interval_ns), (20_000_000, 40_000_000));
        let consult = scenario.consult(1);
        let numbers: Vec<u32> = consult.participants.iter().map(|person| person.number).collect();
        assert_eq!(numbers, [3, 4, 5]);
        assert!(consult.participants.iter().all(|p| p.audio && p.video && p.receives));
    }

    #[test]
    fn a_wanted_rate_scales_what_everybody_sends() {
        let text = format!("{SMALL}[media]\nforwarded_packets_per_second = 900.0\n");
        let scenario = Scenario::parse(&text).expect("a scenario");
        // Unscaled: 2 consults x 3 x 2 x 150.
        assert_eq!(scenario.profile().audio.interval_ns, 40_000_000);
    }

    #[test]
    fn unknown_keys_and_values_out_of_bounds_are_refused() {
        let bad = [
            "[consults]\ncount = 2\n".to_owned(),
            format!("{SMALL}people = 3\n"),
            SMALL.replace("count = 2", "count = 0"),
            SMALL.replace("count = 2", "count = 4000000000"),
            SMALL.replace("participants = 3", "participants = 0"),
            format!("{SMALL}publishers = 4\n"),
            format!("{SMALL}[media]\naudio_packet_bytes = 20\n"),
            format!("{SMALL}[media]\nvideo_packet_bytes = 2000\n"),
            format!("{SMALL}[run]\nmeasure_s = nan\n"),
            format!("{SMALL}[run]\nsockets = \"some\"\n"),
        ];
        for text in bad {
            assert!(Scenario::parse(&text).is_err(), "{text}");
        }
    }
}
