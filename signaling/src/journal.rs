//! Who joined, was admitted, left and was refused: signaling says it here, the binary writes it to the audit log.

use std::{future::Future, pin::Pin, sync::Arc, time::SystemTime};

use media_model::{ConsultId, ParticipantNumber, Pii, Role};
use signaling_protocol::error::ErrorCode;
use tokio::sync::{mpsc, oneshot};

use crate::{
    counters::Counters,
    limits::{JOURNAL_BACKLOG_MAX, JOURNAL_RETRY_INTERVAL, JOURNAL_TIMEOUT, JOURNAL_TRIES},
};

/// Keeps entries for good.
pub trait Journal: Send + Sync {
    /// Resolves when the entry would survive a crash of this process.
    fn record(&self, entry: Entry) -> BoxFuture<'_, Result<(), JournalUnavailable>>;
}

/// A future on the heap: what an object-safe async method returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The entry could not be kept. A join is refused then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct JournalUnavailable;

/// One line of the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it happened.
    pub at: SystemTime,
    /// In which consult, where that is known.
    pub consult: Option<ConsultId>,
    /// Whose doing it was, where that is known.
    pub who: Option<Who>,
    /// What happened.
    pub what: What,
}

/// A person of a consult.
#[derive(Debug, Clone)]
pub struct Who {
    /// Number in the consult.
    pub participant: ParticipantNumber,
    /// The EHR's identifier.
    pub person: Pii<String>,
    /// Role in the consult.
    pub role: Role,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Came in, and may see and be seen.
    Joined(Way),
    /// Came to the waiting room.
    Waited,
    /// Was let in from the waiting room.
    Admitted {
        /// By whom.
        by: ParticipantNumber,
    },
    /// Is gone.
    Left(Departure),
    /// Was turned away.
    Refused(ErrorCode),
}

/// How somebody comes into a consult.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// `/v1/signal`
    WebSocket,
    /// `/v1/whip`: publishes only.
    Whip,
    /// `/v1/whep`: receives only.
    Whep,
}

impl Way {
    /// The way's name in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Whip => "whip",
            Self::Whep => "whep",
        }
    }
}

/// Why somebody is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// Said goodbye.
    Left,
    /// The connection broke and nobody came back in time.
    Lost,
    /// The same person came in anew, with a ticket, and this presence gave way.
    Replaced,
    /// The consult was ended.
    ConsultEnded,
    /// The ticket was taken back.
    Revoked,
    /// The node went down.
    Shutdown,
}

impl Departure {
    /// The reason's name in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::ConsultEnded => "consult_ended",
            Self::Revoked => "revoked",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Writes an entry of the backlog, which a database that is busy for a moment must not lose.
async fn write_soon(journal: &dyn Journal, entry: &Entry) -> Result<(), JournalUnavailable> {
    for _ in 1..JOURNAL_TRIES {
        if journal.record(entry.clone()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(JOURNAL_RETRY_INTERVAL).await;
    }
    journal.record(entry.clone()).await
}

/// What the backlog's task is to do. The size of an entry is no matter: there are at most a thousand.
#[allow(clippy::large_enum_variant)]
enum Task {
    Write(Entry),
    Flush(oneshot::Sender<()>),
}

/// The journal with its two ways of being written: awaited, and behind a bounded backlog.
#[derive(Clone)]
pub(crate) struct Scribe {
    journal: Arc<dyn Journal>,
    backlog: mpsc::Sender<Task>,
    counters: Arc<Counters>,
}

impl Scribe {
    /// Starts the task that writes the backlog; it ends with the last clone.
    pub(crate) fn start(journal: Arc<dyn Journal>, counters: Arc<Counters>) -> Self {
        let (backlog, mut tasks) = mpsc::channel(JOURNAL_BACKLOG_MAX);
        let scribe = Self { journal: Arc::clone(&journal), backlog, counters: Arc::clone(&counters) };
        tokio::spawn(async move {
            while let Some(task) = tasks.recv().await {
                match task {
                    Task::Write(entry) => {
                        if write_soon(journal.as_ref(), &entry).await.is_err() {
                            Counters::add(&counters.journal_lost);
                            tracing::error!(what = ?entry.what, "journal entry lost: the journal cannot be written");
                        }
                    }
                    // Nobody listens any more when the shutdown ran out of time.
                    Task::Flush(done) => drop(done.send(())),
                }
            }
        });
        scribe
    }

    /// Waits until the entry is kept.
    pub(crate) async fn write(&self, entry: Entry) -> Result<(), JournalUnavailable> {
        match tokio::time::timeout(JOURNAL_TIMEOUT, self.journal.record(entry)).await {
            Ok(written) => written,
            Err(_) => Err(JournalUnavailable),
        }
    }

    /// Leaves the entry to be written soon. One that finds the backlog full is counted and logged.
    pub(crate) fn note(&self, entry: Entry) {
        let Err(refused) = self.backlog.try_send(Task::Write(entry)) else { return };
        Counters::add(&self.counters.journal_lost);
        if let Task::Write(entry) = refused.into_inner() {
            let participant = entry.who.as_ref().map(|who| who.participant.csrc());
            tracing::error!(consult = ?entry.consult, participant, what = ?entry.what, "journal entry lost: backlog full");
        }
    }

    /// Waits until everything that was left is written, or for as long as a write may take.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if self.backlog.send(Task::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        if tokio::time::timeout(JOURNAL_TIMEOUT, flush).await.is_err() {
            tracing::error!("the journal's backlog was not written in time");
        }
    }
}
