//! Keeps the cores of a measurement awake, where somebody asks for it.
//!
//! A virtual machine's core that has nothing to do halts, and the host gives it away; until it is back, whoever woke up on it
//! waits, which is the host's delay and not the server's. So one process a core computes nothing of the lowest class that
//! there is (`SCHED_IDLE`, sched(7)): anybody else has precedence over it at once, and the core never halts. They are
//! processes of their own, so that their time is not the harness's.

use std::{
    hint::black_box,
    io,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::usage;

/// The command of `consilium-loadtest` that such a process runs, with the number of a core.
pub const COMMAND: &str = "spin";

/// Cores that are kept awake for as long as this lives.
#[derive(Debug)]
pub struct Awake(Vec<Child>);

impl Awake {
    /// Begins on these cores.
    pub fn begin(cores: impl IntoIterator<Item = usize>) -> io::Result<Self> {
        Self::begin_with(&std::env::current_exe()?, cores)
    }

    fn begin_with(program: &Path, cores: impl IntoIterator<Item = usize>) -> io::Result<Self> {
        let mut awake = Self(Vec::new());
        for core in cores {
            let mut command = Command::new(program);
            command.args([COMMAND, &core.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
            awake.0.push(command.spawn()?);
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Who is gone already cannot be ended; there is nobody else to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Computes nothing on a core, until whoever began it ends.
pub fn spin(core: usize) -> io::Result<()> {
    usage::pin(&[core])?;
    let lowest = libc::sched_param { sched_priority: 0 };
    // SAFETY: both calls take numbers and a struct that lives across the call.
    let done = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const lowest)
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut turns = 0_u64;
    // No pause in it: the host takes a core away that pauses too often.
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_on_when_it_is_over() {
        // `yes` runs until it is ended, whatever it is given.
        let awake = Awake::begin_with(Path::new("yes"), [0, 1]).expect("yes is everywhere");
        let pids: Vec<u32> = awake.0.iter().map(Child::id).collect();
        let is_there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
        assert!(pids.len() == 2 && pids.iter().all(is_there));
        drop(awake);
        assert!(!pids.iter().any(is_there));
        assert!(Awake::begin_with(Path::new("/no/such/program"), [0]).is_err());
    }
}
