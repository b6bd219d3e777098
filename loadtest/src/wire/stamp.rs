//! The stamp in every payload: who sent it, on which track, its number, and when.

use crate::plan::Kind;

/// Marks a stamp; anything else at its place is not ours.
const MAGIC: [u8; 3] = *b"CLT";
/// Length of a stamp.
pub const STAMP_BYTES: usize = 20;

/// What a packet is to its frame. All false for sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFrame {
    /// The first of a frame.
    pub starts: bool,
    /// The last of it.
    pub ends: bool,
    /// Of a key frame.
    pub is_key: bool,
}

/// What a payload says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The sender's number among all of the harness.
    pub sender: u32,
    /// What the track carries.
    pub kind: Kind,
    /// What the packet is to its frame.
    pub frame: InFrame,
    /// Counts the packets of the track from 0; it does not wrap in a run.
    pub sequence: u32,
    /// When it was written, a moment before it is handed to the kernel: nanoseconds by the harness's clock.
    pub sent_ns: u64,
}

impl Stamp {
    /// Writes it to the beginning of `to`. False where there is no room.
    pub fn write(&self, to: &mut [u8]) -> bool {
        let Some(to) = to.first_chunk_mut::<STAMP_BYTES>() else { return false };
        to[..3].copy_from_slice(&MAGIC);
        to[3] = self.kind as u8 | flags(self.frame);
        to[4..8].copy_from_slice(&self.sender.to_be_bytes());
        to[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        to[12..20].copy_from_slice(&self.sent_ns.to_be_bytes());
        true
    }

    /// Reads it from the beginning of `from`.
    pub fn read(from: &[u8]) -> Option<Self> {
        let (head, rest) = from.split_first_chunk::<4>()?;
        let what = match head {
            [m0, m1, m2, what] if [*m0, *m1, *m2] == MAGIC => *what,
            _ => return None,
        };
        let kind = [Kind::Audio, Kind::Video].into_iter().find(|k| *k as u8 == what & !FLAGS)?;
        let frame =
            InFrame { starts: what & STARTS != 0, ends: what & ENDS != 0, is_key: what & IS_KEY != 0 };
        let (sender, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (sent_ns, _) = rest.split_first_chunk()?;
        Some(Self {
            sender: u32::from_be_bytes(*sender),
            kind,
            frame,
            sequence: u32::from_be_bytes(*sequence),
            sent_ns: u64::from_be_bytes(*sent_ns),
        })
    }
}

const STARTS: u8 = 0x80;
const ENDS: u8 = 0x40;
const IS_KEY: u8 = 0x20;
const FLAGS: u8 = STARTS | ENDS | IS_KEY;

fn flags(frame: InFrame) -> u8 {
    let flag = |is: bool, bit: u8| if is { bit } else { 0 };
    flag(frame.starts, STARTS) | flag(frame.ends, ENDS) | flag(frame.is_key, IS_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_and_nothing_else_passes_for_one() {
        let frame = InFrame { starts: true, ends: false, is_key: true };
        let stamp = Stamp { sender: 7, kind: Kind::Video, frame, sequence: 70_000, sent_ns: u64::MAX - 1 };
        let mut bytes = [0; STAMP_BYTES];
        assert!(stamp.write(&mut bytes));
        assert_eq!(Stamp::read(&bytes), Some(stamp));
        for cut in 0..STAMP_BYTES {
            assert_eq!(Stamp::read(&bytes[..cut]), None);
            assert!(!stamp.write(&mut vec![0; cut]));
        }
        bytes[3] = 9;
        assert_eq!(Stamp::read(&bytes), None);
    }
}
