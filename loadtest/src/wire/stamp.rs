//! The stamp in every payload: who sent it, on which track, its number, and when.

use crate::plan::Kind;

/// Marks a stamp; anything else at its place is not ours.
const MAGIC: [u8; 3] = *b"CLT";
/// Length of a stamp.
pub const STAMP_BYTES: usize = 20;

/// What a payload says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The sender's number among all of the harness.
    pub sender: u32,
    /// What the track carries.
    pub kind: Kind,
    /// Counts the packets of the track from 0; it does not wrap in a run.
    pub sequence: u32,
    /// When it was handed to the kernel, in nanoseconds since 1970 (`CLOCK_REALTIME`).
    pub sent_ns: u64,
}

impl Stamp {
    /// Writes it to the beginning of `to`. False where there is no room.
    pub fn write(&self, to: &mut [u8]) -> bool {
        let Some(to) = to.first_chunk_mut::<STAMP_BYTES>() else { return false };
        to[..3].copy_from_slice(&MAGIC);
        to[3] = self.kind as u8;
        to[4..8].copy_from_slice(&self.sender.to_be_bytes());
        to[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        to[12..20].copy_from_slice(&self.sent_ns.to_be_bytes());
        true
    }

    /// Reads it from the beginning of `from`.
    pub fn read(from: &[u8]) -> Option<Self> {
        let (head, rest) = from.split_first_chunk::<4>()?;
        let kind = match head {
            [m0, m1, m2, kind] if [*m0, *m1, *m2] == MAGIC => *kind,
            _ => return None,
        };
        let kind = [Kind::Audio, Kind::Video].into_iter().find(|k| *k as u8 == kind)?;
        let (sender, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (sent_ns, _) = rest.split_first_chunk()?;
        Some(Self {
            sender: u32::from_be_bytes(*sender),
            kind,
            sequence: u32::from_be_bytes(*sequence),
            sent_ns: u64::from_be_bytes(*sent_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_and_nothing_else_passes_for_one() {
        let stamp = Stamp { sender: 7, kind: Kind::Video, sequence: 70_000, sent_ns: u64::MAX - 1 };
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
