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

use super::clock::Arrival;
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

/// Who takes in what has come.
pub trait Take {
    /// Datagrams of these transports are next.
    fn expect(&mut self, transports: impl Iterator<Item = u32> + Clone);

    /// A datagram of a transport, and when it came.
    fn take(&mut self, transport: u32, datagram: &mut [u8], arrival: Arrival);
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

    /// Hands over a batch of what has come: transport, datagram, arrival. False when that was all.
    pub fn receive(&mut self, take: &mut impl Take) -> bool {
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
    // Whole datagrams need no identification, which would cost something for each of them.
    option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
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

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use super::{super::clock::clock_ns, *};
    use crate::measure::Measure;

    impl<F: FnMut(u32, &mut [u8], Arrival)> Take for F {
        fn expect(&mut self, _transports: impl Iterator<Item = u32> + Clone) {}

        fn take(&mut self, transport: u32, datagram: &mut [u8], arrival: Arrival) {
            self(transport, datagram, arrival);
        }
    }

    /// One transport's sockets, and the peer that it sends to; the peer knows where from.
    fn connected(mode: SocketMode) -> (Sockets, UdpSocket, std::net::SocketAddr) {
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let std::net::SocketAddr::V4(remote) = peer.local_addr().expect("an address") else {
            panic!("an IPv4 address")
        };
        let mut sockets = Sockets::open(mode, true, 0).expect("sockets");
        sockets.add(Route { transport: 7, local: None, remote }).expect("a route");
        let mut outbox = Outbox::new();
        outbox.packet(7, |to| {
            to.get_mut(..5)?.copy_from_slice(b"hello");
            Some(5)
        });
        assert_eq!(sockets.send(&mut outbox), 0);
        let from = peer.recv_from(&mut [0; 16]).expect("a datagram").1;
        (sockets, peer, from)
    }

    /// Delays of three packets that lay in the socket for 20 ms, the longest in nanoseconds, and how long sending them took.
    fn longest_delay_ns(sockets: &mut Sockets, peer: &UdpSocket, to: std::net::SocketAddr) -> (u64, u64) {
        let mut measure = Measure::new();
        let sent_ns = clock_ns();
        (0..3).for_each(|_| assert_eq!(peer.send_to(b"1234", to).expect("sent"), 4));
        let sending_ns = clock_ns() - sent_ns;
        std::thread::sleep(Duration::from_millis(20));
        let mut take = |transport: u32, datagram: &mut [u8], arrival: Arrival| {
            assert_eq!((transport, &*datagram, arrival.is_noted), (7, b"1234".as_slice(), true));
            assert!(arrival.at_ns >= sent_ns, "{arrival:?} before {sent_ns}");
            measure.delay((0, 1), sent_ns, arrival.at_ns);
        };
        while sockets.receive(&mut take) {}
        assert!(clock_ns() - sent_ns >= 20_000_000);
        assert_eq!(measure.delay_ns.len(), 3);
        (measure.delay_ns.max(), sending_ns)
    }

    #[test]
    fn a_packet_that_waits_to_be_read_is_not_delayed_by_that() {
        for mode in [SocketMode::Shared, SocketMode::Own] {
            let (mut sockets, peer, from) = connected(mode);
            // The kernel begins to note arrivals a moment after the first socket of a machine has asked; until then it says when
            // they were read.
            let tries: Vec<_> =
                std::iter::repeat_with(|| longest_delay_ns(&mut sockets, &peer, from)).take(50).collect();
            // The histogram tells two digits apart.
            let is_short =
                |(delay_ns, sending_ns): &(u64, u64)| *delay_ns <= sending_ns + sending_ns / 50 + 100_000;
            let short = tries.iter().rev().take_while(|of| is_short(of)).count();
            assert!(short >= 10, "{mode:?}: delays and times of sending, in ns: {tries:?}");
        }
    }

    #[test]
    fn the_sockets_of_all_are_read_one_at_a_time_until_each_is_empty() {
        let (mut sockets, peer, from) = connected(SocketMode::Shared);
        (0..100).for_each(|_| assert_eq!(peer.send_to(b"12", from).expect("sent"), 2));
        let (mut reads, mut came) = (0, 0);
        loop {
            let before = came;
            let has_more = sockets.receive(&mut |_: u32, _: &mut [u8], _: Arrival| came += 1);
            assert!(came - before <= 32, "more than one batch at a time");
            reads += 1;
            if !has_more {
                break;
            }
        }
        assert_eq!(came, 100);
        assert!((7..=32).contains(&reads), "{reads} reads");
    }
}
