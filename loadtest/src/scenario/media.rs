//! What publishers send: a profile's figures, or a scenario's own.

use serde::{Deserialize, Serialize};

use super::{ScenarioError, within};
use crate::plan::{MediaProfile, Pace, Slides, Spurts};

/// What an RTP packet has to hold: header, extensions, descriptor, stamp.
const PACKET_BYTES_MIN: usize = 100;
const PACKET_BYTES_MAX: usize = 1_300;

/// A name for a set of figures; those that a scenario gives itself go before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Sound, 50 packets a second, and a picture of 880 kbit/s, 25 frames a second in four packets each.
    #[default]
    Full,
    /// Sound, and a picture of 260 kbit/s, 15 frames a second in two packets each.
    Low,
    /// Sound only, 50 packets a second.
    Audio,
    /// Sound only, of people who are silent: a packet each 400 ms.
    Dtx,
}

/// What publishers send.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, from = "Written")]
pub struct Media {
    /// The set of figures that the others are taken from.
    pub profile: Profile,
    /// Packets of sound a second; 0: no sound is published.
    pub audio_packets_per_second: f64,
    /// Length of each, RTP header included, before it is sealed.
    pub audio_packet_bytes: usize,
    /// Talk spurts of so many seconds in the mean (Opus DTX); 0: everybody talks all the time.
    pub talk_s: f64,
    /// Silence between them, in the mean: a packet each 400 ms.
    pub silence_s: f64,
    /// Pictures a second; 0: no picture is published.
    pub video_frames_per_second: f64,
    /// Packets of each, sent in a burst.
    pub video_packets_per_frame: u32,
    /// Packets of a key frame.
    pub video_packets_per_keyframe: u32,
    /// Length of each, likewise.
    pub video_packet_bytes: usize,
    /// Every so many seconds a frame of many packets, as a screen sends it when its content changes; 0: never.
    pub slide_every_s: f64,
    /// Packets of that frame.
    pub slide_packets: u32,
    /// Publishes tracks but sends nothing on them.
    pub silent: bool,
    /// Scales both rates such that so many packets a second are forwarded in all.
    pub forwarded_packets_per_second: Option<f64>,
    /// From one RTCP report to the next, in milliseconds.
    pub report_interval_ms: u64,
}

/// As it stands in a file: what is left out comes from the profile.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    profile: Profile,
    audio_packets_per_second: Option<f64>,
    audio_packet_bytes: Option<usize>,
    talk_s: Option<f64>,
    silence_s: Option<f64>,
    video_frames_per_second: Option<f64>,
    video_packets_per_frame: Option<u32>,
    video_packets_per_keyframe: Option<u32>,
    video_packet_bytes: Option<usize>,
    slide_every_s: Option<f64>,
    slide_packets: Option<u32>,
    silent: Option<bool>,
    forwarded_packets_per_second: Option<f64>,
    report_interval_ms: Option<u64>,
}

impl From<Written> for Media {
    fn from(written: Written) -> Self {
        let of = Self::of(written.profile);
        let per_frame = written.video_packets_per_frame.unwrap_or(of.video_packets_per_frame);
        Self {
            profile: written.profile,
            audio_packets_per_second: written.audio_packets_per_second.unwrap_or(of.audio_packets_per_second),
            audio_packet_bytes: written.audio_packet_bytes.unwrap_or(of.audio_packet_bytes),
            talk_s: written.talk_s.unwrap_or(of.talk_s),
            silence_s: written.silence_s.unwrap_or(of.silence_s),
            video_frames_per_second: written.video_frames_per_second.unwrap_or(of.video_frames_per_second),
            video_packets_per_frame: per_frame,
            video_packets_per_keyframe: written.video_packets_per_keyframe.unwrap_or(per_frame),
            video_packet_bytes: written.video_packet_bytes.unwrap_or(of.video_packet_bytes),
            slide_every_s: written.slide_every_s.unwrap_or(of.slide_every_s),
            slide_packets: written.slide_packets.unwrap_or(of.slide_packets),
            silent: written.silent.unwrap_or(of.silent),
            forwarded_packets_per_second: written.forwarded_packets_per_second,
            report_interval_ms: written.report_interval_ms.unwrap_or(of.report_interval_ms),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self::of(Profile::Full)
    }
}

impl Media {
    /// A profile's figures.
    pub fn of(profile: Profile) -> Self {
        let full = Self {
            profile,
            audio_packets_per_second: 50.0,
            audio_packet_bytes: 120,
            talk_s: 0.0,
            silence_s: 1.5,
            video_frames_per_second: 25.0,
            video_packets_per_frame: 4,
            video_packets_per_keyframe: 4,
            video_packet_bytes: 1_100,
            slide_every_s: 0.0,
            slide_packets: 40,
            silent: false,
            forwarded_packets_per_second: None,
            report_interval_ms: 1_000,
        };
        match profile {
            Profile::Full => full,
            Profile::Low => Self {
                video_frames_per_second: 15.0,
                video_packets_per_frame: 2,
                video_packets_per_keyframe: 2,
                ..full
            },
            Profile::Audio => Self { video_frames_per_second: 0.0, ..full },
            Profile::Dtx => Self {
                video_frames_per_second: 0.0,
                audio_packets_per_second: 2.5,
                audio_packet_bytes: 100,
                report_interval_ms: 5_000,
                ..full
            },
        }
    }

    /// Packets a second that somebody sends who publishes both and talks all the time.
    pub fn packets_per_second(&self) -> f64 {
        self.audio_packets_per_second + self.video_frames_per_second * f64::from(self.video_packets_per_frame)
    }

    /// Bits a second of the same, RTP headers included.
    pub fn bits_per_second(&self) -> f64 {
        let video = self.video_frames_per_second * f64::from(self.video_packets_per_frame);
        8.0 * (self.audio_packets_per_second * self.audio_packet_bytes as f64
            + video * self.video_packet_bytes as f64)
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        within("media.audio_packets_per_second", self.audio_packets_per_second, 0.0, 10_000.0)?;
        within("media.talk_s", self.talk_s, 0.0, 3_600.0)?;
        within("media.silence_s", self.silence_s, 0.1, 3_600.0)?;
        within("media.video_frames_per_second", self.video_frames_per_second, 0.0, 10_000.0)?;
        within("media.video_packets_per_frame", self.video_packets_per_frame, 1, 40)?;
        within("media.video_packets_per_keyframe", self.video_packets_per_keyframe, 1, 40)?;
        within("media.slide_every_s", self.slide_every_s, 0.0, 3_600.0)?;
        within("media.slide_packets", self.slide_packets, 1, 120)?;
        let forwarded = self.forwarded_packets_per_second.unwrap_or(1.0);
        within("media.forwarded_packets_per_second", forwarded, 1.0, 1e8)?;
        for (name, bytes) in [
            ("media.audio_packet_bytes", self.audio_packet_bytes),
            ("media.video_packet_bytes", self.video_packet_bytes),
        ] {
            within(name, bytes, PACKET_BYTES_MIN, PACKET_BYTES_MAX)?;
        }
        within("media.report_interval_ms", self.report_interval_ms, 100, 600_000)
    }

    /// What publishers do, their rates times `scale`.
    pub(super) fn scaled(&self, scale: f64) -> MediaProfile {
        let interval_ns = |rate: f64| {
            let rate = if self.silent { 0.0 } else { rate * scale };
            if rate > 0.0 { (1e9 / rate).max(1_000.0) as u64 } else { 0 }
        };
        let ns = |seconds: f64| (seconds * 1e9) as u64;
        let spurts =
            (self.talk_s > 0.0).then(|| Spurts { talk_ns: ns(self.talk_s), silence_ns: ns(self.silence_s) });
        let slides = (self.slide_every_s > 0.0)
            .then(|| Slides { every_ns: ns(self.slide_every_s), packets: self.slide_packets });
        MediaProfile {
            audio: Pace {
                interval_ns: interval_ns(self.audio_packets_per_second),
                burst: 1,
                keyframe_burst: 1,
                packet_bytes: self.audio_packet_bytes,
                spurts,
                slides: None,
            },
            video: Pace {
                interval_ns: interval_ns(self.video_frames_per_second),
                burst: self.video_packets_per_frame,
                keyframe_burst: self.video_packets_per_keyframe,
                packet_bytes: self.video_packet_bytes,
                spurts: None,
                slides,
            },
            report_interval_ns: self.report_interval_ms * 1_000_000,
        }
    }
}
