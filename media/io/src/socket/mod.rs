//! UDP in batches, with the local address of every datagram.
//!
//! | file | holds |
//! |---|---|
//! | `batch.rs` | room for what comes in, and its division into datagrams |
//! | `trains.rs` | which datagrams may leave together |
//! | `linux/` | `recvmmsg` and `sendmmsg`, GRO and GSO, `IP_PKTINFO`, ECN |
//! | `portable.rs` | one system call a datagram, for other systems |
//! | `bind.rs` | the sockets of one shard: both address families on one port |

mod batch;
mod bind;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_os = "linux")]
mod trains;

use std::{io, net::UdpSocket, os::fd::BorrowedFd};

use media_engine::api::TransmitBuffer;

use crate::io_counters::IoCounters;
pub(crate) use batch::Batch;
pub(crate) use bind::{ShardSockets, bind};
#[cfg(target_os = "linux")]
use linux::LinuxSocket as PlainSocket;
#[cfg(not(target_os = "linux"))]
use portable::PortableSocket as PlainSocket;

/// What shards use.
#[cfg(not(feature = "planted-faults"))]
pub(crate) type SystemSocket = PlainSocket;
/// What shards use in a build that tests the load harness.
#[cfg(feature = "planted-faults")]
pub(crate) type SystemSocket = crate::planted::PlantedSocket<PlainSocket>;

/// A bound UDP socket of one address family that never blocks.
pub(crate) trait MediaSocket: Sized {
    fn new(socket: UdpSocket) -> io::Result<Self>;

    fn as_fd(&self) -> BorrowedFd<'_>;

    fn features(&self) -> Features;

    /// What it did so far, and what of the kernel it uses.
    fn counters(&self) -> IoCounters;

    /// Fills the batch with what waits. An empty batch means that nothing does.
    fn receive(&mut self, batch: &mut Batch) -> io::Result<()>;

    /// Sends those datagrams that are of its address family. Returns how many the kernel did not take.
    fn send(&mut self, out: &TransmitBuffer) -> u64;
}

/// What of the kernel is in use; found out when a socket is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// `recvmmsg` and `sendmmsg`.
    pub batches: bool,
    /// `UDP_GRO`.
    pub trains_in: bool,
    /// `UDP_SEGMENT`.
    pub trains_out: bool,
    /// ECN marks are seen.
    pub ecn: bool,
}

/// Whether an error is about an earlier datagram (an ICMP message that came back), not about the socket.
fn is_of_the_path(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable)
}
