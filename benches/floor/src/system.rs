//! The system calls that the standard library does not have.

use std::{
    io,
    mem::{size_of_val, zeroed},
    net::UdpSocket,
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use libc::c_int;

static STOPPED: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_: c_int) {
    STOPPED.store(true, Relaxed);
}

/// SIGTERM and SIGINT end the loop instead of the process.
pub fn stop_on_signals() {
    let handler: extern "C" fn(c_int) = stop;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler only stores to an atomic. No SA_RESTART, so that a call that blocks comes back.
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = handler as usize;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

pub fn is_stopped() -> bool {
    STOPPED.load(Relaxed)
}

/// Keeps the calling thread on one core.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t of zeroes is the empty set, and the call only reads it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// User and system time of the calling thread.
pub fn thread_time() -> Duration {
    // SAFETY: the call writes one timespec.
    let time = unsafe {
        let mut time: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        time
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub fn set_option<T>(socket: &UdpSocket, level: c_int, option: c_int, value: T) -> io::Result<()> {
    // SAFETY: the value lives across the call and its length is right.
    let result = unsafe {
        let length = size_of_val(&value) as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// As large as the system allows: the force needs a privilege, the request does not.
pub fn enlarge_buffers(socket: &UdpSocket) {
    const WANTED: c_int = 32 << 20;
    for (force, ask) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        if set_option(socket, libc::SOL_SOCKET, force, WANTED).is_err() {
            let _ = set_option(socket, libc::SOL_SOCKET, ask, WANTED);
        }
    }
}
