//! Which core is whose: the server's the first, the clients' the last.

use std::{io, mem::zeroed, sync::LazyLock};

/// Those that this process may use, before anything was pinned.
static CORES: LazyLock<Vec<usize>> = LazyLock::new(|| {
    // SAFETY: the set lives across the call and its size is right; every number is below what it holds.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
        (0..libc::CPU_SETSIZE as usize).filter(|core| libc::CPU_ISSET(*core, &set)).collect()
    }
});

/// Keeps this thread, and those that it starts, on the clients' core; to be called first. Whether there is another for
/// the server.
///
/// # Errors
/// What the system said.
pub fn settle_clients() -> io::Result<bool> {
    let [_, .., last] = CORES.as_slice() else { return Ok(false) };
    media_floor::pin(*last)?;
    Ok(true)
}

/// Has threads be started on the server's core.
pub(super) fn on_server_core<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(first) = CORES.first() else { return start() };
    media_floor::pin(*first)?;
    let started = start();
    settle_clients()?;
    started
}

/// Has this thread stand back behind those that talk.
pub(super) fn stand_back() {
    // SAFETY: no pointers; the calling thread always exists. A refusal changes nothing.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}
