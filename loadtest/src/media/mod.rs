//! The media plane: pinned threads that carry plans out.
//!
//! | file | holds |
//! |---|---|
//! | `worker.rs` | a thread: receive, send what is due, sleep 250 µs |
//! | `entries.rs` | its transports and their timers |
//! | `transport.rs` | one transport: ICE, DTLS, then media |
//! | `handshake.rs` | DTLS |
//! | `session.rs` | media and RTCP of a connected transport |
//! | `sender.rs`, `receiver.rs` | a track that is sent, a stream that is received |
//! | `impaired.rs` | a bad network between the clients and the target |
//! | `order.rs`, `picture.rs` | where a packet belongs, what a decoder would show |
//! | `context.rs` | what a transport may use |
//! | `clock.rs` | the clock of stamps and arrivals |
//! | `socket/` | UDP |

mod clock;
mod context;
mod entries;
mod handshake;
mod impaired;
mod order;
mod picture;
mod receiver;
mod sender;
mod session;
mod socket;
mod transport;
mod worker;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use context::Shared;
use handshake::Identity;
pub use handshake::NoIdentity;
pub use socket::SocketMode;
use socket::Sockets;
use worker::Worker;

use crate::{
    measure::Measure,
    plan::{MediaProfile, Network, ReceivePlan, Shown, TransportPlan},
    usage,
};

/// How the media plane runs.
#[derive(Debug, Clone)]
pub struct MediaOptions {
    /// A thread for each, pinned to that core; empty: one that is not pinned.
    pub cores: Vec<usize>,
    /// Who has which socket.
    pub sockets: SocketMode,
    /// Whether trains are received in one piece.
    pub gro: bool,
    /// What publishers send.
    pub profile: MediaProfile,
    /// What publishers from this number on send instead.
    pub later: Option<(u32, MediaProfile)>,
    /// Highest participant number that there will be, plus one.
    pub participants_max: usize,
    /// What the network does to datagrams.
    pub network: Network,
    /// People in a consult: numbers that follow one another, from a multiple of this on, belong together.
    pub consult_size: u32,
    /// How often a thread looks. Part of no delay: arrival is when the kernel had a packet, sending when it was handed over.
    pub poll: Duration,
}

impl MediaOptions {
    /// What a participant sends.
    fn profile_of(&self, participant: u32) -> &MediaProfile {
        match &self.later {
            Some((from, profile)) if participant >= *from => profile,
            _ => &self.profile,
        }
    }
}

/// The running media plane, as adapters see it. Cheap to clone; it ends with its last clone and transport.
#[derive(Debug, Clone)]
pub struct MediaPlane {
    fingerprint: [u8; 32],
    workers: Arc<[mpsc::Sender<Command>]>,
    next: Arc<AtomicU32>,
    shared: Arc<Shared>,
}

/// Told once how connecting went, and how long it took until ICE was done.
type Connects = oneshot::Sender<Result<Duration, TransportFailed>>;

/// What a thread of the media plane is told.
#[derive(Debug)]
enum Command {
    /// A new transport.
    Start(u32, Box<TransportPlan>, Connects),
    /// More streams on it.
    Receive(u32, Vec<ReceivePlan>),
    /// A stream carries somebody else's media now.
    Show(u32, u32, Option<Shown>),
    /// The end, and whether what never came until then counts as lost.
    Stop(u32, bool),
    /// Counters and delays begin anew; participants below this number are those who were there before.
    BeginWindow(u32),
    /// Counters and delays since.
    EndWindow(oneshot::Sender<Window>),
    /// Counters and delays since the last time.
    Peek(oneshot::Sender<Window>),
}

/// What one thread measured.
#[derive(Debug)]
pub struct Window {
    /// Counters and delays.
    pub measure: Measure,
    /// How long the window was.
    pub wall_ns: u64,
    /// Processor time that the thread took.
    pub cpu_ns: u64,
}

/// Why a transport did not come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportFailed {
    /// No ICE check, or no registration, was answered in time.
    #[error("no ICE check was answered")]
    Ice,
    /// DTLS failed or took too long.
    #[error("the DTLS handshake failed")]
    Dtls,
    /// The certificate is not the one in the SDP.
    #[error("the certificate is not the one in the SDP")]
    Fingerprint,
    /// No socket could be had.
    #[error("no socket could be opened")]
    Socket,
    /// It was stopped, or the media plane has ended.
    #[error("the transport was stopped")]
    Stopped,
}

/// Why there is no media plane.
#[derive(Debug, thiserror::Error)]
pub enum NoMediaPlane {
    /// Sockets or threads.
    #[error("no sockets or threads: {0}")]
    Io(#[from] io::Error),
    /// The certificate.
    #[error(transparent)]
    Identity(#[from] NoIdentity),
}

impl MediaPlane {
    /// Starts the threads.
    pub fn start_threads(options: &MediaOptions) -> Result<Self, NoMediaPlane> {
        let identity = Identity::generate()?;
        let shared = Arc::new(Shared::new(options.participants_max));
        let mut workers = Vec::new();
        for number in 0..options.cores.len().max(1) {
            workers.push(start_thread(options, number, &identity, &shared)?);
        }
        let fingerprint = identity.fingerprint();
        Ok(Self { fingerprint, workers: workers.into(), next: Arc::new(AtomicU32::new(0)), shared })
    }

    /// SHA-256 of the certificate that every transport shows, for `a=fingerprint:sha-256`.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Somebody says the first word of signaling now: from here their time to the first frame counts.
    pub fn joining(&self, participant: u32) {
        self.shared.joining(participant);
    }

    /// Begins to carry out a plan: ICE, DTLS, then media at once.
    pub fn start(&self, plan: TransportPlan) -> TransportHandle {
        let (connects, connected) = oneshot::channel();
        let id = self.next.fetch_add(1, Relaxed);
        let worker = self.workers[plan.participant as usize % self.workers.len()].clone();
        // Where the thread is gone, `connected` says so.
        let _ = worker.send(Command::Start(id, Box::new(plan), connects));
        TransportHandle { id, worker, counts_losses: true, connected: Some(connected) }
    }

    /// Counters and delays begin anew. Delays between participants below `established` are counted apart as well.
    pub fn begin_window(&self, established: u32) {
        for worker in self.workers.iter() {
            let _ = worker.send(Command::BeginWindow(established));
        }
    }

    /// Counters and delays of each thread since [`Self::begin_window`].
    pub async fn end_window(&self) -> Vec<Window> {
        self.ask(Command::EndWindow).await
    }

    /// Counters and delays of each thread since the last call, or since the window began.
    pub async fn peek(&self) -> Vec<Window> {
        self.ask(Command::Peek).await
    }

    async fn ask<T>(&self, question: impl Fn(oneshot::Sender<T>) -> Command) -> Vec<T> {
        let mut answers = Vec::new();
        let asked: Vec<_> = self
            .workers
            .iter()
            .map(|worker| {
                let (replies, reply) = oneshot::channel();
                let _ = worker.send(question(replies));
                reply
            })
            .collect();
        for reply in asked {
            answers.extend(reply.await.ok());
        }
        answers
    }
}

/// Starts one thread and waits until it has its sockets.
fn start_thread(
    options: &MediaOptions,
    number: usize,
    identity: &Identity,
    shared: &Arc<Shared>,
) -> io::Result<mpsc::Sender<Command>> {
    let core = options.cores.get(number).copied();
    let (options, identity, shared) = (options.clone(), identity.clone(), Arc::clone(shared));
    let (commands, receiver) = mpsc::channel();
    let (tells, told) = mpsc::channel();
    thread::Builder::new().name(format!("media-{number}")).spawn(move || {
        let pinned = core.map_or(Ok(()), |core| usage::pin(&[core]));
        match pinned.and_then(|()| Sockets::open(options.sockets, options.gro, number as u8)) {
            Ok(sockets) => {
                let _ = tells.send(Ok(()));
                Worker::new(options, identity, receiver, sockets, shared).run();
            }
            Err(error) => {
                let _ = tells.send(Err(error));
            }
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended at once")))?;
    Ok(commands)
}

/// One started transport. Dropped, it stops without a goodbye.
#[derive(Debug)]
pub struct TransportHandle {
    id: u32,
    worker: mpsc::Sender<Command>,
    counts_losses: bool,
    connected: Option<oneshot::Receiver<Result<Duration, TransportFailed>>>,
}

impl TransportHandle {
    /// Waits until keys are agreed on, which may take 10 s at most, and tells how much of that was ICE's. A second call
    /// answers at once.
    pub async fn connected(&mut self) -> Result<Duration, TransportFailed> {
        let Some(connected) = &mut self.connected else { return Ok(Duration::ZERO) };
        let outcome = connected.await.unwrap_or(Err(TransportFailed::Stopped));
        self.connected = None;
        outcome
    }

    /// Whether what has not come when it is dropped counts as lost; at first it does.
    pub fn count_losses(&mut self, counts: bool) {
        self.counts_losses = counts;
    }

    /// Adds streams that came by renegotiation. One whose SSRC is known already is taken as new.
    pub fn receive(&self, streams: Vec<ReceivePlan>) {
        let _ = self.worker.send(Command::Receive(self.id, streams));
    }

    /// Says whose media the stream with this SSRC carries from now on. Packets of the one before are tolerated for a second.
    pub fn show(&self, ssrc: u32, shown: Option<Shown>) {
        let _ = self.worker.send(Command::Show(self.id, ssrc, shown));
    }
}

impl Drop for TransportHandle {
    fn drop(&mut self) {
        let _ = self.worker.send(Command::Stop(self.id, self.counts_losses));
    }
}
