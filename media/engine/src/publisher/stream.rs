//! The SSRC that a track is sent with, and its place in the track's numbering.

use std::time::Instant;

use super::{clock::Timeline, reception::Reception};
use crate::rtp::RtpHeader;

/// The SSRC that a track is sent with now.
#[derive(Debug)]
pub struct Stream {
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    /// First index of this SSRC and the number it has in the track.
    pub first_index: u64,
    pub first_sequence: u64,
    /// Numbers below belong to the SSRC before; 0 where there was none.
    pub sequence_min: u64,
    pub reception: Reception,
    pub timeline: Timeline,
}

/// The SSRC that it was sent with before.
#[derive(Debug)]
pub struct PreviousStream {
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    pub until: Instant,
}

impl Stream {
    /// Begins with an SSRC's first packet, above `newest`, the highest number of the track so far.
    pub fn new(
        now: Instant,
        index: u64,
        header: &RtpHeader,
        clock_rate_hz: u32,
        newest: Option<u64>,
    ) -> Self {
        let mut timeline = Timeline::new(clock_rate_hz);
        timeline.packet(now, header.timestamp);
        Self {
            ssrc: header.ssrc,
            rtx_ssrc: None,
            first_index: index,
            first_sequence: newest.map_or(index, |newest| newest + 1),
            sequence_min: newest.map_or(0, |newest| newest + 1),
            reception: Reception::new(now, clock_rate_hz, index, header),
            timeline,
        }
    }

    /// The track's number of a packet of this SSRC; `None` for one that comes before its takeover from another.
    pub fn sequence(&self, index: u64) -> Option<u64> {
        (self.first_sequence + index).checked_sub(self.first_index).filter(|s| *s >= self.sequence_min)
    }

    /// The SSRC's own index of a packet of the track.
    pub fn index(&self, sequence: u64) -> u64 {
        (self.first_index + sequence).saturating_sub(self.first_sequence)
    }
}
