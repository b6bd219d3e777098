//! The fallback: one system call a datagram. The local address is known only where the socket is bound to one.

use std::{
    io,
    net::{IpAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
};

use media_engine::api::TransmitBuffer;

use super::{Batch, Features, MediaSocket, batch::Message, is_of_the_path};
use crate::{io_counters::IoCounters, limits::RECEIVE_PLACE_BYTES};

pub(crate) struct PortableSocket {
    socket: UdpSocket,
    local: IpAddr,
    receive_calls: u64,
    send_calls: u64,
}

impl MediaSocket for PortableSocket {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?.ip();
        Ok(Self { socket, local, receive_calls: 0, send_calls: 0 })
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn features(&self) -> Features {
        Features::default()
    }

    fn counters(&self) -> IoCounters {
        let (receive_calls, send_calls) = (self.receive_calls, self.send_calls);
        IoCounters {
            receive_calls,
            send_calls,
            messages_sent: send_calls,
            sockets: 1,
            ..IoCounters::default()
        }
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.messages.clear();
        for bytes in batch.bytes.chunks_exact_mut(RECEIVE_PLACE_BYTES) {
            self.receive_calls += 1;
            match self.socket.recv_from(bytes) {
                Ok((length, remote)) => {
                    batch.messages.push(Message { length, segment: length, remote, local: self.local });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // This place stays empty; what follows is in the next.
                Err(error) if error.kind() == io::ErrorKind::Interrupted || is_of_the_path(&error) => {
                    let remote = (self.local, 0).into();
                    batch.messages.push(Message { length: 0, segment: 0, remote, local: self.local });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send(&mut self, out: &TransmitBuffer) -> u64 {
        let ours = out.iter().filter(|(transmit, _)| transmit.remote.is_ipv4() == self.local.is_ipv4());
        let (mut calls, mut refused) = (0, 0);
        for (transmit, bytes) in ours {
            calls += 1;
            refused += u64::from(self.send_one(transmit.remote, bytes).is_err());
        }
        self.send_calls += calls;
        refused
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
