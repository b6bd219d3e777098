//! Addresses as the kernel writes them.

use std::{
    ffi::c_int,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use libc::{sockaddr_in, sockaddr_in6};

/// A peer's address; the IPv6 form is the longer one.
pub(super) type Name = sockaddr_in6;

pub(super) fn read_name(name: &Name) -> Option<SocketAddr> {
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
pub(super) fn write_name(name: &mut Name, remote: SocketAddr) -> usize {
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
            name.sin6_flowinfo = 0;
            name.sin6_addr.s6_addr = remote.ip().octets();
            name.sin6_scope_id = remote.scope_id();
            size_of::<sockaddr_in6>()
        }
    }
}
