//! Who is due: one entry a transport that counts, and a few that were overtaken.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// Deadlines by place. An entry counts only while its transport is scheduled for that very moment.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Timers {
    /// Schedules a transport for `at`, unless it is due earlier anyway.
    pub fn arm(&mut self, scheduled: &mut Option<Instant>, place: usize, at: Instant) {
        if scheduled.is_none_or(|earlier| at < earlier) {
            *scheduled = Some(at);
            self.heap.push(Reverse((at, place)));
        }
    }

    /// The next entry that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, usize)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The moment of the next entry.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_an_earlier_deadline_makes_an_entry() {
        let (mut timers, now, mut scheduled) = (Timers::default(), Instant::now(), None);
        let after = |ms| now + Duration::from_millis(ms);
        timers.arm(&mut scheduled, 3, after(50));
        timers.arm(&mut scheduled, 3, after(80));
        timers.arm(&mut scheduled, 3, after(20));
        assert_eq!((scheduled, timers.next()), (Some(after(20)), Some(after(20))));
        assert_eq!(timers.pop_due(after(19)), None);
        assert_eq!(timers.pop_due(after(100)), Some((after(20), 3)));
        assert_eq!(timers.pop_due(after(100)), Some((after(50), 3)));
        assert_eq!(timers.pop_due(after(100)), None);
    }
}
