//! What this process and the server use: processor time, memory, and where threads run.

use std::{collections::HashMap, fs, io, mem::zeroed, time::Instant};

/// Descriptors of a process that are looked at one by one.
const LOOKED_THROUGH_MAX: usize = 4_096;
/// The shortest slice that the kernel takes.
const SLICE_NS: u64 = 100_000;
/// How nice is who sends and receives, where this process may, and who does not (sched(7)): beside the one a program of somebody
/// else has a tenth of a core that is full, signaling and sampling a third of that.
const NICE_AHEAD: i32 = -10;
const NICE_BEHIND: i32 = 5;

/// Processor time of the calling thread, in nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    // SAFETY: all zeros is a valid timespec, and the call writes to it only.
    let time = unsafe {
        let mut time: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        time
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Lets the calling thread wake when it asked to, not 50 µs later.
pub fn precise_sleep() {
    // SAFETY: takes integers only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000) };
}

/// Lets the calling thread in soon after it wakes: a short slice makes its turn come earlier (Linux 6.12, sched(7), EEVDF).
/// Older systems know no such wish, and who was given another policy keeps it.
fn ask_for_short_slices() {
    /// `struct sched_attr` of sched_setattr(2).
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    // SAFETY: these take integers.
    let (policy, nice) = unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
    if policy != libc::SCHED_OTHER {
        return;
    }
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: policy.cast_unsigned(),
        flags: 0,
        nice,
        priority: 0,
        runtime_ns: SLICE_NS,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: the structure outlives the call and begins with its size.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// Puts the calling thread, which sends and receives, before others on its core, as far as this process may: what else runs
/// there, each second and for some milliseconds, else has it send late and the server get a burst.
pub fn step_ahead() {
    // SAFETY: these take integers. Without the right (CAP_SYS_NICE) nothing changes.
    unsafe {
        let nice = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, nice.min(NICE_AHEAD));
    }
    ask_for_short_slices();
}

/// Has the calling thread, and threads and processes that it begins, take the processor after those that send and receive.
pub fn step_back() {
    // SAFETY: these take integers; nobody needs a right to be nicer.
    unsafe {
        let nice = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, nice.max(NICE_BEHIND));
    }
}

/// Binds the calling thread, and threads that it begins, to these cores. Fails where one does not exist.
pub fn pin(cores: &[usize]) -> io::Result<()> {
    // SAFETY: all zeros is an empty set; CPU_SET stays within it because larger numbers are refused before.
    let done = unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        for core in cores {
            if *core >= libc::CPU_SETSIZE as usize {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            libc::CPU_SET(*core, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Raises the soft limit of open files to the hard one.
pub fn raise_file_limit() {
    // SAFETY: all zeros is a valid rlimit that the first call fills and the second reads.
    unsafe {
        let mut limit: libc::rlimit = zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Processor time of each thread of a process, in nanoseconds, by thread id.
#[derive(Debug, Clone, Default)]
pub struct Threads(HashMap<String, u64>);

impl Threads {
    /// Reads `/proc/PID/task/*/schedstat`, whose first number is time on a core, user and system.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut times = HashMap::new();
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            // A thread may end between the two.
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let ran = text.split_ascii_whitespace().next().and_then(|ran| ran.parse().ok());
            if let Some(ran) = ran {
                times.insert(task.file_name().to_string_lossy().into_owned(), ran);
            }
        }
        Ok(Self(times))
    }

    /// Time since an earlier reading, threads that began since included.
    pub fn since(&self, earlier: &Self) -> u64 {
        let more = self
            .0
            .iter()
            .map(|(thread, ran)| ran.saturating_sub(earlier.0.get(thread).copied().unwrap_or(0)));
        more.sum()
    }
}

/// Resident memory of a process in bytes, by `/proc/PID/statm`: pages that threads have counted for themselves are missing,
/// at most 64 a thread.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages = text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    // SAFETY: takes an integer.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as u64;
    pages.map(|pages| pages * page_bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Open descriptors of a process, and, where somebody wants to know, how many of them are sockets: to look at each takes
/// milliseconds of a core that has other things to do.
fn descriptors(pid: u32, counts_sockets: bool) -> io::Result<(u64, u64)> {
    // Since Linux 6.2 that is how long the folder is; before, it is 0 (proc_pid_fd(5)).
    let open = fs::metadata(format!("/proc/{pid}/fd"))?.len();
    if open > 0 && !counts_sockets {
        return Ok((open, 0));
    }
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().collect();
    if open.len() > LOOKED_THROUGH_MAX {
        return Ok((open.len() as u64, 0));
    }
    // A descriptor may be closed between the two.
    let links = open.iter().filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
    Ok((open.len() as u64, sockets as u64))
}

/// What a process has used so far, and holds now.
#[derive(Debug, Clone, Default)]
pub struct Usage(Option<Holding>);

#[derive(Debug, Clone)]
struct Holding {
    at: Instant,
    threads: Threads,
    resident_bytes: u64,
    descriptors: u64,
    sockets: u64,
}

/// What it used between two looks, and holds at the second.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Between the two, in nanoseconds.
    pub wall_ns: u64,
    /// Processor time, user and system, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Of them sockets; 0 where they were not counted or there are more than 4,096 descriptors, which takes too long.
    pub sockets: u64,
    /// Threads.
    pub threads: u64,
    /// Descriptors and threads more than at the first look.
    pub growth: i64,
}

impl Usage {
    /// Looks at a process of this machine; at its sockets only where they are to be counted.
    pub fn of(pid: u32, counts_sockets: bool) -> io::Result<Self> {
        let (descriptors, sockets) = descriptors(pid, counts_sockets)?;
        Ok(Self(Some(Holding {
            at: Instant::now(),
            threads: Threads::of(pid)?,
            resident_bytes: resident_bytes(pid)?,
            descriptors,
            sockets,
        })))
    }

    /// What was used since an earlier look. None where nobody looked.
    pub fn since(&self, earlier: &Self) -> Option<Used> {
        let (now, before) = (self.0.as_ref()?, earlier.0.as_ref()?);
        let held = |holding: &Holding| (holding.descriptors + holding.threads.0.len() as u64).cast_signed();
        Some(Used {
            wall_ns: (now.at - before.at).as_nanos() as u64,
            cpu_ns: now.threads.since(&before.threads),
            resident_bytes: now.resident_bytes,
            descriptors: now.descriptors,
            sockets: now.sockets,
            threads: now.threads.0.len() as u64,
            growth: held(now) - held(before),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_shows() {
        let before = (thread_cpu_ns(), Threads::of(std::process::id()).expect("its own threads"));
        let mut sum = 0_u64;
        while thread_cpu_ns() < before.0 + 20_000_000 {
            sum = sum.wrapping_mul(31).wrapping_add(7);
        }
        let after = Threads::of(std::process::id()).expect("its own threads");
        assert!(after.since(&before.1) > 10_000_000, "{sum}");
        let (all, uncounted) = descriptors(std::process::id(), false).expect("its own descriptors");
        let _socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let (more, sockets) = descriptors(std::process::id(), true).expect("its own descriptors");
        assert!(all > 0 && uncounted == 0 && sockets > 0 && more > sockets, "{all} {more} {sockets}");
        assert!(resident_bytes(std::process::id()).expect("its own memory") > 1 << 16);
    }
}
