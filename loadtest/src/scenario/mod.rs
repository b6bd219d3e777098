//! Scenarios: a TOML file says who is in how many consults, what they send, what happens, and what is good enough.
//!
//! | file | holds |
//! |---|---|
//! | `media.rs` | `[media]`: what publishers send |
//! | `events.rs` | `[storm]`, `[churn]`, `[cut]`, `[network]`: what happens meanwhile |
//! | `thresholds.rs` | `[thresholds]`: what is good enough |

mod events;
mod media;
mod thresholds;

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

pub use events::{Churn, Cut, Storm};
pub use media::{Media, Profile};
pub use thresholds::Thresholds;

use crate::{
    media::SocketMode,
    plan::{MediaProfile, Network},
    target::{WantedConsult, WantedParticipant, consilium::SignalingMode},
};

/// Participants of all consults together.
pub const PARTICIPANTS_MAX: u32 = 200_000;
const CONSULT_PARTICIPANTS_MAX: u32 = 250;
const SECONDS_MAX: f64 = 86_400.0;

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
    /// Consults that join while others talk.
    pub storm: Option<Storm>,
    /// Consults that come and go.
    pub churn: Option<Churn>,
    /// Connections that are cut.
    pub cut: Option<Cut>,
    /// What the network does.
    #[serde(default)]
    pub network: Network,
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
    /// How often a thread of the clients looks for what is due and what came, in microseconds. Arrival is when the kernel had a packet,
    /// so that looking seldom is in no delay; but what is sent goes in larger bursts.
    pub poll_us: u32,
    /// How participants reach a node's signaling.
    pub signaling: SignalingMode,
    /// WebSockets and requests of one connection at most, over HTTP/2.
    pub streams_per_connection: u32,
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

impl Default for Run {
    fn default() -> Self {
        Self {
            warm_up_s: 2.0,
            measure_s: 10.0,
            consults_per_second: 20.0,
            joining_max: 8,
            sockets: SocketMode::Shared,
            gro: true,
            poll_us: 250,
            signaling: SignalingMode::Http1,
            streams_per_connection: 100,
        }
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
        let Self { consults, run, ramp, .. } = self;
        within("consults.participants", consults.participants, 1, CONSULT_PARTICIPANTS_MAX)?;
        within("consults.count", consults.count, 1, PARTICIPANTS_MAX / consults.participants)?;
        within("consults.publishers", consults.publishers.unwrap_or(1), 0, consults.participants)?;
        within("ramp.step", ramp.step, 1, PARTICIPANTS_MAX)?;
        within("ramp.consults_max", ramp.consults_max, 1, PARTICIPANTS_MAX / consults.participants)?;
        within("run.warm_up_s", run.warm_up_s, 0.0, SECONDS_MAX)?;
        within("run.measure_s", run.measure_s, 0.1, SECONDS_MAX)?;
        within("run.consults_per_second", run.consults_per_second, 0.01, 100_000.0)?;
        within("run.joining_max", run.joining_max, 1, 1_000)?;
        within("run.poll_us", run.poll_us, 50, 10_000)?;
        within("run.streams_per_connection", run.streams_per_connection, 1, 10_000)?;
        self.media.check()?;
        self.thresholds.check()?;
        events::check_network(&self.network)?;
        self.storm.as_ref().map_or(Ok(()), Storm::check)?;
        self.churn.as_ref().map_or(Ok(()), Churn::check)?;
        self.cut.as_ref().map_or(Ok(()), Cut::check)
    }

    /// Consults that may be begun in all while `run` lasts, those that come back included.
    pub fn consults_max(&self) -> u32 {
        let storm = self.storm.as_ref().map_or(0, |storm| storm.consults);
        let churn =
            self.churn.as_ref().map_or(0.0, |churn| churn.consults_per_minute / 60.0 * self.run.measure_s);
        // And as many again for those that a full server refused for good.
        let once = self.consults.count + storm + 2 * churn as u32;
        if self.cut.is_some() { 2 * once } else { once }
    }

    /// Packets a second that are forwarded when everything runs, at the scenario's own rates.
    fn forwarded_unscaled(&self) -> f64 {
        let publishers = f64::from(self.publishers());
        let receivers = f64::from(self.consults.participants.saturating_sub(1));
        f64::from(self.consults.count) * publishers * receivers * self.media.packets_per_second()
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
        media.scaled(scale)
    }

    /// What those send who come in a storm, and from which participant on.
    pub fn later_profile(&self) -> Option<(u32, MediaProfile)> {
        let storm = self.storm.as_ref()?;
        Some((self.consults.count * self.consults.participants, Media::of(storm.profile).scaled(1.0)))
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
    fn every_scenario_that_comes_along_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let files = std::fs::read_dir(folder).expect("scenarios").flatten().map(|entry| entry.path());
        let read =
            files.map(|path| Scenario::load(&path).map_err(|error| format!("{}: {error}", path.display())));
        let read: Result<Vec<_>, _> = read.collect();
        assert!(read.as_ref().is_ok_and(|read| read.len() >= 15), "{read:?}");
    }

    #[test]
    fn a_profile_gives_what_a_scenario_leaves_out() {
        let text = format!("{SMALL}[media]\nprofile = \"dtx\"\naudio_packet_bytes = 110\n");
        let media = Scenario::parse(&text).expect("a scenario").media;
        assert_eq!((media.audio_packets_per_second, media.video_frames_per_second), (2.5, 0.0));
        assert_eq!((media.audio_packet_bytes, media.report_interval_ms), (110, 5_000));
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
