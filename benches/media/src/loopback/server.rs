//! What the clients talk to: a node of one shard, or the floor.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use media_engine::{api::Event, transport::dtls::Identity};
use media_io::{Advertise, Config, MediaNode, ShardHandle};
use tokio::sync::mpsc::Receiver;

use super::{cores::on_server_core, thread_clock::ThreadClock};

/// The name of a node's first shard's thread.
const SHARD_THREAD: &str = "media-0";
const FLOOR_THREAD: &str = "bench-floor";

/// A node of one shard on loopback.
pub struct Node {
    node: MediaNode,
    /// Until somebody takes it, who has to read it then.
    pub events: Option<Receiver<Event>>,
    pub clock: ThreadClock,
}

impl Node {
    pub fn start() -> io::Result<Self> {
        let config = Config {
            shards: 1,
            port: 0,
            bind_v4: Some(Ipv4Addr::LOCALHOST),
            bind_v6: None,
            advertise: Advertise::Bound,
            identity: Arc::new(Identity::generate()),
            pin_shards: true,
        };
        let (node, events) = on_server_core(|| MediaNode::start(config).map_err(io::Error::other))?;
        Ok(Self { node, events: Some(events), clock: ThreadClock::of(SHARD_THREAD)? })
    }

    pub fn shard(&self) -> &ShardHandle {
        &self.node.shards()[0]
    }

    /// What the kernel dropped, and quarters of the video that are withheld.
    pub fn shortfall(&self) -> (u64, u8) {
        let load = self.node.loads()[0];
        (load.kernel_drops, load.video_withheld)
    }
}

/// The floor in a thread of its own.
pub struct Floor {
    pub address: SocketAddr,
    pub clock: ThreadClock,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Floor {
    pub fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, stop) = (socket.local_addr()?, Arc::new(AtomicBool::new(false)));
        let is_over = stop.clone();
        let thread = on_server_core(|| {
            let serve = move || media_floor::serve(socket, &|| is_over.load(Relaxed));
            thread::Builder::new().name(FLOOR_THREAD.into()).spawn(serve)
        })?;
        Ok(Self { address, clock: ThreadClock::of(FLOOR_THREAD)?, stop, thread: Some(thread) })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
