//! One connected socket a transport, watched by epoll.

use std::{
    collections::HashMap,
    io,
    mem::zeroed,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use super::{
    Outbox, Receiving, Route, Take,
    message::{SendControl, write_controls},
    sockaddr, socket,
};

const BUFFER_BYTES: i32 = 1 << 20;
/// Sockets that are read before the caller may do something else.
const EVENTS: usize = 32;

/// One socket a transport.
pub struct OwnSockets {
    gro: bool,
    epoll: OwnedFd,
    sockets: HashMap<u32, OwnedFd>,
    receiving: Receiving,
    events: Box<[libc::epoll_event]>,
}

impl OwnSockets {
    pub(super) fn open(gro: bool) -> io::Result<Self> {
        // SAFETY: takes an integer; the descriptor that it returns belongs to nobody yet.
        let epoll = unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS].into();
        Ok(Self { gro, epoll, sockets: HashMap::new(), receiving: Receiving::new(), events })
    }

    pub(super) fn add(&mut self, route: Route) -> io::Result<()> {
        let socket = socket(self.gro, BUFFER_BYTES)?;
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: u64::from(route.transport) };
        // SAFETY: the addresses and the event live on the stack and their lengths are told.
        let failed = unsafe {
            let bound = route.local.map_or(0, |local| {
                let local = sockaddr(std::net::SocketAddrV4::new(local, 0));
                libc::bind(socket.as_raw_fd(), (&raw const local).cast(), length)
            });
            let remote = sockaddr(route.remote);
            bound < 0
                || libc::connect(socket.as_raw_fd(), (&raw const remote).cast(), length) < 0
                || libc::epoll_ctl(
                    self.epoll.as_raw_fd(),
                    libc::EPOLL_CTL_ADD,
                    socket.as_raw_fd(),
                    &raw mut event,
                ) < 0
        };
        if failed {
            return Err(io::Error::last_os_error());
        }
        self.sockets.insert(route.transport, socket);
        Ok(())
    }

    pub(super) fn remove(&mut self, transport: u32) {
        // Closing takes it out of epoll, too.
        self.sockets.remove(&transport);
    }

    pub(super) fn receive(&mut self, take: &mut impl Take) -> bool {
        // SAFETY: the buffer has room for as many events as are told.
        let ready =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), self.events.as_mut_ptr(), EVENTS as i32, 0) };
        let ready = usize::try_from(ready).unwrap_or(0);
        for event in self.events.iter().take(ready) {
            let transport = event.u64 as u32;
            let Some(socket) = self.sockets.get(&transport) else { continue };
            self.receiving.receive(socket);
            for (_, datagram, arrival) in self.receiving.datagrams() {
                take.take(transport, datagram, arrival);
            }
        }
        ready > 0
    }

    pub(super) fn send(&mut self, outbox: &Outbox) -> u64 {
        let mut refused = 0;
        for train in outbox.trains() {
            let Some(socket) = self.sockets.get(&train.transport) else { continue };
            let bytes = outbox.bytes(train);
            let mut vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            let mut control: SendControl = [0; 8];
            // SAFETY: all zeros is a valid header; it points at buffers that outlive the call.
            let sent = unsafe {
                let mut header: libc::msghdr = zeroed();
                header.msg_iov = &raw mut vector;
                header.msg_iovlen = 1;
                let segment = (train.length > train.segment).then_some(train.segment as u16);
                write_controls(&mut header, &mut control, None, segment);
                libc::sendmsg(socket.as_raw_fd(), &raw const header, 0)
            };
            if sent < 0 {
                refused += (train.length / train.segment.max(1)) as u64;
            }
        }
        refused
    }
}
