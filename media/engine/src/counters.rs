//! What a shard counts. Plain integers: the shell copies them out, nobody shares them.

use media_model::MediaKind;

use crate::DropReason;

/// Counters of one shard since it started, and what it holds now.
#[derive(Debug, Clone)]
pub struct Counters {
    /// RTP packets that were authenticated, by kind (audio, video).
    pub rtp_received: [u64; 2],
    /// RTP packets that were sent on, retransmissions included, by kind.
    pub rtp_forwarded: [u64; 2],
    /// RTP payloads sent again because a subscriber asked.
    pub retransmitted: u64,
    /// UDP payload bytes taken in.
    pub bytes_received: u64,
    /// UDP payload bytes given out.
    pub bytes_sent: u64,
    /// RTCP packets taken in.
    pub rtcp_received: u64,
    /// Authenticated STUN checks answered.
    pub stun_checks: u64,
    /// Handshakes finished.
    pub handshakes: u64,
    /// Key frames asked of publishers.
    pub keyframe_requests: u64,
    /// Packets dropped, by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// Consults that have a transport now.
    pub consults: u64,
    /// Transports now.
    pub transports: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            rtp_received: [0; 2],
            rtp_forwarded: [0; 2],
            retransmitted: 0,
            bytes_received: 0,
            bytes_sent: 0,
            rtcp_received: 0,
            stun_checks: 0,
            handshakes: 0,
            keyframe_requests: 0,
            dropped: [0; DropReason::ALL.len()],
            consults: 0,
            transports: 0,
        }
    }
}

impl Counters {
    /// Counts a packet that died.
    pub fn drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }

    /// How many died for this reason.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Where a kind's counter stands in the arrays above.
    pub const fn kind_index(kind: MediaKind) -> usize {
        match kind {
            MediaKind::Audio => 0,
            MediaKind::Video => 1,
        }
    }
}
