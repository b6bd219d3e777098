//! From a source's numbers to a slot's: sequence, timestamp, VP8 picture ids.
//!
//! A slot is one RTP stream for life, whoever stands in it. Each time its source begins anew the rewriter takes
//! *offsets*, and while they hold, every number is a pure function of the source's: a gap upstream stays a gap, and
//! the same packet sent twice is the same bytes twice, as a nonce that is made of SSRC and index demands
//! (RFC 7714 §8.1). An index is never given to two packets: sources begin above everything that was sent.

use std::time::Duration;

use crate::DropReason;

/// What a VP8 payload descriptor counts (RFC 7741 §4.2), or nothing for the other codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PictureIds {
    /// `PictureID`, 7 or 15 bits.
    pub picture: Option<u16>,
    /// `TL0PICIDX`.
    pub tl0: Option<u8>,
}

/// A source packet's numbers.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    /// Extended by the track.
    pub sequence: u64,
    /// As the publisher wrote it.
    pub timestamp: u32,
    /// How often the publisher began anew with another SSRC; its clock and counters with it.
    pub restarts: u32,
    /// As the publisher wrote them.
    pub pictures: PictureIds,
}

/// The same packet's numbers in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewritten {
    /// Roll-over counter and sequence number: `roc << 16 | sequence` (RFC 3711 §3.3.1).
    pub index: u64,
    /// RTP timestamp on the slot's timeline.
    pub timestamp: u32,
    /// VP8 picture ids; the writer cuts them to the width that the payload has room for.
    pub pictures: PictureIds,
}

/// What a source's numbers are moved by.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    /// First source packet that this slot takes; older ones belong to what was shown before.
    first: u64,
    /// Its index in the slot.
    first_index: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
}

/// One slot's numbers.
#[derive(Debug)]
pub struct Rewriter {
    clock_rate_hz: u32,
    timestamp_base: u32,
    /// One above the highest index that was given out.
    index_next: u64,
    /// The newest packet's timestamp and picture ids.
    newest: Option<(u32, PictureIds)>,
    offsets: Option<Offsets>,
}

/// Between the last packet of one source and the first of the next, where their clocks would have time stand still.
const STEP_MIN: Duration = Duration::from_millis(20);

/// A receiver guesses the roll-over counter from the newest packet it got, and is wrong for ever once the next is 2^15 ahead
/// (RFC 3711 §3.3.1). So a publisher moves a slot's index on by less than this for each packet that it sends.
const GAP_PACKETS_MAX: u64 = 512;

impl Rewriter {
    /// A slot that has sent nothing. `index` and `timestamp_base` are random (RFC 3550 §5.1); `index` below 2^15 keeps
    /// the receiver's guess of the roll-over counter right from the first packet on (RFC 3711 §3.3.1).
    pub fn new(clock_rate_hz: u32, index: u64, timestamp_base: u32) -> Self {
        Self { clock_rate_hz, timestamp_base, index_next: index, newest: None, offsets: None }
    }

    /// Begins another source with this packet, captured `captured` after the engine's epoch on the server's clock.
    pub fn begin(&mut self, first: &Numbers, captured: Duration) {
        let planned = self.timestamp_base.wrapping_add(self.ticks(captured));
        let timestamp = match self.newest {
            // The new source's way to us is longer than the old one's was: time must not run backwards. The next
            // sender report tells the truth about it.
            Some((last, _)) if ahead(planned, last.wrapping_add(self.ticks(STEP_MIN))) < 0 => {
                last.wrapping_add(self.ticks(STEP_MIN))
            }
            _ => planned,
        };
        self.anchor(first, timestamp.wrapping_sub(first.timestamp));
    }

    /// Goes on with the same source after some of it was withheld: timestamps go on by its own clock, sequence numbers
    /// and picture ids without the gap that we made ourselves.
    pub fn resume(&mut self, first: &Numbers, captured: Duration) {
        match self.offsets {
            Some(offsets) => self.anchor(first, offsets.timestamp),
            None => self.begin(first, captured),
        }
    }

    /// Forgets the source: nothing of it can be mapped any more.
    pub fn end(&mut self) {
        self.offsets = None;
    }

    /// Where the source's packet belongs.
    pub fn map(&self, numbers: &Numbers) -> Result<Rewritten, DropReason> {
        let offsets = self.offsets.as_ref().ok_or(DropReason::PreviousSource)?;
        let ahead = numbers.sequence.checked_sub(offsets.first).ok_or(DropReason::PreviousSource)?;
        Ok(Rewritten {
            index: offsets.first_index + ahead,
            timestamp: numbers.timestamp.wrapping_add(offsets.timestamp),
            pictures: PictureIds {
                picture: numbers.pictures.picture.map(|id| id.wrapping_add(offsets.picture)),
                tl0: numbers.pictures.tl0.map(|id| id.wrapping_add(offsets.tl0)),
            },
        })
    }

    /// Whether the source's packet is so far ahead that it has to begin afresh ([`Self::resume`]): after an outage, or
    /// because somebody means harm.
    pub fn is_leap(&self, rewritten: &Rewritten) -> bool {
        rewritten.index >= self.index_next + GAP_PACKETS_MAX
    }

    /// Notes that a packet took its index, whether or not there was room to send it.
    pub fn commit(&mut self, rewritten: &Rewritten) {
        if rewritten.index >= self.index_next {
            self.index_next = rewritten.index + 1;
            let (_, before) = self.newest.unwrap_or_default();
            let pictures = PictureIds {
                picture: rewritten.pictures.picture.or(before.picture),
                tl0: rewritten.pictures.tl0.or(before.tl0),
            };
            self.newest = Some((rewritten.timestamp, pictures));
        }
    }

    /// The source's sequence number of a packet that the subscriber names by its 16 bits.
    pub fn source_sequence(&self, sequence: u16) -> Result<u64, DropReason> {
        let offsets = self.offsets.as_ref().ok_or(DropReason::PreviousSource)?;
        let newest = self.index_next.checked_sub(1).ok_or(DropReason::RetransmissionExpired)?;
        let back = u64::from((newest as u16).wrapping_sub(sequence));
        let index = newest.checked_sub(back).ok_or(DropReason::RetransmissionExpired)?;
        let ahead = index.checked_sub(offsets.first_index).ok_or(DropReason::PreviousSource)?;
        Ok(offsets.first + ahead)
    }

    /// Numbers for a packet of nobody who stands here; what follows moves up by one.
    #[cfg(feature = "planted-faults")]
    pub fn plant(&mut self) -> Option<Rewritten> {
        let (timestamp, pictures) = self.newest?;
        let index = self.index_next;
        self.offsets.as_mut()?.first_index += 1;
        self.index_next += 1;
        Some(Rewritten { index, timestamp, pictures })
    }

    /// One above the highest index that was given out.
    pub fn index_next(&self) -> u64 {
        self.index_next
    }

    /// A stretch of time in ticks of the slot's clock, as RTP counts: modulo 2^32.
    pub fn ticks(&self, time: Duration) -> u32 {
        let rate = u64::from(self.clock_rate_hz);
        let whole = time.as_secs().wrapping_mul(rate);
        whole.wrapping_add(u64::from(time.subsec_nanos()) * rate / 1_000_000_000) as u32
    }

    fn anchor(&mut self, first: &Numbers, timestamp: u32) {
        let after = |last: Option<u16>, now: Option<u16>| match (last, now) {
            (Some(last), Some(now)) => last.wrapping_add(1).wrapping_sub(now),
            _ => 0,
        };
        let (_, last) = self.newest.unwrap_or_default();
        let tl0 = after(last.tl0.map(u16::from), first.pictures.tl0.map(u16::from));
        self.offsets = Some(Offsets {
            first: first.sequence,
            first_index: self.index_next,
            timestamp,
            picture: after(last.picture, first.pictures.picture),
            tl0: tl0 as u8,
        });
    }
}

/// How far `a` is ahead of `b` on a circle of 2^32 (RFC 1982 §3.2).
fn ahead(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn numbers(sequence: u64, timestamp: u32) -> Numbers {
        Numbers { sequence, timestamp, restarts: 0, pictures: PictureIds::default() }
    }

    fn vp8(sequence: u64, picture: u16, tl0: u8) -> Numbers {
        Numbers {
            sequence,
            timestamp: 0,
            restarts: 0,
            pictures: PictureIds { picture: Some(picture), tl0: Some(tl0) },
        }
    }

    fn forward(slot: &mut Rewriter, numbers: Numbers) -> Rewritten {
        let rewritten = slot.map(&numbers).expect("of the present source");
        slot.commit(&rewritten);
        rewritten
    }

    #[test]
    fn a_gap_upstream_stays_a_gap_and_late_packets_find_their_place() {
        let mut slot = Rewriter::new(90_000, 0xfffe, 0);
        slot.begin(&numbers(1_000, 5), MS(0));
        let indices: Vec<_> =
            [1_000, 1_001, 1_004, 1_002].map(|s| forward(&mut slot, numbers(s, 5)).index).to_vec();
        assert_eq!(indices, [0xfffe, 0xffff, 0x10002, 0x10000]);
        assert_eq!(slot.source_sequence(0xffff), Ok(1_001));
        assert_eq!(slot.source_sequence(1), Ok(1_003));
    }

    #[test]
    fn the_next_source_goes_on_above_everything_sent_and_the_old_one_is_refused() {
        let mut slot = Rewriter::new(48_000, 10, 0);
        slot.begin(&numbers(500, 0), MS(0));
        forward(&mut slot, numbers(500, 0));
        forward(&mut slot, numbers(507, 0));
        slot.begin(&numbers(80, 0), MS(100));
        assert_eq!(slot.map(&numbers(79, 0)), Err(DropReason::PreviousSource));
        assert_eq!(forward(&mut slot, numbers(80, 0)).index, 18);
        assert_eq!(slot.source_sequence(17), Err(DropReason::PreviousSource));
        assert_eq!(slot.source_sequence(18), Ok(80));
        slot.end();
        assert_eq!(slot.source_sequence(18), Err(DropReason::PreviousSource));
    }

    #[test]
    fn timestamps_lie_on_one_timeline_and_follow_the_source_exactly() {
        let mut slot = Rewriter::new(90_000, 1, u32::MAX - 10);
        slot.begin(&numbers(1, 777), MS(1_000));
        let base = forward(&mut slot, numbers(1, 777)).timestamp;
        assert_eq!(base, (u32::MAX - 10).wrapping_add(90_000));
        assert_eq!(forward(&mut slot, numbers(2, 777 + 3_003)).timestamp, base.wrapping_add(3_003));
        slot.begin(&numbers(9, 4_000_000_000), MS(3_000));
        assert_eq!(forward(&mut slot, numbers(9, 4_000_000_000)).timestamp, base.wrapping_add(180_000));
    }

    #[test]
    fn time_never_runs_backwards_at_a_re_point() {
        let mut slot = Rewriter::new(48_000, 1, 0);
        slot.begin(&numbers(1, 0), MS(1_000));
        forward(&mut slot, numbers(1, 0));
        slot.begin(&numbers(1, 0), MS(900));
        assert_eq!(forward(&mut slot, numbers(1, 0)).timestamp, 48_000 + 960);
    }

    #[test]
    fn what_we_withheld_leaves_no_gap_but_the_clock_ran_on() {
        let mut slot = Rewriter::new(90_000, 1, 0);
        slot.begin(&numbers(10, 0), MS(0));
        forward(&mut slot, numbers(10, 0));
        slot.resume(&numbers(510, 900_000), MS(0));
        let resumed = forward(&mut slot, numbers(510, 900_000));
        assert_eq!((resumed.index, resumed.timestamp), (2, 900_000));
    }

    #[test]
    fn picture_ids_continue_across_sources_and_wrap() {
        let mut slot = Rewriter::new(90_000, 1, 0);
        slot.begin(&vp8(1, 0x7ffe, 254), MS(0));
        assert_eq!(forward(&mut slot, vp8(1, 0x7ffe, 254)).pictures.picture, Some(0x7ffe));
        forward(&mut slot, vp8(2, 0x7fff, 255));
        slot.begin(&vp8(900, 5, 7), MS(100));
        let first = forward(&mut slot, vp8(900, 5, 7)).pictures;
        assert_eq!((first.picture.map(|id| id & 0x7fff), first.tl0), (Some(0), Some(0)));
        let second = forward(&mut slot, vp8(901, 6, 8)).pictures;
        assert_eq!((second.picture.map(|id| id & 0x7fff), second.tl0), (Some(1), Some(1)));
    }

    #[test]
    fn a_nack_for_what_was_never_sent_names_nothing() {
        let mut slot = Rewriter::new(90_000, 3, 0);
        assert_eq!(slot.source_sequence(3), Err(DropReason::PreviousSource));
        slot.begin(&numbers(10, 0), MS(0));
        forward(&mut slot, numbers(10, 0));
        assert_eq!(slot.source_sequence(4), Err(DropReason::RetransmissionExpired));
        assert_eq!(slot.source_sequence(2), Err(DropReason::PreviousSource));
    }
}
