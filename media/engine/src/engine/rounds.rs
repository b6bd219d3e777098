//! When a transport is told the state of things: one round of reports on everything that it sends and receives.

use std::time::{Duration, Instant};

/// From one round to the next, for who sends or receives a stream of packets (browsers report on video as often).
pub const ROUND_INTERVAL: Duration = Duration::from_secs(1);

/// What leaves anyway takes a round along that is due as soon as this lets it.
const ALONG_INTERVAL: Duration = Duration::from_millis(900);

/// So long it waits for such a datagram where one is to be expected.
const WAITING_INTERVAL: Duration = Duration::from_millis(1_500);

/// With fewer packets than these since the last round, it waits for [`QUIET_INTERVAL`], or for a datagram to go along with:
/// reports are to stay a small part of what is sent (RFC 3550 §6.2), and in silence a packet comes every 400 ms.
const QUIET_PACKETS: u64 = 20;

/// RFC 3550 §6.2: the interval of who has little bandwidth, and what browsers keep to for sound.
const QUIET_INTERVAL: Duration = Duration::from_secs(5);

/// Whether something else leaves that a round can go along with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Now.
    Leaves,
    /// Before long.
    Expected,
    /// Nothing.
    None,
}

/// The rounds of one transport.
#[derive(Debug)]
pub struct Rounds {
    last: Instant,
    not_before: Instant,
    /// `None` while nothing has come or gone that could be reported on.
    due: Option<Instant>,
}

impl Rounds {
    /// The first round comes a second from now.
    pub fn new(now: Instant) -> Self {
        Self { last: now, not_before: now + ROUND_INTERVAL, due: None }
    }

    /// A packet has come or gone. If that has planned a round: for when.
    pub fn note(&mut self, now: Instant) -> Option<Instant> {
        if self.due.is_some() {
            return None;
        }
        self.due = Some(now.max(self.not_before));
        self.due
    }

    /// When [`Self::poll`] is to be asked.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a round leaves now: because it is due until `soon`, or because another datagram does. `packets` says how many
    /// have come and gone since the last one; it is only asked when it matters.
    pub fn poll(&mut self, now: Instant, soon: Instant, other: Other, packets: impl FnOnce() -> u64) -> bool {
        let Some(due) = self.due else { return false };
        let goes_along = other == Other::Leaves && self.last + ALONG_INTERVAL <= now;
        if due > soon && !goes_along {
            return false;
        }
        let packets = packets();
        if packets == 0 {
            (self.due, self.not_before) = (None, now + ROUND_INTERVAL);
            return false;
        }
        let patience = match other {
            _ if packets < QUIET_PACKETS => QUIET_INTERVAL,
            Other::Expected => WAITING_INTERVAL,
            _ => ROUND_INTERVAL,
        };
        if !goes_along && soon < self.last + patience {
            self.due = Some(self.last + patience);
            return false;
        }
        *self = Self { last: now, not_before: now + ROUND_INTERVAL, due: Some(now + ROUND_INTERVAL) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn noted() -> (Instant, Rounds) {
        let start = Instant::now();
        let mut rounds = Rounds::new(start);
        assert_eq!(rounds.note(start + 10 * MS), Some(start + 1_000 * MS));
        assert_eq!(rounds.note(start + 20 * MS), None);
        (start, rounds)
    }

    #[test]
    fn a_stream_of_packets_is_reported_on_every_second() {
        let (start, mut rounds) = noted();
        assert!(!rounds.poll(start + 979 * MS, start + 999 * MS, Other::None, || unreachable!()));
        assert!(rounds.poll(start + 980 * MS, start + 1_000 * MS, Other::None, || 20));
        assert_eq!(rounds.due(), Some(start + 1_980 * MS));
    }

    #[test]
    fn few_packets_wait_for_five_seconds_or_for_a_datagram_that_leaves_anyway() {
        let (start, mut rounds) = noted();
        let at = |ms| start + ms * MS;
        assert!(!rounds.poll(at(1_000), at(1_000), Other::None, || 19));
        assert_eq!(rounds.due(), Some(at(5_000)));
        assert!(rounds.poll(at(2_000), at(2_000), Other::Leaves, || 19));
        assert!(!rounds.poll(at(2_899), at(2_899), Other::Leaves, || unreachable!()));
        assert!(!rounds.poll(at(3_000), at(3_000), Other::None, || 1));
        assert!(rounds.poll(at(7_000), at(7_000), Other::None, || 1));
    }

    #[test]
    fn a_round_waits_half_a_second_for_a_datagram_that_is_expected() {
        let (start, mut rounds) = noted();
        let at = |ms| start + ms * MS;
        assert!(!rounds.poll(at(1_000), at(1_000), Other::Expected, || 50));
        assert_eq!(rounds.due(), Some(at(1_500)));
        assert!(rounds.poll(at(1_070), at(1_070), Other::Leaves, || 50));
        assert!(!rounds.poll(at(2_070), at(2_070), Other::Expected, || 50));
        assert!(rounds.poll(at(2_570), at(2_570), Other::Expected, || 50));
    }

    #[test]
    fn nothing_is_due_in_silence_and_what_breaks_it_is_looked_at_once_a_second() {
        let (start, mut rounds) = noted();
        assert!(!rounds.poll(start + 1_000 * MS, start + 1_000 * MS, Other::None, || 0));
        assert_eq!(rounds.due(), None);
        assert_eq!(rounds.note(start + 1_001 * MS), Some(start + 2_000 * MS));
    }
}
