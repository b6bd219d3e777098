//! The sockets of one shard: IPv4 and IPv6 on the same port number.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Features, MediaSocket, SystemSocket};
use crate::limits::{BIND_ATTEMPTS_MAX, SOCKET_BUFFER_BYTES};

/// One port, in one or both address families.
pub(crate) struct ShardSockets<S = SystemSocket> {
    pub port: u16,
    pub v4: Option<S>,
    pub v6: Option<S>,
}

/// Binds a shard's port; port 0 is any that is free in both families.
///
/// An address family that this machine does not have is left out with a warning, as long as the other one is there.
pub(crate) fn bind<S: MediaSocket>(
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    port: u16,
) -> io::Result<ShardSockets<S>> {
    let attempts = if port == 0 { BIND_ATTEMPTS_MAX } else { 1 };
    let mut taken = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for _ in 0..attempts {
        match bind_once(v4, v6, port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken = error,
            result => return result,
        }
    }
    Err(taken)
}

fn bind_once<S: MediaSocket>(
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    port: u16,
) -> io::Result<ShardSockets<S>> {
    let v4 = v4.map(|ip| open(SocketAddr::new(ip.into(), port))).transpose()?;
    let port = v4.as_ref().map_or(Ok(port), |socket| socket.local_addr().map(|address| address.port()))?;
    let v6 = match v6.map(|ip| open(SocketAddr::new(ip.into(), port))).transpose() {
        Err(error) if v4.is_some() && error.kind() != io::ErrorKind::AddrInUse => {
            tracing::warn!(%error, port, "no IPv6 media: the socket cannot be opened");
            None
        }
        result => result?,
    };
    let port = v6.as_ref().map_or(Ok(port), |socket| socket.local_addr().map(|address| address.port()))?;
    if v4.is_none() && v6.is_none() {
        return Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
    }
    let sockets = ShardSockets { port, v4: v4.map(S::new).transpose()?, v6: v6.map(S::new).transpose()? };
    for (family, socket) in [("IPv4", &sockets.v4), ("IPv6", &sockets.v6)] {
        if let Some(Features { batches, trains_in, trains_out, ecn }) = socket.as_ref().map(S::features) {
            tracing::info!(
                port,
                family,
                recvmmsg = batches,
                gro = trains_in,
                gso = trains_out,
                ecn,
                "media socket"
            );
        }
    }
    Ok(sockets)
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    enlarge_buffers(&socket, address.ip());
    Ok(socket.into())
}

/// Asks for large buffers and says which limit to raise where the kernel gives less. Media runs without them, only
/// with more loss when the machine is busy.
fn enlarge_buffers(socket: &Socket, address: IpAddr) {
    // Linux reports twice what is usable, for its own bookkeeping: socket(7).
    let overhead = if cfg!(target_os = "linux") { 2 } else { 1 };
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    for (bytes, sysctl) in
        [(socket.recv_buffer_size(), "net.core.rmem_max"), (socket.send_buffer_size(), "net.core.wmem_max")]
    {
        let bytes = bytes.unwrap_or(0) / overhead;
        if bytes < SOCKET_BUFFER_BYTES {
            tracing::warn!(%address, bytes, wanted = SOCKET_BUFFER_BYTES, "small UDP buffer: raise sysctl {sysctl}");
        }
    }
}
