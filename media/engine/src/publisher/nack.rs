//! What is missing of a track, and when to ask the publisher for it (generic NACK, RFC 4585 §6.2.1).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Missing packets that are remembered; beyond that, only a key frame helps.
const MISSING_MAX: usize = 512;

/// A longer gap is an outage, not loss.
const GAP_PACKETS_MAX: u64 = 256;

/// A packet that others overtook is not lost yet: it is asked for after a time that is learnt from how late such packets were …
const REORDERING_MIN: Duration = Duration::from_millis(20);
const REORDERING_MAX: Duration = Duration::from_millis(100);
/// … or, on a path that keeps the order, once so many newer ones came.
const REORDERING_PACKETS_MAX: u64 = 3;
/// What is learnt is forgotten by this part with every packet that was really lost, or less late.
const FORGETTING: u32 = 32;

/// How often, and for how long after it was missed, a packet is asked for.
const TRIES_MAX: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(1);

/// Before a retransmission has told how long one takes.
const ROUND_TRIP_DEFAULT: Duration = Duration::from_millis(80);
const ROUND_TRIP_MIN: Duration = Duration::from_millis(20);
const ROUND_TRIP_MAX: Duration = Duration::from_millis(400);

#[derive(Debug)]
struct Missing {
    sequence: u64,
    since: Instant,
    due: Instant,
    asked: Option<Instant>,
    tries: u32,
}

/// The missing packets of one track, oldest first.
#[derive(Debug)]
pub struct NackList {
    missing: VecDeque<Missing>,
    /// From asking to receiving, smoothed as RFC 6298 §2 smooths.
    round_trip: Duration,
    /// How long a packet may be overtaken before it is asked for.
    reordering: Duration,
    /// Never later than the earliest `due`.
    next_due: Option<Instant>,
}

/// How a packet came that others overtook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// By itself: repeated packets have a stream of their own.
    Overtaken,
    /// In that stream.
    Repeated,
    /// Repeated packets look like any other.
    Either,
}

/// Whether what is missing can still be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Repair {
    /// Nothing is missing for good.
    Possible,
    /// Something is lost for good: for video, only a key frame helps.
    Hopeless,
}

impl NackList {
    pub fn new() -> Self {
        Self {
            missing: VecDeque::new(),
            round_trip: ROUND_TRIP_DEFAULT,
            reordering: REORDERING_MIN,
            next_due: None,
        }
    }

    /// Notes that `sequence` came for the first time, and `newest_before` was the newest until then; `arrival` tells whether
    /// it may have been asked for.
    pub fn received(
        &mut self,
        now: Instant,
        sequence: u64,
        newest_before: Option<u64>,
        arrival: Arrival,
    ) -> Repair {
        let Some(newest) = newest_before else { return Repair::Possible };
        if sequence < newest {
            self.found(now, sequence, arrival);
            return Repair::Possible;
        }
        if sequence - newest > GAP_PACKETS_MAX {
            self.clear();
            return Repair::Hopeless;
        }
        let due = now + self.reordering;
        let keeps_order = self.reordering == REORDERING_MIN;
        for sequence in newest + 1..sequence {
            self.missing.push_back(Missing { sequence, since: now, due, asked: None, tries: 0 });
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
        }
        let overtaken = |m: &&mut Missing| sequence - m.sequence >= REORDERING_PACKETS_MAX;
        if keeps_order {
            // Newest first: once one is due, so are all that were missed before it.
            let waiting = self.missing.iter_mut().rev().filter(overtaken);
            for entry in waiting.take_while(|m| m.tries == 0 && m.due > now) {
                entry.due = now;
                self.next_due = Some(now);
            }
        }
        let excess = self.missing.len().saturating_sub(MISSING_MAX);
        self.missing.drain(..excess);
        if excess > 0 { Repair::Hopeless } else { Repair::Possible }
    }

    /// Writes the sequence numbers to ask for now, oldest first, and how many they are. What does not fit follows at the
    /// next call.
    pub fn poll(&mut self, now: Instant, out: &mut [u64]) -> (usize, Repair) {
        if self.next_due.is_none_or(|due| due > now) {
            return (0, Repair::Possible);
        }
        let before = self.missing.len();
        self.missing.retain(|m| m.due > now || m.tries < TRIES_MAX && now - m.since < PATIENCE);
        let repair = if self.missing.len() < before { Repair::Hopeless } else { Repair::Possible };
        let mut count = 0;
        let due = self.missing.iter_mut().filter(|m| m.due <= now);
        for (entry, space) in due.zip(out) {
            entry.tries += 1;
            entry.asked = Some(now);
            // Backs off while the publisher's way is congested: 1.5, 2, 2.5 … round trips.
            entry.due = now + self.round_trip * (2 + entry.tries) / 2;
            *space = entry.sequence;
            count += 1;
        }
        self.next_due = self.missing.iter().map(|m| m.due).min();
        (count, repair)
    }

    /// When [`Self::poll`] has something to say.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_due
    }

    /// Forgets what is missing.
    pub fn clear(&mut self) {
        self.missing.clear();
        self.next_due = None;
    }

    /// Notes how late a packet was that nobody repeated, or that one had to be repeated.
    fn learn(&mut self, late: Duration) {
        let less = self.reordering - self.reordering / FORGETTING;
        // Within a millisecond of the least it is the least, so that it is reached.
        let less = if less < REORDERING_MIN + Duration::from_millis(1) { REORDERING_MIN } else { less };
        self.reordering = late.clamp(less, REORDERING_MAX);
    }

    fn found(&mut self, now: Instant, sequence: u64, arrival: Arrival) {
        let Ok(at) = self.missing.binary_search_by_key(&sequence, |m| m.sequence) else { return };
        let Some(entry) = self.missing.remove(at) else { return };
        match arrival {
            Arrival::Repeated => self.learn(Duration::ZERO),
            Arrival::Overtaken => self.learn(now.saturating_duration_since(entry.since)),
            Arrival::Either if entry.tries == 0 => self.learn(now.saturating_duration_since(entry.since)),
            Arrival::Either => {}
        }
        // Only the first request tells which answer is whose (Karn's rule, RFC 6298 §3).
        if let (1, Some(asked), true) = (entry.tries, entry.asked, arrival != Arrival::Overtaken) {
            let smoothed = (self.round_trip * 7 + now.saturating_duration_since(asked)) / 8;
            self.round_trip = smoothed.clamp(ROUND_TRIP_MIN, ROUND_TRIP_MAX);
        }
        if self.missing.is_empty() {
            self.next_due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn ask(list: &mut NackList, now: Instant) -> Vec<u64> {
        let mut out = [0; 64];
        let (count, _) = list.poll(now, &mut out);
        out[..count].to_vec()
    }

    /// Receives packets in this order at one time.
    fn receive(list: &mut NackList, now: Instant, sequences: &[u64]) -> Repair {
        let mut newest = None;
        let mut last = Repair::Possible;
        for sequence in sequences {
            last = list.received(now, *sequence, newest, Arrival::Either);
            newest = newest.max(Some(*sequence));
        }
        last
    }

    #[test]
    fn a_packet_that_was_only_overtaken_is_not_asked_for() {
        let (mut list, start) = (NackList::new(), Instant::now());
        let _ = receive(&mut list, start, &[1, 3, 4, 2]);
        assert_eq!(list.poll_timeout(), None);
        assert_eq!(ask(&mut list, start + MS(500)), [0_u64; 0]);
    }

    #[test]
    fn a_missing_packet_is_asked_for_after_three_newer_ones_or_twenty_milliseconds() {
        let (mut list, start) = (NackList::new(), Instant::now());
        let _ = receive(&mut list, start, &[1, 3]);
        assert_eq!(ask(&mut list, start + MS(19)), [0_u64; 0]);
        assert_eq!(ask(&mut list, start + MS(20)), [2]);
        let mut list = NackList::new();
        let _ = receive(&mut list, start, &[1, 3, 4, 5]);
        assert_eq!(ask(&mut list, start), [2]);
    }

    #[test]
    fn requests_back_off_and_end_after_a_second() {
        let (mut list, start) = (NackList::new(), Instant::now());
        let _ = receive(&mut list, start, &[1, 3]);
        let mut asked = Vec::new();
        let mut repair = Repair::Possible;
        while let Some(due) = list.poll_timeout() {
            let (count, now_hopeless) = list.poll(due, &mut [0; 8]);
            repair = now_hopeless;
            if count > 0 {
                asked.push((due - start).as_millis());
            }
        }
        assert_eq!(asked, [20, 140, 300, 500, 740]);
        assert_eq!(repair, Repair::Hopeless);
    }

    #[test]
    fn a_quick_publisher_is_asked_again_sooner() {
        let (mut list, start) = (NackList::new(), Instant::now());
        let mut newest = 1;
        for round in 0..40 {
            let now = start + MS(100) * round;
            let _ = list.received(now, newest + 2, Some(newest), Arrival::Either);
            ask(&mut list, now + MS(20));
            let _ = list.received(now + MS(30), newest + 1, Some(newest + 2), Arrival::Repeated);
            newest += 2;
        }
        let now = start + MS(10_000);
        let _ = list.received(now, newest + 2, Some(newest), Arrival::Either);
        assert_eq!(ask(&mut list, now + MS(20)), [newest + 1]);
        assert!(list.poll_timeout().is_some_and(|due| due <= now + MS(60)));
    }

    #[test]
    fn a_path_that_reorders_is_given_more_time_and_one_that_loses_less_again() {
        let (mut list, start) = (NackList::new(), Instant::now());
        let mut newest = 1;
        let mut miss = |list: &mut NackList, at: u64, late: u64, arrival| {
            let now = start + MS(at);
            let _ = list.received(now, newest + 2, Some(newest), Arrival::Overtaken);
            let due = list.poll_timeout().map(|due| due - now);
            ask(list, now + MS(late));
            let _ = list.received(now + MS(late), newest + 1, Some(newest + 2), arrival);
            newest += 2;
            due
        };
        assert_eq!(miss(&mut list, 0, 50, Arrival::Overtaken), Some(MS(20)));
        assert_eq!(miss(&mut list, 1_000, 900, Arrival::Overtaken), Some(MS(50)));
        assert_eq!(miss(&mut list, 2_000, 130, Arrival::Repeated), Some(MS(100)));
        for round in 3..100 {
            miss(&mut list, round * 1_000, 130, Arrival::Repeated);
        }
        assert_eq!(miss(&mut list, 100_000, 130, Arrival::Repeated), Some(MS(20)));
    }

    #[test]
    fn an_outage_is_not_asked_for_packet_by_packet() {
        let (mut list, start) = (NackList::new(), Instant::now());
        assert_eq!(receive(&mut list, start, &[1, 3, 300]), Repair::Hopeless);
        assert_eq!(list.poll_timeout(), None);
    }

    #[test]
    fn no_more_than_512_packets_are_remembered() {
        let (mut list, start) = (NackList::new(), Instant::now());
        let every_second: Vec<u64> = (0..600).map(|n| n * 2).collect();
        assert_eq!(receive(&mut list, start, &every_second), Repair::Hopeless);
        assert_eq!(list.missing.len(), MISSING_MAX);
        assert_eq!(list.missing.back().map(|m| m.sequence), Some(1_197));
    }
}
