//! The fallback: one system call a datagram. The local address is known only where the socket is bound to one.

use std::{
    io,
    net::{IpAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
};

use media_engine::api::TransmitBuffer;
use media_model::limits::DATAGRAM_BYTES_MAX;

use super::{Batch, MediaSocket, Meta, is_of_the_path};

pub(crate) struct PortableSocket {
    socket: UdpSocket,
    local: IpAddr,
}

impl MediaSocket for PortableSocket {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?.ip();
        Ok(Self { socket, local })
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.metas.clear();
        for (place, bytes) in batch.bytes.chunks_exact_mut(DATAGRAM_BYTES_MAX).enumerate() {
            match self.socket.recv_from(bytes) {
                Ok((length, remote)) => batch.metas.push(Meta { place, length, remote, local: self.local }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted || is_of_the_path(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send(&mut self, out: &TransmitBuffer) -> u64 {
        let ours = out.iter().filter(|(transmit, _)| transmit.remote.is_ipv4() == self.local.is_ipv4());
        ours.filter(|(transmit, bytes)| self.send_one(transmit.remote, bytes).is_err()).count() as u64
    }
}

impl PortableSocket {
    fn send_one(&self, remote: std::net::SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.send_to(bytes, remote) {
            // The error of an earlier datagram is told once; this one has not been tried yet.
            Err(error) if error.kind() == io::ErrorKind::Interrupted || is_of_the_path(&error) => {
                self.socket.send_to(bytes, remote)
            }
            result => result,
        }
    }
}
