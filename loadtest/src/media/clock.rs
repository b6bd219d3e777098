//! The harness's clock, and what the kernel's notes of arrival say by it.
//!
//! The kernel notes arrivals by `CLOCK_REALTIME` (`SO_TIMESTAMPNS`, socket(7)), which may be set while a run goes on. Stamps
//! and timers go by `CLOCK_MONOTONIC`, which never is. Both run at the same rate, so what lies between them changes only
//! when somebody sets the clock, and a glance after each batch notices that.

use std::sync::LazyLock;

/// By less than that two glances differ without anybody having set the clock: the two clocks are read one after the other.
const STEP_NS: i64 = 20_000;
/// A glance during which the thread was interrupted for longer says nothing.
const GLANCE_NS: u64 = 5_000;
/// How often a glance is tried.
const GLANCES: usize = 3;
/// After the clock was set, for how long arrivals are not taken from it: what was in a socket's buffer came by the old one.
const DOUBT_NS: u64 = 1_000_000_000;

/// From `CLOCK_MONOTONIC` to 1970, by what the system thought when the process first asked.
static SINCE_1970_NS: LazyLock<u64> =
    LazyLock::new(|| read(libc::CLOCK_REALTIME).saturating_sub(read(libc::CLOCK_MONOTONIC)));

/// Now, in nanoseconds since 1970 by a clock that nobody sets: `CLOCK_MONOTONIC`, put forward once.
pub fn clock_ns() -> u64 {
    *SINCE_1970_NS + read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the structure only.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// When something arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// By [`clock_ns`].
    pub at_ns: u64,
    /// Whether the kernel noted it; otherwise it is when it was read, the harness's own lateness included.
    pub is_noted: bool,
}

/// The system's clock as it stands to [`clock_ns`].
#[derive(Debug, Default)]
pub struct KernelClock {
    /// How far the system's clock is ahead; none before the first glance.
    ahead_ns: Option<i64>,
    doubt_until_ns: u64,
    now_ns: u64,
}

impl KernelClock {
    /// Looks at both clocks. To be called after something was read from a socket and before [`Self::arrival`]: then nothing
    /// that was noted before the clock was set is taken for something noted after.
    pub fn look(&mut self) {
        for _ in 0..GLANCES {
            let (before_ns, system_ns, after_ns) = (clock_ns(), read(libc::CLOCK_REALTIME), clock_ns());
            self.now_ns = after_ns;
            let took_ns = after_ns - before_ns;
            if took_ns <= GLANCE_NS {
                return self.note(before_ns + took_ns / 2, system_ns);
            }
        }
    }

    fn note(&mut self, now_ns: u64, system_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        let ahead_ns = system_ns.wrapping_sub(now_ns).cast_signed();
        if self.ahead_ns.is_some_and(|before| (ahead_ns - before).abs() > STEP_NS) {
            self.doubt_until_ns = now_ns + DOUBT_NS;
        }
        self.ahead_ns = Some(ahead_ns);
    }

    /// When something arrived that the kernel noted at `system_ns`, in nanoseconds since 1970; 0 where it did not.
    pub fn arrival(&self, system_ns: u64) -> Arrival {
        let noted = self.ahead_ns.filter(|_| system_ns > 0 && self.now_ns >= self.doubt_until_ns);
        match noted.and_then(|ahead_ns| system_ns.checked_add_signed(-ahead_ns)) {
            Some(at_ns) => Arrival { at_ns, is_noted: true },
            None => Arrival { at_ns: self.now_ns, is_noted: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn arrivals_go_by_a_clock_that_does_not_jump_when_the_systems_clock_is_set() {
        let mut clock = KernelClock::default();
        clock.note(100 * S, 100 * S + 7);
        assert_eq!(clock.arrival(99 * S + 7), Arrival { at_ns: 99 * S, is_noted: true });
        // Two readings are never exactly at the same moment.
        clock.note(101 * S, 101 * S + 2_007);
        assert_eq!(clock.arrival(101 * S), Arrival { at_ns: 101 * S - 2_007, is_noted: true });
        for (set_to, now) in [(3_000 * S, 102 * S), (50 * S, 104 * S)] {
            clock.note(now, set_to);
            // It came before the clock was set, or just after: nobody can tell.
            for noted in [now - 1_000, set_to - 1_000] {
                assert_eq!(clock.arrival(noted), Arrival { at_ns: now, is_noted: false });
            }
            clock.note(now + S, set_to + S);
            let at_ns = now + S - 1_000;
            assert_eq!(clock.arrival(set_to + S - 1_000), Arrival { at_ns, is_noted: true });
        }
    }

    #[test]
    fn without_a_note_of_the_kernel_it_is_the_time_of_the_read() {
        let mut clock = KernelClock::default();
        let before_ns = clock_ns();
        clock.look();
        let arrival = clock.arrival(0);
        assert!(!arrival.is_noted && (before_ns..=clock_ns()).contains(&arrival.at_ns), "{arrival:?}");
        let arrival = clock.arrival(read(libc::CLOCK_REALTIME));
        assert!(arrival.is_noted && arrival.at_ns.abs_diff(clock_ns()) < S / 10, "{arrival:?}");
    }
}
