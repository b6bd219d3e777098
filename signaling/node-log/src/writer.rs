//! The thread that writes: what has come together is written together.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    AppendError, RECORD_BYTES_MAX,
    file::LogFile,
    format::{self, BATCH_BYTES_MAX},
};

/// Records that wait for the disk.
const QUEUED_MAX: usize = 65_536;
/// From one try to the next, where the disk refuses what must not fail.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

type Answer = oneshot::Sender<Result<(), AppendError>>;

enum Task {
    Append(Vec<u8>, Answer),
    Note(Vec<u8>),
    BeginAnew(Vec<Vec<u8>>),
}

/// A log that can be added to. Clones are handles to the same thing; the thread ends with the last one, when all is written.
#[derive(Debug, Clone)]
pub struct NodeLog {
    tasks: mpsc::SyncSender<Task>,
    bytes: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

impl NodeLog {
    pub(crate) fn start(file: LogFile) -> io::Result<Self> {
        let (tasks, queue) = mpsc::sync_channel(QUEUED_MAX);
        let bytes = Arc::new(AtomicU64::new(file.bytes()));
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { file, owed: Vec::new(), bytes: Arc::clone(&bytes), lost: Arc::clone(&lost) };
        thread::Builder::new().name("node-log".to_owned()).spawn(move || writer.run(&queue))?;
        Ok(Self { tasks, bytes, lost })
    }

    /// Resolves when the record would survive a crash of this machine.
    pub async fn append(&self, record: Vec<u8>) -> Result<(), AppendError> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(AppendError::Unwritable);
        }
        let (answer, written) = oneshot::channel();
        self.tasks.try_send(Task::Append(record, answer)).map_err(|_| AppendError::Unwritable)?;
        written.await.unwrap_or(Err(AppendError::Unwritable))
    }

    /// Leaves a record to be written soon, into the reserve where nothing else is left. Where even that fails it is tried again.
    pub fn note(&self, record: Vec<u8>) {
        if record.len() > RECORD_BYTES_MAX || self.tasks.try_send(Task::Note(record)).is_err() {
            self.lost.fetch_add(1, Relaxed);
            tracing::error!("a record of the node log is lost: too many wait for the disk");
        }
    }

    /// Puts these records in the place of everything that came before.
    pub fn begin_anew(&self, records: Vec<Vec<u8>>) {
        // Where the queue is full the file stays as it is, which is right, only longer.
        let _ = self.tasks.try_send(Task::BeginAnew(records));
    }

    /// How long the file is.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Records of [`NodeLog::note`] that were never written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// A record of a batch, and who waits for it.
struct Pending {
    record: Vec<u8>,
    answer: Option<Answer>,
}

impl Pending {
    /// Tells whoever waits how it went; whether the record has to be tried again.
    fn settle(&mut self, outcome: Result<(), AppendError>) -> bool {
        match self.answer.take() {
            // One who no longer waits does not matter.
            Some(answer) => drop(answer.send(outcome)),
            None => return outcome.is_err(),
        }
        false
    }
}

struct Writer {
    file: LogFile,
    /// What must not fail and has failed so far, oldest first.
    owed: Vec<Vec<u8>>,
    bytes: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, queue: &mpsc::Receiver<Task>) {
        let mut next = None;
        loop {
            let task = match next.take() {
                Some(task) => task,
                None => match self.wait(queue) {
                    Ok(Some(task)) => task,
                    Ok(None) => continue,
                    Err(mpsc::RecvError) => break,
                },
            };
            match task {
                Task::BeginAnew(records) => self.begin_anew(&records),
                first => next = self.write_batch(first, queue),
            }
        }
        self.pay();
    }

    /// The next task, or nothing once it is time to try again what failed.
    fn wait(&mut self, queue: &mpsc::Receiver<Task>) -> Result<Option<Task>, mpsc::RecvError> {
        if self.owed.is_empty() {
            return queue.recv().map(Some);
        }
        match queue.recv_timeout(RETRY_INTERVAL) {
            Ok(task) => Ok(Some(task)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.pay();
                Ok(None)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(mpsc::RecvError),
        }
    }

    /// Writes a task and whatever else has come since; gives back what no longer belongs to the batch.
    fn write_batch(&mut self, first: Task, queue: &mpsc::Receiver<Task>) -> Option<Task> {
        let mut batch = Vec::new();
        let (mut bytes, mut next) = (0, Some(first));
        while let Some(task) = next.take() {
            let (record, answer) = match task {
                Task::Append(record, answer) => (record, Some(answer)),
                Task::Note(record) => (record, None),
                Task::BeginAnew(_) => {
                    next = Some(task);
                    break;
                }
            };
            bytes += format::size_of(&record);
            batch.push(Pending { record, answer });
            // The longest record has to go in still.
            next = (bytes <= BATCH_BYTES_MAX / 2).then(|| queue.try_recv().ok()).flatten();
        }
        self.write(batch, bytes as u64);
        next
    }

    fn write(&mut self, mut batch: Vec<Pending>, bytes: u64) {
        if batch.iter().any(|pending| pending.answer.is_some()) && !self.file.has_room_for(bytes) {
            batch.retain_mut(|pending| pending.answer.is_none() || pending.settle(Err(AppendError::Full)));
        }
        if batch.is_empty() {
            return;
        }
        // In order with what failed before: a later record may take an earlier one back.
        let written = self.pay() && self.add(batch.iter().map(|pending| pending.record.as_slice()));
        let outcome = if written { Ok(()) } else { Err(AppendError::Unwritable) };
        batch.retain_mut(|pending| pending.settle(outcome));
        self.owe(batch.into_iter().map(|pending| pending.record).collect());
    }

    fn add<'a>(&mut self, records: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let added = self.file.add(records);
        if let Err(error) = &added {
            tracing::error!(%error, "the node log cannot be written");
        }
        self.bytes.store(self.file.bytes(), Relaxed);
        added.is_ok()
    }

    /// Writes what failed before; false if it fails again.
    fn pay(&mut self) -> bool {
        while !self.owed.is_empty() {
            let mut bytes = 0;
            let fits = |record: &&Vec<u8>| {
                bytes += format::size_of(record);
                bytes <= BATCH_BYTES_MAX
            };
            let count = self.owed.iter().take_while(fits).count().max(1);
            let mut owed = std::mem::take(&mut self.owed);
            let written = self.add(owed[..count].iter().map(Vec::as_slice));
            owed.drain(..if written { count } else { 0 });
            self.owed = owed;
            if !written {
                return false;
            }
        }
        true
    }

    /// Keeps what must not fail for the next try.
    fn owe(&mut self, noted: Vec<Vec<u8>>) {
        let room = QUEUED_MAX.saturating_sub(self.owed.len());
        let lost = noted.len().saturating_sub(room);
        if lost > 0 {
            self.lost.fetch_add(lost as u64, Relaxed);
            tracing::error!(lost, "records of the node log are lost: the disk has refused too many");
        }
        self.owed.extend(noted.into_iter().take(room));
    }

    fn begin_anew(&mut self, records: &[Vec<u8>]) {
        match self.file.begun_anew(records) {
            // What failed before is in the records, or was taken back.
            Ok(file) => {
                (self.file, self.owed) = (file, Vec::new());
                self.bytes.store(self.file.bytes(), Relaxed);
            }
            Err(error) => {
                tracing::warn!(%error, "the node log could not be begun anew, and goes on as it is")
            }
        }
    }
}
