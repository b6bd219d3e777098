//! When a transport is told the state of things: one round of reports on everything that it sends and receives.

use std::time::{Duration, Instant};

/// From one round to the next, for who sends or receives a stream of packets (browsers report on video as often).
pub const ROUND_INTERVAL: Duration = Duration::from_secs(1);

/// With fewer packets a second than these, a round waits for [`QUIET_INTERVAL`], and so does a stream of which fewer were sent
/// since the last: reports are to stay a small part of what is sent (RFC 3550 §6.2), and in silence a packet comes every 400 ms.
pub const QUIET_PACKETS: u32 = 20;

/// RFC 3550 §6.2: the interval of who has little bandwidth, and what browsers keep to for sound.
pub const QUIET_INTERVAL: Duration = Duration::from_secs(5);

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
    /// That have come and gone since.
    packets: u32,
    /// `None` while nothing has come or gone that could be reported on.
    due: Option<Instant>,
}

impl Rounds {
    /// The first round comes a second from now.
    pub fn new(now: Instant) -> Self {
        Self { last: now, not_before: now + ROUND_INTERVAL, packets: 0, due: None }
    }

    /// A packet has come or gone. If that has planned a round: for when.
    pub fn note(&mut self, now: Instant) -> Option<Instant> {
        self.packets = self.packets.saturating_add(1);
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

    /// Whether a round leaves now: because it is due until `soon`, or because another datagram does, which it goes along with
    /// from nine tenths of its interval on. Where one is to be expected, it waits half an interval more.
    pub fn poll(&mut self, now: Instant, soon: Instant, other: Other) -> bool {
        let Some(due) = self.due else { return false };
        let seconds = now.saturating_duration_since(self.last).as_secs().max(1);
        let is_quiet = u64::from(self.packets) < seconds * u64::from(QUIET_PACKETS);
        let interval = if is_quiet { QUIET_INTERVAL } else { ROUND_INTERVAL };
        let goes_along = other == Other::Leaves && self.last + interval * 9 / 10 <= now;
        if due > soon && !goes_along {
            return false;
        }
        if self.packets == 0 {
            (self.due, self.not_before) = (None, now + ROUND_INTERVAL);
            return false;
        }
        let patience = if other == Other::Expected { interval * 3 / 2 } else { interval };
        if !goes_along && soon < self.last + patience {
            self.due = Some(self.last + patience);
            return false;
        }
        *self = Self { due: Some(now + ROUND_INTERVAL), ..Self::new(now) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// So many packets at the beginning.
    fn noted(packets: usize) -> (Instant, Rounds) {
        let start = Instant::now();
        let mut rounds = Rounds::new(start);
        assert_eq!(rounds.note(start + 10 * MS), Some(start + 1_000 * MS));
        note(&mut rounds, start + 20 * MS, packets - 1);
        (start, rounds)
    }

    fn note(rounds: &mut Rounds, at: Instant, packets: usize) {
        (0..packets).for_each(|_| assert_eq!(rounds.note(at), None));
    }

    #[test]
    fn a_stream_of_packets_is_reported_on_every_second() {
        let (start, mut rounds) = noted(20);
        assert!(!rounds.poll(start + 979 * MS, start + 999 * MS, Other::None));
        assert!(rounds.poll(start + 980 * MS, start + 1_000 * MS, Other::None));
        assert_eq!(rounds.due(), Some(start + 1_980 * MS));
    }

    #[test]
    fn few_packets_wait_for_about_five_seconds() {
        let (start, mut rounds) = noted(19);
        let at = |ms| start + ms * MS;
        assert!(!rounds.poll(at(1_000), at(1_000), Other::None));
        assert_eq!(rounds.due(), Some(at(5_000)));
        assert!(!rounds.poll(at(4_499), at(4_499), Other::Leaves));
        assert!(rounds.poll(at(4_500), at(4_500), Other::Leaves));
        note(&mut rounds, at(4_600), 19);
        assert!(!rounds.poll(at(5_500), at(5_500), Other::Expected));
        assert_eq!(rounds.due(), Some(at(12_000)));
        assert!(!rounds.poll(at(11_999), at(11_999), Other::Expected));
        assert!(rounds.poll(at(12_000), at(12_000), Other::Expected));
    }

    #[test]
    fn who_begins_to_talk_is_reported_on_with_the_feedback() {
        let (start, mut rounds) = noted(1);
        let at = |ms| start + ms * MS;
        assert!(!rounds.poll(at(1_000), at(1_000), Other::None));
        note(&mut rounds, at(2_000), 38);
        assert!(!rounds.poll(at(2_100), at(2_100), Other::Leaves));
        note(&mut rounds, at(2_200), 1);
        assert!(rounds.poll(at(2_200), at(2_200), Other::Leaves));
    }

    #[test]
    fn a_round_waits_half_a_second_for_a_datagram_that_is_expected() {
        let (start, mut rounds) = noted(50);
        let at = |ms| start + ms * MS;
        assert!(!rounds.poll(at(1_000), at(1_000), Other::Expected));
        assert_eq!(rounds.due(), Some(at(1_500)));
        assert!(rounds.poll(at(1_070), at(1_070), Other::Leaves));
        note(&mut rounds, at(1_100), 50);
        assert!(!rounds.poll(at(1_969), at(1_969), Other::Leaves));
        assert!(!rounds.poll(at(2_070), at(2_070), Other::Expected));
        assert!(rounds.poll(at(2_570), at(2_570), Other::Expected));
    }

    #[test]
    fn nothing_is_due_in_silence_and_what_breaks_it_is_looked_at_once_a_second() {
        let (start, mut rounds) = noted(20);
        let at = |ms| start + ms * MS;
        assert!(rounds.poll(at(1_000), at(1_000), Other::None));
        assert!(!rounds.poll(at(2_000), at(2_000), Other::None));
        assert_eq!(rounds.due(), None);
        assert_eq!(rounds.note(at(2_001)), Some(at(3_000)));
    }
}
