//! The CPU time of a thread, read from outside.

use std::{
    fs, io,
    mem::zeroed,
    thread,
    time::{Duration, Instant},
};

/// A thread has its name some moments after it was started.
const PATIENCE: Duration = Duration::from_secs(2);

/// A thread of this process.
#[derive(Debug, Clone, Copy)]
pub struct ThreadClock {
    task: i32,
    clock: libc::clockid_t,
}

impl ThreadClock {
    /// Of the only thread of this name.
    pub fn of(name: &str) -> io::Result<Self> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            for task in fs::read_dir("/proc/self/task")? {
                let task = task?;
                let is_it =
                    fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name);
                let number = task.file_name().to_str().and_then(|number| number.parse::<i32>().ok());
                if let (true, Some(task)) = (is_it, number) {
                    // As `pthread_getcpuclockid` makes it of a thread of the same process: the scheduler's own clock.
                    return Ok(Self { task, clock: !task << 3 | 6 });
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(io::Error::other(format!("there is no thread {name}")))
    }

    /// User and system time since it started.
    pub fn read(self) -> Duration {
        // SAFETY: the call writes one timespec.
        let (time, result) = unsafe {
            let mut time: libc::timespec = zeroed();
            let result = libc::clock_gettime(self.clock, &raw mut time);
            (time, result)
        };
        assert_eq!(result, 0, "the thread is still there");
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// How long it could have run and others had its core, as far as the system tells.
    pub fn waited(self) -> Duration {
        let path = format!("/proc/self/task/{}/schedstat", self.task);
        let text = fs::read_to_string(path).unwrap_or_default();
        let waited_ns = text.split(' ').nth(1).and_then(|waited| waited.parse().ok());
        Duration::from_nanos(waited_ns.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_threads_work_is_seen_from_outside() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let work = move || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(30) {}
            receiver.recv()
        };
        let thread = thread::Builder::new().name("bench-work".into()).spawn(work).unwrap();
        let clock = ThreadClock::of("bench-work").unwrap();
        thread::sleep(Duration::from_millis(60));
        let (spent, begun) = (clock.read() + clock.waited(), Instant::now());
        assert!(spent >= Duration::from_millis(20) && spent < begun.elapsed() + Duration::from_secs(5));
        drop(sender);
        assert!(thread.join().unwrap().is_err());
        assert!(ThreadClock::of("no such thread").is_err());
    }
}
