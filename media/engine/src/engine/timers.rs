//! Who is due: at most one entry a transport, in a heap that knows where each of them stands.

use std::time::{Duration, Instant};

/// Marks a place without an entry.
const NOWHERE: u32 = u32::MAX;

/// Entries below one: four stand in one or two lines of the processor's caches, and the heap is half as deep as with two.
const WIDTH: usize = 4;

/// Nanoseconds after [`Timers::origin`], and whose deadline it is.
type Entry = (u64, u32);

/// Deadlines by place: a heap, earliest first. Changing one costs a few comparisons with its neighbours; whoever is
/// not due is not touched, and nothing is left behind by deadlines that were moved.
#[derive(Debug)]
pub struct Timers {
    /// No deadline is before it; one that is, is due.
    origin: Instant,
    heap: Vec<Entry>,
    /// Where each place's entry stands in the heap.
    position: Vec<u32>,
}

impl Timers {
    /// Nobody is due.
    pub fn new(origin: Instant) -> Self {
        Self { origin, heap: Vec::new(), position: Vec::new() }
    }

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
        let (_, place) = *self.heap.first()?;
        if self.next()? > now {
            return None;
        }
        self.remove(place as usize);
        Some(place as usize)
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
        let (after, _) = *self.heap.first()?;
        self.origin.checked_add(Duration::from_nanos(after))
    }

    fn set(&mut self, place: usize, at: Instant) {
        if place >= self.position.len() {
            self.position.resize(place + 1, NOWHERE);
        }
        let after = at.saturating_duration_since(self.origin).as_nanos() as u64;
        let entry = match self.position(place) {
            Some(entry) => {
                self.heap[entry].0 = after;
                entry
            }
            None => {
                self.heap.push((after, place as u32));
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
        let entry = self.heap[at];
        while at > 0 {
            let above = (at - 1) / WIDTH;
            if self.heap[above].0 <= entry.0 {
                break;
            }
            self.put(at, self.heap[above]);
            at = above;
        }
        loop {
            let first = WIDTH * at + 1;
            let below = first..self.heap.len().min(first + WIDTH);
            let Some(least) = below.min_by_key(|below| self.heap[*below].0) else { break };
            if entry.0 <= self.heap[least].0 {
                break;
            }
            self.put(at, self.heap[least]);
            at = least;
        }
        self.put(at, entry);
    }

    fn put(&mut self, at: usize, entry: Entry) {
        self.heap[at] = entry;
        self.position[entry.1 as usize] = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_earlier_deadline_changes_anything_and_there_is_one_entry_a_place() {
        let (mut timers, now, mut scheduled) = (Timers::new(Instant::now()), Instant::now(), None);
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
        let now = Instant::now();
        let mut timers = Timers::new(now);
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
