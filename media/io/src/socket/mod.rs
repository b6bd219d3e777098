//! UDP in batches, with the local address of every datagram.
//!
//! | file | holds |
//! |---|---|
//! | `linux.rs` | `recvmmsg` and `sendmmsg` with `IP_PKTINFO`; the place for GSO and GRO |
//! | `portable.rs` | one system call a datagram, for other systems |
//! | `bind.rs` | the sockets of one shard: both address families on one port |

mod bind;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::BorrowedFd,
};

use media_engine::api::{Datagram, TransmitBuffer};
use media_model::limits::DATAGRAM_BYTES_MAX;

pub(crate) use bind::{ShardSockets, bind};
#[cfg(target_os = "linux")]
pub(crate) use linux::LinuxSocket as SystemSocket;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::PortableSocket as SystemSocket;

use crate::limits::RECEIVE_BATCH;

/// A bound UDP socket of one address family that never blocks.
pub(crate) trait MediaSocket: Sized {
    fn new(socket: UdpSocket) -> io::Result<Self>;

    fn as_fd(&self) -> BorrowedFd<'_>;

    /// Fills the batch with what waits. An empty batch means that nothing does.
    fn receive(&mut self, batch: &mut Batch) -> io::Result<()>;

    /// Sends those datagrams that are of its address family. Returns how many the kernel did not take.
    fn send(&mut self, out: &TransmitBuffer) -> u64;
}

/// Room for the datagrams of one receive call.
pub(crate) struct Batch {
    bytes: Box<[u8]>,
    metas: Vec<Meta>,
}

/// What the kernel said about the datagram in one of the batch's places.
struct Meta {
    place: usize,
    length: usize,
    remote: SocketAddr,
    local: IpAddr,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE_BATCH * DATAGRAM_BYTES_MAX].into_boxed_slice(),
            metas: Vec::with_capacity(RECEIVE_BATCH),
        }
    }

    pub fn len(&self) -> usize {
        self.metas.len()
    }

    /// The datagrams, in the order of their arrival.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let mut places = self.bytes.chunks_exact_mut(DATAGRAM_BYTES_MAX).enumerate();
        self.metas.iter().filter_map(move |meta| {
            // Places are noted in ascending order; some may have been left out.
            let (_, bytes) = places.by_ref().find(|(place, _)| *place == meta.place)?;
            Some(Datagram { remote: meta.remote, local: meta.local, data: bytes.get_mut(..meta.length)? })
        })
    }
}

/// Whether an error is about an earlier datagram (an ICMP message that came back), not about the socket.
fn is_of_the_path(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable)
}
