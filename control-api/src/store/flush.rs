//! One flush of the disk for everybody who has committed before it begins (group commit).
//!
//! With `synchronous=FULL` SQLite flushes within each commit, and every other writer waits: at 4 ms to a flush, and four times
//! that on a busy machine, a node that many people join at once makes them wait for a second. So a commit goes to the
//! write-ahead log unflushed (`NORMAL`, <https://www.sqlite.org/pragma.html#pragma_synchronous>), the next writer begins,
//! and who has committed waits here for a flush of the log that began later. Only then is the act answered for.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::{sync::Mutex, task::spawn_blocking};

/// Flushes the write-ahead log of one database.
#[derive(Debug)]
pub(super) struct Flush {
    log: PathBuf,
    /// Commits so far.
    committed: AtomicU64,
    flushed: Mutex<Flushed>,
}

#[derive(Debug, Default)]
struct Flushed {
    /// Commits that were on disk, or failed to get there, when the last flush ended.
    up_to: u64,
    /// Of them those that failed: a later flush that succeeds does not make up for them, the kernel has let go of the pages.
    failed_up_to: u64,
}

impl Flush {
    /// For the log beside this database file.
    pub(super) fn new(database: &Path) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Self { log: log.into(), committed: AtomicU64::new(0), flushed: Mutex::default() }
    }

    /// Waits until what the caller has committed is on disk.
    pub(super) async fn committed(&self) -> io::Result<()> {
        let log = self.log.clone();
        self.committed_by(move || sync(&log)).await
    }

    async fn committed_by(&self, sync: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let mine = self.committed.fetch_add(1, Ordering::AcqRel) + 1;
        let mut flushed = self.flushed.lock().await;
        if mine <= flushed.failed_up_to {
            return Err(io::Error::other("the write-ahead log could not be flushed"));
        }
        if mine <= flushed.up_to {
            return Ok(());
        }
        let up_to = self.committed.load(Ordering::Acquire);
        let done = spawn_blocking(sync).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        flushed.up_to = up_to;
        if done.is_err() {
            flushed.failed_up_to = up_to;
        }
        done
    }
}

/// Flushes the file, whoever wrote to it. Where there is none SQLite has taken it into the database, flushed that, and
/// removed the log.
fn sync(log: &Path) -> io::Result<()> {
    match File::open(log) {
        Ok(log) => log.sync_data(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, atomic::AtomicU32},
        thread::sleep,
        time::Duration,
    };

    use super::*;

    /// Has so many commit at once, each flush taking a while; tells how many flushes there were and how many commits failed.
    async fn commit_at_once(commits: u32, fails: bool) -> (u32, u32) {
        let flush = Arc::new(Flush::new(Path::new("nowhere")));
        let flushes = Arc::new(AtomicU32::new(0));
        let one = |_| {
            let (flush, flushes) = (Arc::clone(&flush), Arc::clone(&flushes));
            tokio::spawn(async move {
                let sync = move || {
                    flushes.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(20));
                    if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                };
                flush.committed_by(sync).await
            })
        };
        let commits: Vec<_> = (0..commits).map(one).collect();
        let mut failed = 0;
        for commit in commits {
            failed += u32::from(commit.await.expect("no panic").is_err());
        }
        (flushes.load(Ordering::Relaxed), failed)
    }

    #[tokio::test]
    async fn many_who_commit_at_once_share_a_flush() {
        assert_eq!(commit_at_once(1, false).await, (1, 0));
        let (flushes, failed) = commit_at_once(100, false).await;
        assert!((1..=2).contains(&flushes) && failed == 0, "{flushes} flushes, {failed} failed");
    }

    #[tokio::test]
    async fn a_flush_that_fails_fails_everybody_who_waited_for_it() {
        let (flushes, failed) = commit_at_once(100, true).await;
        assert!(flushes <= 2 && failed == 100, "{flushes} flushes, {failed} failed");
    }
}
