//! `recvmmsg` and `sendmmsg`: many messages a system call, each with the local address that it was sent to or is to leave
//! from; trains of datagrams as one message in both directions where the kernel can (GRO, GSO).
//!
//! ECN (RFC 3168): marks that come in are counted. What leaves is not ECT: an SFU is the end of both legs, and a sender
//! may only set ECT where its receiver has agreed to report marks (RFC 6679 §7.2, RFC 8888), which browsers do not.

mod address;
mod control;
mod inbox;
mod outbox;

use std::{
    ffi::{c_int, c_void},
    io,
    net::{IpAddr, UdpSocket},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use media_engine::api::TransmitBuffer;

use super::{Batch, Features, MediaSocket};
use crate::io_counters::IoCounters;
pub(super) use inbox::Inbox;
use outbox::Outbox;

pub(crate) struct LinuxSocket {
    socket: UdpSocket,
    /// What a datagram's local address is, should the kernel not say.
    bound: IpAddr,
    features: Features,
    outbox: Outbox,
    receive_calls: u64,
    ecn_marked: u64,
}

impl MediaSocket for LinuxSocket {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?.ip();
        let (level, local, traffic_class) = match bound {
            IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, libc::IP_RECVTOS),
            IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, libc::IPV6_RECVTCLASS),
        };
        // A socket that is bound to one address gets nothing for another.
        if bound.is_unspecified() {
            set_option(&socket, level, local, 1)?;
        }
        let features = Features {
            batches: true,
            trains_in: set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok(),
            // No length for all: each message names its own.
            trains_out: set_option(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok(),
            ecn: set_option(&socket, level, traffic_class, 1).is_ok(),
        };
        let whole = bound.is_ipv4() && set_path_mtu(socket.as_fd(), libc::IP_PMTUDISC_DO).is_ok();
        let outbox = Outbox::new(features.trains_out, bound, whole);
        Ok(Self { socket, bound, features, outbox, receive_calls: 0, ecn_marked: 0 })
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn features(&self) -> Features {
        self.features
    }

    fn counters(&self) -> IoCounters {
        IoCounters {
            waits: 0,
            receive_calls: self.receive_calls,
            send_calls: self.outbox.calls,
            messages_sent: self.outbox.messages,
            ecn_marked: self.ecn_marked,
            trains_refused: self.outbox.trains_refused,
            sockets_with_gro: self.features.trains_in.into(),
            sockets_with_gso: self.features.trains_out.into(),
            sockets: 1,
        }
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        let Batch { inbox, messages, .. } = batch;
        self.receive_calls += 1;
        self.ecn_marked += inbox.receive(self.socket.as_fd(), self.bound, messages)?;
        Ok(())
    }

    fn send(&mut self, out: &TransmitBuffer) -> u64 {
        self.outbox.send(self.socket.as_fd(), self.bound.is_ipv4(), out)
    }
}

/// What becomes of a datagram that is longer than its path takes, `IP_PMTUDISC_…` of ip(7).
fn set_path_mtu(socket: BorrowedFd<'_>, discovery: c_int) -> io::Result<()> {
    set_option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discovery)
}

fn set_option(socket: &impl AsRawFd, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the option's value is an int that lives across the call.
    let result = unsafe {
        let value = (&raw const value).cast::<c_void>();
        libc::setsockopt(socket.as_raw_fd(), level, option, value, size_of::<c_int>() as libc::socklen_t)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
