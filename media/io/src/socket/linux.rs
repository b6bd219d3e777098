//! `recvmmsg` and `sendmmsg`: many datagrams a system call, each with the local address that it was sent to or is to
//! leave from (`IP_PKTINFO`, RFC 3542 §6.1).

use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use libc::{c_int, c_void, cmsghdr, iovec, mmsghdr, sockaddr_in, sockaddr_in6};
use media_engine::api::{Transmit, TransmitBuffer};
use media_model::limits::DATAGRAM_BYTES_MAX;

use super::{Batch, MediaSocket, Meta, is_of_the_path};
use crate::limits::{RECEIVE_BATCH, SEND_BATCH};

/// A peer's address as the kernel writes it; the IPv6 form is the longer one.
type Name = sockaddr_in6;

/// Room for one `in_pktinfo` or `in6_pktinfo` with its header.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 64]);

pub(crate) struct LinuxSocket {
    socket: UdpSocket,
    /// What a datagram's local address is, should the kernel not say.
    bound: IpAddr,
}

impl MediaSocket for LinuxSocket {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?.ip();
        let (level, option) = match bound {
            IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
            IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        };
        let on: c_int = 1;
        // SAFETY: the option's value is an int that lives across the call.
        let result = unsafe {
            let value = (&raw const on).cast::<c_void>();
            libc::setsockopt(socket.as_raw_fd(), level, option, value, size_of::<c_int>() as libc::socklen_t)
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { socket, bound })
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.metas.clear();
        // SAFETY: all of these are plain C structures for which zeroes are valid.
        let (mut names, mut iovecs, mut headers): (
            [Name; RECEIVE_BATCH],
            [iovec; RECEIVE_BATCH],
            [mmsghdr; RECEIVE_BATCH],
        ) = unsafe { zeroed() };
        let mut controls = [Control([0; 64]); RECEIVE_BATCH];
        let places = batch.bytes.chunks_exact_mut(DATAGRAM_BYTES_MAX);
        for ((((header, iovec), name), control), place) in
            headers.iter_mut().zip(&mut iovecs).zip(&mut names).zip(&mut controls).zip(places)
        {
            *iovec = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
            point(header, name, size_of::<Name>(), iovec, control, size_of::<Control>());
        }
        let count = loop {
            // SAFETY: every header points at a name, a control buffer and one iovec that outlive the call.
            let count = unsafe {
                let (fd, length) = (self.socket.as_raw_fd(), headers.len() as u32);
                libc::recvmmsg(fd, headers.as_mut_ptr(), length, libc::MSG_DONTWAIT, std::ptr::null_mut())
            };
            if count >= 0 {
                break count as usize;
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(()),
                io::ErrorKind::Interrupted => {}
                _ if is_of_the_path(&error) => {}
                _ => return Err(error),
            }
        };
        for (place, (header, name)) in headers.iter().zip(&names).take(count).enumerate() {
            let Some(remote) = remote_of(name) else { continue };
            let local = local_of(&header.msg_hdr).unwrap_or(self.bound);
            let length = (header.msg_len as usize).min(DATAGRAM_BYTES_MAX);
            batch.metas.push(Meta { place, length, remote, local });
        }
        Ok(())
    }

    fn send(&mut self, out: &TransmitBuffer) -> u64 {
        let is_ipv4 = self.bound.is_ipv4();
        let mut ours = out.iter().filter(|(transmit, _)| transmit.remote.is_ipv4() == is_ipv4).peekable();
        let mut refused = 0;
        while ours.peek().is_some() {
            refused += self.send_chunk(ours.by_ref().take(SEND_BATCH));
        }
        refused
    }
}

impl LinuxSocket {
    fn send_chunk<'a>(&self, transmits: impl Iterator<Item = (&'a Transmit, &'a [u8])>) -> u64 {
        // SAFETY: all of these are plain C structures for which zeroes are valid.
        let (mut names, mut iovecs, mut headers): (
            [Name; SEND_BATCH],
            [iovec; SEND_BATCH],
            [mmsghdr; SEND_BATCH],
        ) = unsafe { zeroed() };
        let mut controls = [Control([0; 64]); SEND_BATCH];
        let mut count = 0;
        for (((((transmit, bytes), header), iovec), name), control) in
            transmits.zip(&mut headers).zip(&mut iovecs).zip(&mut names).zip(&mut controls)
        {
            // The kernel only reads what a sent iovec points at.
            *iovec = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            let name_length = write_name(name, transmit.remote);
            let control_length = write_source(control, transmit.local);
            point(header, name, name_length, iovec, control, control_length);
            count += 1;
        }
        self.send_all(headers.get_mut(..count).unwrap_or_default())
    }

    /// Sends prepared headers, goes on behind one that is refused, and returns how many were.
    fn send_all(&self, mut headers: &mut [mmsghdr]) -> u64 {
        let mut refused = 0;
        let mut tried_again = false;
        while !headers.is_empty() {
            // SAFETY: every header points at a name, a control message and one iovec that outlive the call.
            let sent = unsafe {
                let (fd, length) = (self.socket.as_raw_fd(), headers.len() as u32);
                libc::sendmmsg(fd, headers.as_mut_ptr(), length, libc::MSG_DONTWAIT)
            };
            let done = if sent > 0 {
                sent as usize
            } else {
                let error = io::Error::last_os_error();
                match error.kind() {
                    io::ErrorKind::Interrupted => 0,
                    // The socket's buffer is full: whatever else is offered now is refused as well.
                    io::ErrorKind::WouldBlock => return refused + headers.len() as u64,
                    // The error of an earlier datagram is told once; this one has not been tried yet.
                    _ if is_of_the_path(&error) && !tried_again => {
                        tried_again = true;
                        continue;
                    }
                    _ => {
                        refused += 1;
                        1
                    }
                }
            };
            tried_again = false;
            headers = headers.get_mut(done..).unwrap_or_default();
        }
        refused
    }
}

fn point(
    header: &mut mmsghdr,
    name: &mut Name,
    name_length: usize,
    iovec: &mut iovec,
    control: &mut Control,
    control_length: usize,
) {
    header.msg_hdr.msg_name = (&raw mut *name).cast();
    header.msg_hdr.msg_namelen = name_length as libc::socklen_t;
    header.msg_hdr.msg_iov = iovec;
    header.msg_hdr.msg_iovlen = 1;
    header.msg_hdr.msg_control = (&raw mut *control).cast();
    header.msg_hdr.msg_controllen = control_length as _;
}

fn remote_of(name: &Name) -> Option<SocketAddr> {
    match c_int::from(name.sin6_family) {
        libc::AF_INET => {
            // SAFETY: the kernel wrote a sockaddr_in, which is shorter than the room it was given.
            let name = unsafe { &*(&raw const *name).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddr::new(ip.into(), u16::from_be(name.sin_port)))
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            // The flow label is left out: it is no part of who the peer is.
            Some(SocketAddrV6::new(ip, u16::from_be(name.sin6_port), 0, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Writes the receiver; returns how long the name is.
fn write_name(name: &mut Name, remote: SocketAddr) -> usize {
    match remote {
        SocketAddr::V4(remote) => {
            // SAFETY: a sockaddr_in is shorter than a sockaddr_in6 and no stricter in its alignment.
            let name = unsafe { &mut *(&raw mut *name).cast::<sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = remote.port().to_be();
            name.sin_addr.s_addr = u32::from(*remote.ip()).to_be();
            size_of::<sockaddr_in>()
        }
        SocketAddr::V6(remote) => {
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = remote.port().to_be();
            name.sin6_addr.s6_addr = remote.ip().octets();
            name.sin6_scope_id = remote.scope_id();
            size_of::<sockaddr_in6>()
        }
    }
}

/// The local address that a datagram was sent to.
fn local_of(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel filled the control buffer of this header and set its length.
    unsafe {
        let mut at: *const cmsghdr = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = at.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (message.cmsg_level, message.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = data.cast::<libc::in_pktinfo>().read_unaligned();
                    return Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                _ => at = libc::CMSG_NXTHDR(header, message),
            }
        }
    }
    None
}

/// Writes the address to send from; returns how long the control message is. All zeroes leave it to the kernel.
fn write_source(control: &mut Control, local: IpAddr) -> usize {
    match local {
        IpAddr::V4(local) => {
            let address = libc::in_addr { s_addr: u32::from(local).to_be() };
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: address,
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            write_control(control, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
        }
        IpAddr::V6(local) => {
            let info =
                libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: local.octets() }, ipi6_ifindex: 0 };
            write_control(control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
        }
    }
}

fn write_control<T: Copy>(control: &mut Control, level: c_int, kind: c_int, value: T) -> usize {
    let length = size_of::<T>() as u32;
    // SAFETY: CMSG_SPACE of either pktinfo is at most 40 bytes; the buffer has 64 and is aligned for a cmsghdr.
    unsafe {
        let message = (&raw mut *control).cast::<cmsghdr>();
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(length) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
        libc::CMSG_SPACE(length) as usize
    }
}
