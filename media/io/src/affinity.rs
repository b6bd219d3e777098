//! Which core a shard's thread runs on, and how soon it gets it. All of it is a wish: where the system does not grant
//! it, media runs without.

use std::io;

/// The cores that this process may use, in ascending order; none where the system does not tell.
pub(crate) fn allowed_cores() -> Vec<usize> {
    #[cfg(target_os = "linux")]
    {
        let mut set = empty_set();
        // SAFETY: the set lives across the call and its size is right.
        let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
        if result == 0 {
            // SAFETY: every number is below what the set holds.
            return (0..libc::CPU_SETSIZE as usize)
                .filter(|core| unsafe { libc::CPU_ISSET(*core, &set) })
                .collect();
        }
    }
    Vec::new()
}

/// The core of each shard, one after another; none where pinning would do harm: a quota of CPU time smaller than the
/// cores is shared with others, and every node on the machine would choose the same first ones.
pub(crate) fn assign(shards: usize, cores: &[usize], usable: usize) -> Vec<Option<usize>> {
    let is_under_quota = usable < cores.len();
    (0..shards)
        .map(|shard| if is_under_quota { None } else { cores.get(shard % cores.len().max(1)).copied() })
        .collect()
}

/// Keeps the calling thread on this core.
///
/// # Errors
/// What the system said.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        if core >= libc::CPU_SETSIZE as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut set = empty_set();
        // SAFETY: the number is below what the set holds; the set lives across the call and its size is right.
        let result = unsafe {
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = core;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// As the kernel's `linux/sched/types.h` has it.
#[cfg(target_os = "linux")]
#[repr(C)]
struct SchedAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// The shortest slice that the kernel takes.
#[cfg(target_os = "linux")]
const SLICE_NS: u64 = 100_000;

/// Asks for short slices of CPU time: a thread that wakes with a short one ahead of it is let in sooner (Linux 6.12,
/// sched(7), EEVDF). Says whether it was granted; older systems know no such wish.
#[cfg(target_os = "linux")]
pub(crate) fn ask_for_short_slices() -> bool {
    // SAFETY: no pointers. Who was given another policy keeps it.
    if unsafe { libc::sched_getscheduler(0) } != libc::SCHED_OTHER {
        return false;
    }
    // SAFETY: no pointers; this thread always exists.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let attributes = SchedAttributes {
        size: size_of::<SchedAttributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        nice,
        priority: 0,
        runtime_ns: SLICE_NS,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: the structure lives across the call and begins with its size.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0 }
}

/// No such wish is known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask_for_short_slices() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn empty_set() -> libc::cpu_set_t {
    // SAFETY: a plain C structure for which zeroes are valid: no core at all.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_dealt_to_the_cores_that_may_be_used() {
        assert_eq!(assign(5, &[2, 3, 7], 3), [2, 3, 7, 2, 3].map(Some));
        assert_eq!(assign(2, &[], 1), [None, None]);
        assert_eq!(assign(2, &[0, 1, 2, 3], 2), [None, None], "a quota");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pinned_thread_may_use_its_core_only() {
        let core = *allowed_cores().last().unwrap();
        let pinned = std::thread::spawn(move || {
            pin(core).unwrap();
            allowed_cores()
        });
        assert_eq!(pinned.join().unwrap(), [core]);
        assert!(pin(usize::MAX).is_err());
    }
}
