//! Which packets of a track came already: a bitmap over extended sequence numbers, as RFC 3711 §3.3.2 has for replays.

use std::mem::offset_of;

use prefetch::prefetch;

/// How far behind the newest packet one may still come. More than a second of video at 10 Mbit/s.
const PACKETS: u64 = 2_048;
const WORDS: usize = PACKETS as usize / 64;

/// What is known of a packet that comes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Never seen.
    New,
    /// Seen.
    Duplicate,
    /// So old that nobody can tell.
    TooOld,
}

/// The newest packets, one bit each.
#[derive(Debug)]
#[repr(C)]
pub struct ReceivedWindow {
    newest: Option<u64>,
    bits: [u64; WORDS],
}

impl ReceivedWindow {
    /// Up to [`Self::newest`].
    pub const FRONT_BYTES: usize = offset_of!(Self, bits);

    /// Has the processor fetch where a packet is noted.
    pub fn prefetch(&self, sequence: u64) {
        self.bits.get(place(sequence).0).into_iter().for_each(prefetch);
    }

    pub fn new() -> Self {
        Self { newest: None, bits: [0; WORDS] }
    }

    /// The highest sequence number so far.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Notes a packet.
    pub fn insert(&mut self, sequence: u64) -> Arrival {
        let newest = *self.newest.get_or_insert(sequence);
        if sequence.saturating_add(PACKETS) <= newest {
            return Arrival::TooOld;
        }
        if sequence > newest {
            self.forget(newest + 1, sequence);
            self.newest = Some(sequence);
        }
        let (word, bit) = place(sequence);
        if self.bits[word] & bit != 0 {
            return Arrival::Duplicate;
        }
        self.bits[word] |= bit;
        Arrival::New
    }

    /// Clears the bits that `first..=last` take over from older packets.
    fn forget(&mut self, first: u64, last: u64) {
        if last - first >= PACKETS {
            self.bits.fill(0);
            return;
        }
        for sequence in first..=last {
            let (word, bit) = place(sequence);
            self.bits[word] &= !bit;
        }
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let position = sequence % PACKETS;
    ((position / 64) as usize, 1 << (position % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_is_new_once_in_any_order() {
        let mut window = ReceivedWindow::new();
        for sequence in [70_000, 69_999, 70_003, 70_001] {
            assert_eq!(window.insert(sequence), Arrival::New);
            assert_eq!(window.insert(sequence), Arrival::Duplicate);
        }
        assert_eq!(window.newest(), Some(70_003));
    }

    #[test]
    fn what_fell_out_of_the_window_is_too_old_even_if_it_never_came() {
        let mut window = ReceivedWindow::new();
        window.insert(10_000);
        window.insert(10_000 + PACKETS);
        assert_eq!(window.insert(10_000), Arrival::TooOld);
        assert_eq!(window.insert(10_001), Arrival::New);
    }

    #[test]
    fn a_jump_forgets_everything_before_it() {
        let mut window = ReceivedWindow::new();
        (0..PACKETS).for_each(|s| assert_eq!(window.insert(s), Arrival::New));
        let far = PACKETS * 5;
        assert_eq!(window.insert(far), Arrival::New);
        assert!((far - PACKETS + 1..far).all(|s| window.insert(s) == Arrival::New));
    }
}
