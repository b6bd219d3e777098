//! A shard that falls behind sheds video before the kernel drops whatever comes, sound included.
//!
//! Behind is who leaves datagrams waiting in the socket's buffer turn after turn and does not come to have fewer of them, or
//! has the kernel drop some. Each step withholds another quarter of the video; when the shard has kept up for a while, a
//! quarter goes on. What turns out to have been too early makes the next such wait longer. A shard whose core was not full
//! did not fall behind by its own work: the machine stood still, and the wait is short.

use std::{
    mem,
    os::fd::{AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use crate::limits::{
    BACKLOG_BYTES_MAX, BEHIND_CHECKS, CATCHING_UP_PART, CHECKS_OF_A_DROP, FULL_SHARE, RELIEF_CHECK_INTERVAL,
    RELIEF_HOLD_MAX, RELIEF_HOLD_MIN, RELIEF_HOLD_SHORT, RELIEF_STEP_INTERVAL,
};
use media_engine::SHEDDING_STEPS;

/// What waits in the sockets of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Backlog {
    /// Kernel memory that it takes.
    pub bytes: u64,
    /// How much it may take before the kernel drops datagrams.
    pub capacity: u64,
    /// Datagrams that the kernel has dropped so far.
    pub drops: u64,
}

/// Decides how much video is withheld.
#[derive(Debug)]
pub(crate) struct Relief {
    quarters: u8,
    /// Checks in a row that found the shard behind.
    behind: u32,
    drops: u64,
    /// What waited at the last check.
    waiting: u64,
    /// Share of the core that all of the video took with the rest, when some of it was first withheld.
    share: f64,
    checked_at: Option<Instant>,
    stepped_at: Option<Instant>,
    calm_since: Option<Instant>,
    /// When video last went on.
    eased_at: Option<Instant>,
    /// Grows with every time that was too early.
    hold: Duration,
}

impl Default for Relief {
    fn default() -> Self {
        Self {
            quarters: 0,
            behind: 0,
            drops: 0,
            waiting: 0,
            share: 0.0,
            checked_at: None,
            stepped_at: None,
            calm_since: None,
            eased_at: None,
            hold: RELIEF_HOLD_SHORT,
        }
    }
}

impl Relief {
    /// Looks at the sockets if that is due, at the end of a turn; how many quarters of the video are to be withheld from
    /// now on, where that changes. `has_more` says that the turn ended before the sockets were empty, `share` how much of
    /// its core the shard takes.
    pub fn poll(
        &mut self,
        now: Instant,
        sockets: [Option<BorrowedFd<'_>>; 2],
        has_more: bool,
        share: f64,
    ) -> Option<u8> {
        let is_due =
            self.checked_at.is_none_or(|at| now.saturating_duration_since(at) >= RELIEF_CHECK_INTERVAL);
        if !is_due {
            return None;
        }
        let backlog = sockets.into_iter().flatten().filter_map(backlog_of).reduce(|one, other| Backlog {
            bytes: one.bytes.max(other.bytes),
            capacity: one.capacity.min(other.capacity),
            drops: one.drops + other.drops,
        });
        self.note(now, backlog, has_more, share)
    }

    /// Quarters of the video that are withheld now, and datagrams that the kernel has dropped.
    pub fn read(&self) -> (u8, u64) {
        (self.quarters, self.drops)
    }

    fn note(&mut self, now: Instant, backlog: Option<Backlog>, has_more: bool, share: f64) -> Option<u8> {
        self.checked_at = Some(now);
        let behind = match backlog {
            Some(backlog) => self.look_at(backlog),
            None => has_more.then_some(1),
        };
        if let Some(checks) = behind {
            self.calm_since = None;
            self.behind += checks;
            return if checks == 0 { None } else { self.shed(now, share) };
        }
        self.behind = 0;
        let calm_since = *self.calm_since.get_or_insert(now);
        let calm = now.saturating_duration_since(calm_since);
        if self.quarters == 0 {
            if calm >= RELIEF_HOLD_MAX {
                self.hold = RELIEF_HOLD_SHORT;
            }
            return None;
        }
        if calm < self.hold() {
            return None;
        }
        self.calm_since = Some(now);
        self.eased_at = Some(now);
        self.quarters -= 1;
        Some(self.quarters)
    }

    /// For how many checks this one counts, if the shard is behind: none while it catches up.
    fn look_at(&mut self, backlog: Backlog) -> Option<u32> {
        let before = mem::replace(&mut self.waiting, backlog.bytes);
        if backlog.drops > self.drops {
            self.drops = backlog.drops;
            return Some(CHECKS_OF_A_DROP);
        }
        let is_behind = backlog.bytes >= BACKLOG_BYTES_MAX.min(backlog.capacity / 4);
        is_behind.then(|| (backlog.bytes + backlog.capacity / CATCHING_UP_PART > before).into())
    }

    /// How long the shard has to keep up before a quarter goes on.
    fn hold(&self) -> Duration {
        if self.share < FULL_SHARE { self.hold.min(RELIEF_HOLD_MIN) } else { self.hold.max(RELIEF_HOLD_MIN) }
    }

    fn shed(&mut self, now: Instant, share: f64) -> Option<u8> {
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        let is_too_soon = since(self.stepped_at).is_some_and(|since| since < RELIEF_STEP_INTERVAL);
        if self.behind < BEHIND_CHECKS || is_too_soon || self.quarters == SHEDDING_STEPS {
            return None;
        }
        if self.quarters == 0 {
            self.share = share;
        }
        if since(self.eased_at.take()).is_some_and(|since| since < 2 * self.hold()) {
            self.hold = (2 * self.hold()).min(RELIEF_HOLD_MAX);
        }
        self.stepped_at = Some(now);
        self.quarters += 1;
        Some(self.quarters)
    }
}

/// What the kernel says of a socket, where it does (`SO_MEMINFO`, Linux 4.12).
#[cfg(target_os = "linux")]
fn backlog_of(socket: BorrowedFd<'_>) -> Option<Backlog> {
    /// Places in the answer, by `linux/sock_diag.h`: memory of received datagrams, its limit, drops.
    const RMEM_ALLOC: usize = 0;
    const RCVBUF: usize = 1;
    const DROPS: usize = 8;
    let mut info = [0_u32; 9];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the array and its length live across the call.
    let result = unsafe {
        let value = (&raw mut info).cast::<libc::c_void>();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO, value, &raw mut length)
    };
    let is_whole = length as usize == size_of_val(&info);
    (result == 0 && is_whole).then(|| Backlog {
        bytes: info[RMEM_ALLOC].into(),
        capacity: info[RCVBUF].into(),
        drops: info[DROPS].into(),
    })
}

#[cfg(not(target_os = "linux"))]
fn backlog_of(_: BorrowedFd<'_>) -> Option<Backlog> {
    None
}

#[cfg(test)]
mod tests;
