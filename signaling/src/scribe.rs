//! How the journal is written: awaited, or behind a backlog.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{
    counters::Counters,
    journal::{Departure, Entry, Journal, JournalUnavailable, What},
    limits::{
        JOURNAL_BACKLOG_MAX, JOURNAL_BATCH_MAX, JOURNAL_RETRY_INTERVAL, JOURNAL_TIMEOUT, JOURNAL_TRIES,
    },
};

/// Writes entries of the backlog, which a database that is busy for a moment must not lose.
async fn write_soon(journal: &dyn Journal, entries: Vec<Entry>) -> Result<(), JournalUnavailable> {
    for _ in 1..JOURNAL_TRIES {
        if journal.record(entries.clone()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(JOURNAL_RETRY_INTERVAL).await;
    }
    journal.record(entries).await
}

/// An entry that somebody waits for.
struct Awaited {
    entry: Entry,
    written: oneshot::Sender<Result<(), JournalUnavailable>>,
}

/// What the backlog's task is to do. The size of an entry is no matter: it is what there is most of.
#[allow(clippy::large_enum_variant)]
enum Task {
    Write(Entry),
    Flush(oneshot::Sender<()>),
}

/// The journal with its two ways of being written: awaited, and behind a bounded backlog. Both write together what has come
/// together: a database takes hundreds of entries at once in the time of a few.
///
/// Departures have a backlog of their own. They are written whatever happens, and what anybody can cause, such as a used
/// ticket that is shown again and again, must neither fail them nor take their place.
#[derive(Clone)]
pub(crate) struct Scribe {
    awaited: mpsc::Sender<Awaited>,
    departures: mpsc::Sender<Task>,
    backlog: mpsc::Sender<Task>,
    counters: Arc<Counters>,
}

impl Scribe {
    /// Starts the tasks that write; they end with the last clone.
    pub(crate) fn start(journal: Arc<dyn Journal>, counters: Arc<Counters>) -> Self {
        let (awaited, wanted) = mpsc::channel(JOURNAL_BATCH_MAX);
        tokio::spawn(write_awaited(Arc::clone(&journal), wanted));
        let backlog = || {
            let (backlog, tasks) = mpsc::channel(JOURNAL_BACKLOG_MAX);
            tokio::spawn(write_backlog(Arc::clone(&journal), tasks, Arc::clone(&counters)));
            backlog
        };
        let (departures, backlog) = (backlog(), backlog());
        Self { awaited, departures, backlog, counters }
    }

    /// Waits until the entry is kept.
    pub(crate) async fn write(&self, entry: Entry) -> Result<(), JournalUnavailable> {
        let (written, waits) = oneshot::channel();
        let is_coming = matches!(entry.what, What::Joined(_) | What::Waited | What::Admitted { .. });
        let at_once =
            Entry { what: What::Left(Departure::Lost), lasted: Some(Duration::ZERO), ..entry.clone() };
        let write = async {
            self.awaited.send(Awaited { entry, written }).await.map_err(|_| JournalUnavailable)?;
            waits.await.map_err(|_| JournalUnavailable)?
        };
        match tokio::time::timeout(JOURNAL_TIMEOUT, write).await {
            Ok(written) => written,
            Err(_) => {
                // It may be kept yet, of somebody who is turned away now.
                if is_coming {
                    self.note(at_once);
                }
                Err(JournalUnavailable)
            }
        }
    }

    /// Leaves the entry to be written soon. One that finds the backlog full is counted and logged.
    pub(crate) fn note(&self, entry: Entry) {
        let backlog = if matches!(entry.what, What::Left(_)) { &self.departures } else { &self.backlog };
        let Err(refused) = backlog.try_send(Task::Write(entry)) else { return };
        Counters::add(&self.counters.journal_lost);
        if let Task::Write(entry) = refused.into_inner() {
            let participant = entry.who.as_ref().and_then(|who| who.participant).map(|number| number.csrc());
            tracing::error!(consult = ?entry.consult, participant, what = ?entry.what, "journal entry lost: backlog full");
        }
    }

    /// Waits until everything that was left is written, or for as long as a write may take.
    pub(crate) async fn flush(&self) {
        let flush = async |backlog: &mpsc::Sender<Task>| {
            let (done, flushed) = oneshot::channel();
            if backlog.send(Task::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        let both = async { tokio::join!(flush(&self.departures), flush(&self.backlog)) };
        if tokio::time::timeout(JOURNAL_TIMEOUT, both).await.is_err() {
            tracing::error!("the journal's backlog was not written in time");
        }
    }
}

/// Writes what is waited for: everything at once that came during the write before.
async fn write_awaited(journal: Arc<dyn Journal>, mut wanted: mpsc::Receiver<Awaited>) {
    let mut batch = Vec::new();
    while wanted.recv_many(&mut batch, JOURNAL_BATCH_MAX).await > 0 {
        // Whoever has waited too long was told that it failed.
        let awaited = batch.drain(..).filter(|awaited| !awaited.written.is_closed());
        let (entries, waiting): (Vec<_>, Vec<_>) =
            awaited.map(|awaited| (awaited.entry, awaited.written)).unzip();
        let outcome = if entries.is_empty() { Ok(()) } else { journal.record(entries).await };
        // One who no longer waits does not matter.
        for written in waiting {
            let _ = written.send(outcome);
        }
    }
}

/// Writes what nobody waits for.
async fn write_backlog(journal: Arc<dyn Journal>, mut tasks: mpsc::Receiver<Task>, counters: Arc<Counters>) {
    let mut batch = Vec::new();
    while tasks.recv_many(&mut batch, JOURNAL_BATCH_MAX).await > 0 {
        let (mut entries, mut flushes) = (Vec::new(), Vec::new());
        for task in batch.drain(..) {
            match task {
                Task::Write(entry) => entries.push(entry),
                Task::Flush(done) => flushes.push(done),
            }
        }
        if !entries.is_empty() && write_soon(journal.as_ref(), entries.clone()).await.is_err() {
            for entry in entries {
                Counters::add(&counters.journal_lost);
                tracing::error!(what = ?entry.what, "journal entry lost: the journal cannot be written");
            }
        }
        // Nobody listens any more when the shutdown ran out of time.
        for done in flushes {
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        time::SystemTime,
    };

    use signaling_protocol::{error::ErrorCode, server::LineId};

    use super::*;
    use crate::journal::{BoxFuture, Way};

    /// A disk that takes its time, however much it is given.
    #[derive(Default)]
    struct Slow {
        writes: AtomicUsize,
        entries: AtomicUsize,
        fails: bool,
    }

    impl Journal for Slow {
        fn next_line(&self) -> LineId {
            LineId::from_bytes([0; 16])
        }

        fn record(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>> {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.writes.fetch_add(1, Relaxed);
                if self.fails {
                    return Err(JournalUnavailable);
                }
                self.entries.fetch_add(entries.len(), Relaxed);
                Ok(())
            })
        }
    }

    fn entry() -> Entry {
        Entry::of(SystemTime::UNIX_EPOCH, What::Joined(Way::WebSocket))
    }

    /// Has so many join at once; tells how many were written down, and in how many writes.
    async fn join_at_once(joins: usize, slow: Slow) -> (usize, usize) {
        let slow = Arc::new(slow);
        let scribe = Scribe::start(Arc::clone(&slow) as Arc<dyn Journal>, Arc::default());
        let one = |_| {
            let scribe = scribe.clone();
            tokio::spawn(async move { scribe.write(entry()).await })
        };
        let mut kept = 0;
        for join in (0..joins).map(one).collect::<Vec<_>>() {
            kept += usize::from(join.await.expect("no panic").is_ok());
        }
        assert_eq!(slow.entries.load(Relaxed), kept);
        (kept, slow.writes.load(Relaxed))
    }

    #[tokio::test]
    async fn those_who_join_at_once_are_written_down_at_once() {
        assert_eq!(join_at_once(1, Slow::default()).await, (1, 1));
        let (kept, writes) = join_at_once(200, Slow::default()).await;
        assert!(kept == 200 && writes <= 2, "{writes} writes");
        let (kept, writes) = join_at_once(10 * JOURNAL_BATCH_MAX, Slow::default()).await;
        assert!(kept == 10 * JOURNAL_BATCH_MAX && writes <= 12, "{writes} writes");
    }

    #[tokio::test]
    async fn everybody_hears_of_a_write_that_failed() {
        let (kept, writes) = join_at_once(200, Slow { fails: true, ..Slow::default() }).await;
        assert!(kept == 0 && writes <= 2, "{writes} writes");
    }

    /// Has room for departures alone.
    #[derive(Default)]
    struct Full {
        departures: AtomicUsize,
    }

    impl Journal for Full {
        fn next_line(&self) -> LineId {
            LineId::from_bytes([1; 16])
        }

        fn record(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>> {
            Box::pin(async move {
                if !entries.iter().all(|entry| matches!(entry.what, What::Left(_))) {
                    return Err(JournalUnavailable);
                }
                self.departures.fetch_add(entries.len(), Relaxed);
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn departures_are_kept_and_at_once_however_many_refusals_are_not() {
        let (full, counters) = (Arc::new(Full::default()), Arc::new(Counters::default()));
        let scribe = Scribe::start(Arc::clone(&full) as Arc<dyn Journal>, Arc::clone(&counters));
        let note = |what| scribe.note(Entry { what, ..entry() });
        for _ in 0..JOURNAL_BACKLOG_MAX {
            note(What::Refused(ErrorCode::TicketInUse));
        }
        for _ in 0..100 {
            note(What::Refused(ErrorCode::TicketInUse));
            note(What::Left(Departure::Lost));
        }
        let kept = async {
            while full.departures.load(Relaxed) < 100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(JOURNAL_RETRY_INTERVAL, kept).await.expect("they wait for no refusal");
        assert!(counters.journal_lost.load(Relaxed) >= 100, "refusals alone are lost");
    }

    #[tokio::test]
    async fn who_leaves_at_once_is_written_down_in_time_to_shut_down() {
        let slow = Arc::new(Slow::default());
        let scribe = Scribe::start(Arc::clone(&slow) as Arc<dyn Journal>, Arc::default());
        (0..3_000).for_each(|_| scribe.note(entry()));
        scribe.flush().await;
        assert_eq!(slow.entries.load(Relaxed), 3_000);
    }
}
