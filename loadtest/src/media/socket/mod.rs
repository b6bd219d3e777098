//! UDP sockets of one thread: shared ones with a source address for each transport, or one socket a transport.
//!
//! | file | holds |
//! |---|---|
//! | `outbox.rs` | packets that wait to be sent, in trains |
//! | `message.rs` | `recvmmsg` with its control messages; control messages for sending |
//! | `shared.rs` | a few sockets for all, addresses in 127.0.0.0/8 |
//! | `own.rs` | one connected socket a transport, and epoll |

mod message;
mod outbox;
mod own;
mod shared;

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd as _, OwnedFd},
};

use message::Receiving;
pub use outbox::{Outbox, PACKET_BYTES_MAX};
use own::OwnSockets;
use shared::SharedSockets;

/// Who has which socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketMode {
    /// A few sockets a thread; each transport has an address of its own in 127.0.0.0/8. Only for targets on loopback.
    Shared,
    /// A connected socket for each transport.
    Own,
}

/// The sockets of one thread.
pub enum Sockets {
    /// See [`SocketMode::Shared`].
    Shared(SharedSockets),
    /// See [`SocketMode::Own`].
    Own(OwnSockets),
}

/// Where a transport sends from and to.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Index of the transport in its thread.
    pub transport: u32,
    /// The address to send from; None: any.
    pub local: Option<Ipv4Addr>,
    /// The address to send to.
    pub remote: SocketAddrV4,
}

impl Sockets {
    /// Opens what is shared. `worker` tells threads' source addresses apart.
    pub fn open(mode: SocketMode, gro: bool, worker: u8) -> io::Result<Self> {
        match mode {
            SocketMode::Shared => SharedSockets::open(gro, worker).map(Self::Shared),
            SocketMode::Own => OwnSockets::open(gro).map(Self::Own),
        }
    }

    /// Makes a transport reachable.
    pub fn add(&mut self, route: Route) -> io::Result<()> {
        match self {
            Self::Shared(shared) => shared.add(route),
            Self::Own(own) => own.add(route),
        }
    }

    /// Forgets a transport.
    pub fn remove(&mut self, transport: u32) {
        match self {
            Self::Shared(shared) => shared.remove(transport),
            Self::Own(own) => own.remove(transport),
        }
    }

    /// Hands over a batch of what has come: transport, datagram, arrival in nanoseconds since 1970. False when that was all.
    pub fn receive(&mut self, take: &mut dyn FnMut(u32, &mut [u8], u64)) -> bool {
        match self {
            Self::Shared(shared) => shared.receive(take),
            Self::Own(own) => own.receive(take),
        }
    }

    /// Sends everything and empties the outbox; tells how many packets the kernel refused.
    pub fn send(&mut self, outbox: &mut Outbox) -> u64 {
        let refused = match self {
            Self::Shared(shared) => shared.send(outbox),
            Self::Own(own) => own.send(outbox),
        };
        outbox.clear();
        refused
    }
}

fn socket(gro: bool, buffer_bytes: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes three integers; the descriptor that it returns belongs to nobody yet.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, kind, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd)
    };
    option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    if gro {
        option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1)?;
    }
    for (forced, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)]
    {
        // Only root may exceed the system's limit.
        if option(&socket, libc::SOL_SOCKET, forced, buffer_bytes).is_err() {
            option(&socket, libc::SOL_SOCKET, plain, buffer_bytes)?;
        }
    }
    Ok(socket)
}

fn option(socket: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the value is an i32 on the stack and its length is told.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn sockaddr(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}
