//! Who is due: at most one entry a transport, in a heap that knows where each of them stands.

use std::time::Instant;

/// Marks a place without an entry.
const NOWHERE: u32 = u32::MAX;

/// Deadlines by place: a binary heap, earliest first. Changing one costs a few comparisons with its neighbours; whoever is
/// not due is not touched, and nothing is left behind by deadlines that were moved.
#[derive(Debug, Default)]
pub struct Timers {
    heap: Vec<(Instant, usize)>,
    /// Where each place's entry stands in the heap.
    position: Vec<u32>,
}

impl Timers {
    /// Schedules a transport for `at`, unless it is due earlier anyway. `scheduled` is its own memory of that, so that the
    /// common case looks nowhere else.
    pub fn arm(&mut self, scheduled: &mut Option<Instant>, place: usize, at: Instant) {
        if scheduled.is_none_or(|earlier| at < earlier) {
            *scheduled = Some(at);
            self.set(place, at);
        }
    }

    /// The next place that is due. It has no entry any more.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let (at, place) = *self.heap.first()?;
        if at > now {
            return None;
        }
        self.remove(place);
        Some(place)
    }

    /// Forgets a place.
    pub fn remove(&mut self, place: usize) {
        let Some(at) = self.position(place) else { return };
        self.heap.swap_remove(at);
        if let Some(position) = self.position.get_mut(place) {
            *position = NOWHERE;
        }
        if at < self.heap.len() {
            self.settle(at);
        }
    }

    /// The moment of the next entry.
    pub fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(at, _)| *at)
    }

    fn set(&mut self, place: usize, at: Instant) {
        if place >= self.position.len() {
            self.position.resize(place + 1, NOWHERE);
        }
        let entry = match self.position(place) {
            Some(entry) => {
                self.heap[entry].0 = at;
                entry
            }
            None => {
                self.heap.push((at, place));
                self.heap.len() - 1
            }
        };
        self.settle(entry);
    }

    fn position(&self, place: usize) -> Option<usize> {
        self.position.get(place).filter(|position| **position != NOWHERE).map(|position| *position as usize)
    }

    /// Moves an entry to where it belongs: up while it is earlier than the one above, or down while one below is earlier.
    fn settle(&mut self, mut at: usize) {
        while at > 0 && self.heap[at].0 < self.heap[(at - 1) / 2].0 {
            self.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
        loop {
            let below = 2 * at + 1..self.heap.len().min(2 * at + 3);
            let Some(least) = below.min_by_key(|below| self.heap[*below].0) else { break };
            if self.heap[at].0 <= self.heap[least].0 {
                break;
            }
            self.swap(at, least);
            at = least;
        }
        self.note(at);
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    fn note(&mut self, at: usize) {
        let (_, place) = self.heap[at];
        self.position[place] = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_an_earlier_deadline_changes_anything_and_there_is_one_entry_a_place() {
        let (mut timers, now, mut scheduled) = (Timers::default(), Instant::now(), None);
        let after = |ms| now + Duration::from_millis(ms);
        for ms in [50, 80, 20, 70] {
            timers.arm(&mut scheduled, 3, after(ms));
        }
        assert_eq!((scheduled, timers.next(), timers.heap.len()), (Some(after(20)), Some(after(20)), 1));
        assert_eq!(timers.pop_due(after(19)), None);
        assert_eq!(timers.pop_due(after(100)), Some(3));
        assert_eq!(timers.pop_due(after(100)), None);
    }

    #[test]
    fn whatever_is_moved_and_removed_the_earliest_comes_first() {
        let (mut timers, now) = (Timers::default(), Instant::now());
        let mut wanted = std::collections::BTreeMap::new();
        let mut random = crate::random::Random::new(5);
        for _ in 0..20_000 {
            let place = (random.next() % 200) as usize;
            if random.next().is_multiple_of(4) {
                timers.remove(place);
                wanted.remove(&place);
            } else {
                let at = now + Duration::from_millis(random.next() % 1_000);
                timers.set(place, at);
                wanted.insert(place, at);
            }
            assert_eq!(timers.next(), wanted.values().min().copied());
        }
        assert_eq!(timers.heap.len(), wanted.len());
        let mut last = now;
        while let Some(place) = timers.pop_due(now + Duration::from_secs(1)) {
            let at = wanted.remove(&place).unwrap();
            assert!(at >= last);
            last = at;
        }
        assert!(wanted.is_empty());
    }
}
