//! Video that is kept back while the shard falls behind, so that sound goes on.
//!
//! Whole tracks are withheld, a quarter of them a step, before anything is decrypted of them: whose an SSRC is, is known
//! from packets that were authenticated earlier. One that is unknown passes, and so does all sound. A track that goes on
//! does so with a key frame.

use std::time::Instant;

use media_model::MediaKind;

use super::Engine;

/// Steps from all video to none.
pub const SHEDDING_STEPS: u8 = 4;

/// Every so many packets of a withheld stream one is opened all the same, and goes no further: the SRTP index is told by
/// the newest packet that was authenticated, and lost for good once 32,768 of them have passed unseen (RFC 3711 §3.3.1).
const OPENED_OF: u16 = 64;

/// What becomes of a packet of a withheld stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shed {
    /// It is not withheld.
    No,
    /// It is opened, and goes no further.
    Opened,
    /// It is not even opened.
    Unopened,
}

impl Engine {
    /// Withholds so many quarters of the video, 0 to [`SHEDDING_STEPS`]. What may go on again is asked for a key frame.
    pub fn withhold_video(&mut self, now: Instant, quarters: u8) {
        let before = std::mem::replace(&mut self.video_withheld, quarters.min(SHEDDING_STEPS));
        for place in 0..self.peers.len() {
            let (was, is) = (is_withheld(place, before), is_withheld(place, self.video_withheld));
            if was != is {
                self.change_withheld(now, place, is);
            }
        }
    }

    /// Whether a packet, sealed as it came, belongs to a stream that is withheld.
    pub(super) fn shed(&self, place: usize, sealed: &[u8]) -> Shed {
        if !is_withheld(place, self.video_withheld) {
            return Shed::No;
        }
        // RFC 3550 §5.1: sequence number, timestamp, SSRC; in the clear also in SRTP.
        let Some((&[_, _, high, low, _, _, _, _, ref ssrc @ ..], _)) = sealed.split_first_chunk::<12>()
        else {
            return Shed::No;
        };
        let publishing = self.peers.get(place).and_then(Option::as_ref).map(|peer| &peer.publishing);
        let kind = publishing.and_then(|publishing| publishing.kind_of(u32::from_be_bytes(*ssrc)));
        if kind != Some(MediaKind::Video) {
            return Shed::No;
        }
        if u16::from_be_bytes([high, low]).is_multiple_of(OPENED_OF) { Shed::Opened } else { Shed::Unopened }
    }

    fn change_withheld(&mut self, now: Instant, place: usize, withheld: bool) {
        let Some(peer) = self.peer_mut(place) else { return };
        let mut targets = Vec::new();
        for track in peer.publishing.tracks.iter_mut().filter(|track| track.kind() == MediaKind::Video) {
            track.track.pause_keyframes(withheld || track.muted);
            if !withheld && !track.muted {
                track.request_keyframe(now);
            }
            targets.extend_from_slice(&track.targets);
        }
        for target in targets {
            let slots = self.peer_mut(target.place).map(|peer| &mut peer.slots);
            if let Some(slot) = slots.and_then(|slots| slots.get_mut(target.slot)) {
                slot.withhold();
            }
        }
        self.arm(place);
    }
}

/// Neighbouring places are often one consult's: each step takes a picture here and there, not all of somebody's.
fn is_withheld(place: usize, quarters: u8) -> bool {
    place % usize::from(SHEDDING_STEPS) < usize::from(quarters)
}
