//! How often a subscriber gets the same packet again, and under which number.

use std::time::{Duration, Instant};

use crate::DropReason;

/// Requests that are remembered; more than a NACK of libwebrtc names at once.
const REMEMBERED: usize = 128;
/// The shortest time between two answers to requests for the same packet.
const INTERVAL_MIN: Duration = Duration::from_millis(20);
/// However slow the way is said to be, asking again helps after this much.
const INTERVAL_MAX: Duration = Duration::from_millis(200);

/// The retransmissions of one slot.
#[derive(Debug)]
pub struct Retransmission {
    /// Of the next retransmission, in its own stream (RFC 4588 §4).
    index_next: u64,
    /// Indices that were sent again lately, oldest overwritten first; allocated with the first request.
    recent: Vec<(u64, Instant)>,
    oldest: usize,
}

impl Retransmission {
    /// A stream that begins at `index`.
    pub fn new(index: u64) -> Self {
        Self { index_next: index, recent: Vec::new(), oldest: 0 }
    }

    /// Notes that the packet of this index is sent again, unless it was a moment ago.
    pub fn permit(
        &mut self,
        now: Instant,
        index: u64,
        round_trip: Option<Duration>,
    ) -> Result<(), DropReason> {
        let interval = round_trip.map_or(INTERVAL_MIN, |rtt| (rtt / 2).clamp(INTERVAL_MIN, INTERVAL_MAX));
        if let Some((_, last)) = self.recent.iter_mut().find(|(sent, _)| *sent == index) {
            if now.saturating_duration_since(*last) < interval {
                return Err(DropReason::RetransmissionTooSoon);
            }
            *last = now;
            return Ok(());
        }
        match self.recent.get_mut(self.oldest) {
            Some(oldest) => *oldest = (index, now),
            None => self.recent.push((index, now)),
        }
        self.oldest = (self.oldest + 1) % REMEMBERED;
        Ok(())
    }

    /// The index of the next retransmission in its own stream; never given out twice.
    pub fn take_index(&mut self) -> u64 {
        let index = self.index_next;
        self.index_next += 1;
        index
    }

    /// What [`Retransmission::take_index`] gives out next.
    pub fn index_next(&self) -> u64 {
        self.index_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_packet_is_not_sent_twice_within_a_round_trip() {
        let (mut slot, start) = (Retransmission::new(1), Instant::now());
        let rtt = Some(Duration::from_millis(100));
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(slot.permit(start, 7, rtt), Ok(()));
        assert_eq!(slot.permit(after(49), 7, rtt), Err(DropReason::RetransmissionTooSoon));
        assert_eq!(slot.permit(after(49), 8, rtt), Ok(()));
        assert_eq!(slot.permit(after(50), 7, rtt), Ok(()));
        assert_eq!(slot.permit(after(60), 7, None), Err(DropReason::RetransmissionTooSoon));
        assert_eq!(slot.permit(after(70), 7, None), Ok(()));
    }

    #[test]
    fn memory_of_requests_is_bounded() {
        let (mut slot, start) = (Retransmission::new(1), Instant::now());
        for index in 0..10_000 {
            assert_eq!(slot.permit(start, index, None), Ok(()));
        }
        assert_eq!(slot.recent.len(), REMEMBERED);
        assert_eq!(slot.permit(start, 9_999, None), Err(DropReason::RetransmissionTooSoon));
    }

    #[test]
    fn every_retransmission_has_an_index_of_its_own() {
        let mut slot = Retransmission::new(0xffff);
        assert_eq!([slot.take_index(), slot.take_index()], [0xffff, 0x10000]);
        assert_eq!(slot.index_next(), 0x10001);
    }
}
