//! A packet as a track hands it on.

use media_model::Codec;

use crate::{codec::Facts, rtp::AudioLevel};

/// What a packet carries beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    pub timestamp: u32,
    pub marker: bool,
    pub codec: Codec,
    pub facts: Facts,
    pub audio_level: Option<AudioLevel>,
    pub orientation: Option<u8>,
    pub restarts: u32,
}

/// A packet of a track, new or recovered, ready to be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackPacket<'a> {
    /// Extended, one numbering for the track's life; never handed out twice by `PublishedTrack::receive` and
    /// `PublishedTrack::receive_rtx`.
    pub sequence: u64,
    /// In units of the codec's clock rate, as the publisher set it.
    pub timestamp: u32,
    /// As the publisher set it.
    pub marker: bool,
    /// By the payload type.
    pub codec: Codec,
    /// What the payload is.
    pub facts: Facts,
    /// How loud it is (RFC 6464).
    pub audio_level: Option<AudioLevel>,
    /// How the camera was held.
    pub orientation: Option<u8>,
    /// How often the publisher began anew with another SSRC. Timestamps and picture ids of packets with different
    /// figures have nothing to do with each other.
    pub restarts: u32,
    /// Without padding.
    pub payload: &'a [u8],
}

/// A packet out of the cache.
pub type CachedPacket<'a> = TrackPacket<'a>;

impl Meta {
    /// Of a packet.
    pub fn of(packet: &TrackPacket<'_>) -> Self {
        Self {
            timestamp: packet.timestamp,
            marker: packet.marker,
            codec: packet.codec,
            facts: packet.facts,
            audio_level: packet.audio_level,
            orientation: packet.orientation,
            restarts: packet.restarts,
        }
    }

    /// The whole packet.
    pub fn packet<'a>(&self, sequence: u64, payload: &'a [u8]) -> TrackPacket<'a> {
        TrackPacket {
            sequence,
            timestamp: self.timestamp,
            marker: self.marker,
            codec: self.codec,
            facts: self.facts,
            audio_level: self.audio_level,
            orientation: self.orientation,
            restarts: self.restarts,
            payload,
        }
    }
}
