//! A whole shard over loopback, and the bare floor in its place: real sockets on both sides, paced as in a call.
//!
//! The server has a core to itself and so have the clients, where there are two. What counts is the CPU time of the
//! server's thread, whatever it spent it on: wake-ups, system calls, the kernel's share of both ends of a loopback socket.
//!
//! | file | holds |
//! |---|---|
//! | `server.rs` | a node of one shard; the floor in a thread |
//! | `thread_clock.rs` | the CPU time of a thread, read from outside |
//! | `cores.rs` | which core is whose |
//! | `sockets.rs` | many sockets of one thread: epoll, `recvmmsg`, the kernel's time of arrival |
//! | `arrivals.rs` | joins: command, check, DTLS, as clients make them |
//! | `peer.rs` | one participant's packets, for a node and for the floor |
//! | `consults.rs` | consults that talk, in real time |
//! | `storm.rs` | joins as fast as they go while others talk |

mod arrivals;
mod consults;
mod cores;
mod peer;
mod server;
mod sockets;
mod storm;
mod thread_clock;

pub use consults::{Consults, Flow, PICTURES, SOUND, Shape, Spent};
pub use cores::settle_clients;
pub use peer::{FloorPeer, NodePeer, Peer};
pub use storm::{Storm, StormPlan, Weather};

/// What a node's packets have and the floor's have not: one contributing source and the extensions that a browser
/// sends. The floor's are made longer by so much.
const EXTENSION_BYTES: usize = 16;
