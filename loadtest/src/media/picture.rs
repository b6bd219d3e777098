//! What a decoder would show of a received picture: whole frames from a key frame on, and when it froze.
//!
//! A frame counts as shown at the moment when it and everything before it is there, without a play-out delay. A freeze is
//! what webrtc-stats calls one (`freezeCount`): two frames follow one another after max(3 a, a + 150 ms), where a is the
//! mean time between the last 30.

use crate::wire::stamp::InFrame;

/// Packets that are remembered: a frame has to be whole within them.
const WINDOW: usize = 256;
/// Frames whose mean distance is what a freeze is held against.
const MEAN_FRAMES: usize = 30;
/// Before so many frames there is no mean worth the name.
const MEAN_FRAMES_MIN: usize = 5;
const FREEZE_NS: u64 = 150_000_000;

/// Frames shown and time frozen since it was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Frames shown.
    pub frames: u64,
    /// How often the picture froze.
    pub freezes: u64,
    /// For how long in all, in nanoseconds.
    pub frozen_ns: u64,
}

/// One picture.
#[derive(Debug)]
pub struct Picture {
    /// Packets by their number, modulo the window.
    packets: Box<[Option<(u32, InFrame)>; WINDOW]>,
    /// The next packet that the decoder needs. None: it waits for a key frame.
    next: Option<u32>,
    /// The newest key frame's first packet.
    key: Option<u32>,
    shown_ns: Option<u64>,
    distances_ns: [u64; MEAN_FRAMES],
    distances: usize,
    seen: Seen,
}

impl Picture {
    /// Nothing was shown yet.
    pub fn new() -> Self {
        Self {
            packets: Box::new([None; WINDOW]),
            next: None,
            key: None,
            shown_ns: None,
            distances_ns: [0; MEAN_FRAMES],
            distances: 0,
            seen: Seen::default(),
        }
    }

    /// Takes a packet in that came now.
    pub fn packet(&mut self, sequence: u32, place: InFrame, now_ns: u64) {
        if let Some(slot) = self.packets.get_mut(sequence as usize % WINDOW) {
            *slot = Some((sequence, place));
        }
        if place.starts && place.is_key && self.key.is_none_or(|key| is_after(sequence, key)) {
            self.key = Some(sequence);
        }
        while let Some(next) = self.next
            && let Some(place) = self.at(next)
        {
            self.next = Some(next.wrapping_add(1));
            if place.ends {
                self.show(now_ns);
            }
        }
        self.skip_to_key(now_ns);
    }

    /// A whole key frame makes everything before it needless.
    fn skip_to_key(&mut self, now_ns: u64) {
        let Some(key) = self.key.filter(|key| self.next.is_none_or(|next| is_after(*key, next))) else {
            return;
        };
        let mut at = key;
        while let Some(place) = self.at(at).filter(|_| at.wrapping_sub(key) < WINDOW as u32) {
            at = at.wrapping_add(1);
            if place.ends {
                self.next = Some(at);
                self.show(now_ns);
                return;
            }
        }
    }

    fn at(&self, sequence: u32) -> Option<InFrame> {
        let known = self.packets.get(sequence as usize % WINDOW).copied().flatten();
        known.filter(|(number, _)| *number == sequence).map(|(_, place)| place)
    }

    fn show(&mut self, now_ns: u64) {
        self.seen.frames += 1;
        if let Some(before) = self.shown_ns.replace(now_ns) {
            let distance_ns = now_ns.saturating_sub(before);
            self.judge(distance_ns);
            if let Some(place) = self.distances_ns.get_mut(self.distances % MEAN_FRAMES) {
                *place = distance_ns;
            }
            self.distances += 1;
        }
    }

    fn judge(&mut self, distance_ns: u64) {
        if self.freeze_ns().is_some_and(|freeze_ns| distance_ns >= freeze_ns) {
            self.seen.freezes += 1;
            self.seen.frozen_ns += distance_ns;
        }
    }

    /// From when on a distance is a freeze.
    fn freeze_ns(&self) -> Option<u64> {
        let known = self.distances.min(MEAN_FRAMES);
        let mean = self.distances_ns.iter().take(known).sum::<u64>().checked_div(known as u64)?;
        (known >= MEAN_FRAMES_MIN).then(|| (3 * mean).max(mean + FREEZE_NS))
    }

    /// Whether anything was shown at all.
    pub fn has_shown(&self) -> bool {
        self.shown_ns.is_some()
    }

    /// What was seen since the last call; a picture that stands still now is frozen.
    pub fn take_seen(&mut self, now_ns: u64) -> Seen {
        if let Some(shown_ns) = self.shown_ns {
            self.judge(now_ns.saturating_sub(shown_ns));
        }
        std::mem::take(&mut self.seen)
    }

    /// Forgets what was seen, not what is shown.
    pub fn begin_window(&mut self) {
        self.seen = Seen::default();
    }
}

fn is_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Frames of two packets each 40 ms; packet 2n begins frame n.
    fn send(picture: &mut Picture, packets: impl IntoIterator<Item = u32>, key: u32, late_ms: u64) {
        for sequence in packets {
            let (starts, is_key) = (sequence % 2 == 0, sequence / 2 == key);
            let place = InFrame { starts, ends: !starts, is_key };
            picture.packet(sequence, place, (u64::from(sequence / 2) * 40 + late_ms) * MS);
        }
    }

    #[test]
    fn nothing_is_shown_before_a_whole_key_frame() {
        let mut picture = Picture::new();
        send(&mut picture, 3..=8, 4, 0);
        assert!(!picture.has_shown());
        send(&mut picture, 9..=13, 4, 0);
        assert_eq!(picture.take_seen(250 * MS), Seen { frames: 3, freezes: 0, frozen_ns: 0 });
    }

    #[test]
    fn a_gap_that_is_repaired_late_freezes_the_picture_until_then() {
        let mut picture = Picture::new();
        send(&mut picture, 0..=40, 0, 0);
        send(&mut picture, 42..=60, 0, 0);
        assert_eq!(picture.take_seen(20 * 40 * MS).frames, 20);
        // Packet 41 ends frame 20, 500 ms late: with it ten frames are there at once.
        send(&mut picture, [41], 0, 500);
        let distance = (20 * 40 + 500 - 19 * 40) * MS;
        assert_eq!(picture.take_seen(1_310 * MS), Seen { frames: 10, freezes: 1, frozen_ns: distance });
    }

    #[test]
    fn a_key_frame_ends_the_wait_for_what_is_lost() {
        let mut picture = Picture::new();
        send(&mut picture, 0..=40, 0, 0);
        send(&mut picture, 42..=61, 30, 0);
        let seen = Seen { frames: 21, freezes: 1, frozen_ns: (30 - 19) * 40 * MS };
        assert_eq!(picture.take_seen(31 * 40 * MS), seen);
    }
}
