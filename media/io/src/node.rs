//! A media node: its shards, and which consult lives on which of them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Instant, SystemTime},
};

use media_engine::{
    Counters, Engine,
    api::{Command, Event},
    rtp::NtpTime,
    transport::dtls::Identity,
};
use media_model::{ConsultId, ShardId};
use tokio::sync::mpsc;

use crate::{
    Advertise, IoCounters, Load, Overloaded, affinity,
    interfaces::{candidates, interface_addresses},
    limits::{EVENTS_MAX, SHARDS_MAX},
    machine::Machine,
    mailbox::Mailbox,
    placement::Placement,
    shard::{Published, Shard},
    socket::{ShardSockets, SystemSocket, bind},
};

/// How a node listens, what it tells clients about that, and who it is.
#[derive(Clone)]
pub struct Config {
    /// How many shards: threads, and UDP ports. From 1 to [`SHARDS_MAX`].
    pub shards: u16,
    /// The first shard's port; the others follow. 0 gives every shard a port that is free.
    pub port: u16,
    /// Where to listen on IPv4, if at all.
    pub bind_v4: Option<Ipv4Addr>,
    /// Where to listen on IPv6, if at all. A machine without IPv6 goes on without it, as long as there is IPv4.
    pub bind_v6: Option<Ipv6Addr>,
    /// What clients are told to send to.
    pub advertise: Advertise,
    /// The certificate that answers name.
    pub identity: Arc<Identity>,
    /// Whether each shard's thread is kept on one of the cores that the process may use.
    pub pin_shards: bool,
}

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No shard at all, or more than [`SHARDS_MAX`].
    #[error("the number of media shards must be from 1 to {SHARDS_MAX}")]
    ShardCount,
    /// The ports would run past 65535.
    #[error("there are fewer ports above the first media port than shards")]
    PortRange,
    /// A port cannot be bound.
    #[error("media port {port} cannot be bound: {error}")]
    Bind {
        /// The port; 0 where any would have done.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// No address that a client could be told.
    #[error("no media address to advertise: none of the configured ones is of a bound address family")]
    NoCandidates,
    /// The system gave no thread, pipe or list of interfaces.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The shards of this process.
#[derive(Debug)]
pub struct MediaNode {
    shards: Vec<ShardHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    placement: Mutex<Placement>,
    fingerprint: [u8; 32],
}

/// The control plane's end of one shard. Clones are cheap and name the same shard.
#[derive(Debug, Clone)]
pub struct ShardHandle {
    id: ShardId,
    candidates: Arc<[SocketAddr]>,
    mailbox: Arc<Mailbox>,
    published: Arc<Mutex<Published>>,
}

impl MediaNode {
    /// Binds all ports and starts a thread for each. The receiver gets what the engines say; while it is full they
    /// keep it as state, so a slow reader loses nothing but time.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong with the configuration or the machine; nothing is left running.
    pub fn start(config: Config) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| io::Error::other("the system gives no randomness"))?;
        let seed = u64::from_ne_bytes(seed);
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let epoch = (Instant::now(), NtpTime::from_unix(since_1970));
        let identity = config.identity.clone();
        Self::start_with(&config, move |shard, now| {
            // No two engines of a node begin alike.
            let nanos = now.saturating_duration_since(epoch.0).as_nanos() as u64;
            let seed = seed.rotate_left(shard.0.into()).wrapping_add(nanos);
            #[cfg_attr(not(feature = "planted-faults"), expect(unused_mut))]
            let mut engine =
                Engine::new(media_engine::Config { epoch, seed, identity: identity.clone(), shard });
            #[cfg(feature = "planted-faults")]
            crate::planted::plant(&mut engine);
            engine
        })
    }

    /// Binds all ports, then starts a thread for each. `engine` makes a shard's engine: once at the start, and again
    /// whenever the one before has failed.
    pub(crate) fn start_with<M: Machine>(
        config: &Config,
        engine: impl Fn(ShardId, Instant) -> M + Clone + Send + 'static,
    ) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        if !(1..=SHARDS_MAX).contains(&config.shards) {
            return Err(StartError::ShardCount);
        }
        if config.port != 0 && config.port.checked_add(config.shards - 1).is_none() {
            return Err(StartError::PortRange);
        }
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let interfaces = interface_addresses()?;
        let fingerprint = config.identity.fingerprint();
        let (threads, placement) = (Mutex::default(), Mutex::default());
        let mut node = Self { shards: Vec::new(), threads, placement, fingerprint };
        // Every port before the first thread, so that a node with a port too few does not half start.
        let mut bound = Vec::new();
        for number in 0..config.shards {
            let port = if config.port == 0 { 0 } else { config.port + number };
            let sockets = bind(config.bind_v4, config.bind_v6, port)
                .map_err(|error| StartError::Bind { port, error })?;
            bound.push((ShardId(number), sockets));
        }
        let cores = cores_of(config);
        for ((id, sockets), core) in bound.into_iter().zip(cores) {
            let (handle, shard) = ShardHandle::new(id, sockets, config, &interfaces, events.clone())?;
            let engine = engine.clone();
            let thread = thread::Builder::new().name(format!("media-{}", id.0)).spawn(move || {
                settle(id, core);
                shard.run(engine);
            })?;
            node.shards.push(handle);
            node.threads().push(thread);
        }
        Ok((node, receiver))
    }

    /// The shard of a consult: the least loaded one at first, and the same one until [`MediaNode::release`].
    ///
    /// # Errors
    /// [`Overloaded`] when no shard can take another consult.
    pub fn place(&self, consult: ConsultId) -> Result<ShardHandle, Overloaded> {
        let place = self.placement().place(consult, &self.loads())?;
        self.shards.get(place).cloned().ok_or(Overloaded)
    }

    /// Forgets where a consult was. For when its last transport has left and nobody is about to join.
    pub fn release(&self, consult: ConsultId) {
        self.placement().release(consult);
    }

    /// Every shard, in the order of their numbers.
    pub fn shards(&self) -> &[ShardHandle] {
        &self.shards
    }

    /// What each shard has counted since the node started, at most a moment ago.
    pub fn counters(&self) -> Vec<Counters> {
        self.shards.iter().map(ShardHandle::counters).collect()
    }

    /// What each shard costs, by its own measure.
    pub fn loads(&self) -> Vec<Load> {
        self.shards.iter().map(|shard| shard.published().load).collect()
    }

    /// What the sockets of each shard asked of the kernel.
    pub fn io_counters(&self) -> Vec<IoCounters> {
        self.shards.iter().map(|shard| shard.published().io).collect()
    }

    /// How often a shard failed and began again, all of them together.
    pub fn restarts(&self) -> u64 {
        self.shards.iter().map(|shard| shard.published().restarts).sum()
    }

    /// SHA-256 of the certificate that the node's DTLS shows.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Whether every shard has its thread.
    pub fn is_running(&self) -> bool {
        let threads = self.threads();
        !threads.is_empty() && threads.iter().all(|thread| !thread.is_finished())
    }

    /// Ends every consult, says goodbye to everyone connected, and waits for the threads. Takes milliseconds.
    pub fn shutdown(&self) {
        for (place, shard) in self.shards.iter().enumerate() {
            shard.mailbox.stop(self.placement().consults_on(place));
        }
        for thread in self.threads().drain(..) {
            // A panic in a thread has been told by the panic hook.
            let _ = thread.join();
        }
    }

    fn placement(&self) -> MutexGuard<'_, Placement> {
        self.placement.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The core of each shard, where they are to be pinned.
fn cores_of(config: &Config) -> Vec<Option<usize>> {
    let shards = usize::from(config.shards);
    if !config.pin_shards {
        return vec![None; shards];
    }
    let cores = affinity::allowed_cores();
    let usable = thread::available_parallelism().map_or(1, usize::from);
    if usable < cores.len() {
        tracing::info!(usable, cores = cores.len(), "media shards are not pinned: a CPU quota is in force");
    }
    affinity::assign(shards, &cores, usable)
}

/// What a shard's thread asks of the system before it begins.
fn settle(shard: ShardId, core: Option<usize>) {
    let short_slices = affinity::ask_for_short_slices();
    match core.map(|core| (core, affinity::pin(core))) {
        None => tracing::info!(shard = shard.0, short_slices, "media shard runs on any core"),
        Some((core, Ok(()))) => {
            tracing::info!(shard = shard.0, core, short_slices, "media shard is pinned");
        }
        Some((core, Err(error))) => {
            tracing::warn!(shard = shard.0, core, %error, "media shard cannot be pinned and runs on any core");
        }
    }
}

impl Drop for MediaNode {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl ShardHandle {
    fn new(
        id: ShardId,
        sockets: ShardSockets,
        config: &Config,
        interfaces: &[IpAddr],
        events: mpsc::Sender<Event>,
    ) -> Result<(Self, Shard<SystemSocket>), StartError> {
        let v4 = config.bind_v4.filter(|_| sockets.v4.is_some()).map(IpAddr::from);
        let v6 = config.bind_v6.filter(|_| sockets.v6.is_some()).map(IpAddr::from);
        let bound: Vec<IpAddr> = v4.into_iter().chain(v6).collect();
        let candidates = candidates(&bound, sockets.port, &config.advertise, interfaces);
        if candidates.is_empty() {
            return Err(StartError::NoCandidates);
        }
        let mailbox = Arc::new(Mailbox::new()?);
        let published = Arc::<Mutex<Published>>::default();
        let shard = Shard::new(id, sockets, mailbox.clone(), events, published.clone());
        Ok((Self { id, candidates: candidates.into(), mailbox, published }, shard))
    }

    /// The shard's number.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Where its clients send to, as ICE host candidates in the order of preference.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        self.candidates.to_vec()
    }

    /// Sends a command to the shard's engine.
    ///
    /// # Errors
    /// [`Overloaded`] when more wait than the mailbox holds, or the node is stopping; nothing was queued.
    pub fn send(&self, command: Command) -> Result<(), Overloaded> {
        self.mailbox.send(command)
    }

    /// What the shard has counted, at most a moment ago.
    pub fn counters(&self) -> Counters {
        self.published().counters.clone()
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
