//! A few sockets for all transports of a thread; each transport has a source address of its own in 127.0.0.0/8.

use std::{
    collections::HashMap,
    io,
    mem::zeroed,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd as _, OwnedFd},
};

use super::{
    Outbox, Receiving, Route, Take,
    message::{MESSAGES as MESSAGES_IN, SendControl, write_controls},
    option, sockaddr, socket,
};

/// Sockets a thread: a socket's receive queue is walked in order, and a few keep locks apart.
const SOCKETS: usize = 4;
const BUFFER_BYTES: i32 = 32 << 20;
/// Messages of one `sendmmsg`.
const MESSAGES: usize = 64;

/// Sockets for everybody.
pub struct SharedSockets {
    sockets: Vec<OwnedFd>,
    /// Which is read next, and how many in a row were empty.
    next: usize,
    empty: usize,
    worker: u8,
    routes: HashMap<u32, (SocketAddrV4, Ipv4Addr)>,
    /// The transport of each address, by the address's lower 22 bits less one.
    by_address: Vec<Option<u32>>,
    receiving: Receiving,
    headers: Box<[libc::mmsghdr]>,
    vectors: Box<[libc::iovec]>,
    controls: Box<[SendControl]>,
    names: Box<[libc::sockaddr_in]>,
}

/// Addresses a thread can give away.
const ADDRESSES_MAX: usize = 1 << 18;

impl SharedSockets {
    pub(super) fn open(gro: bool, worker: u8) -> io::Result<Self> {
        let sockets: Vec<OwnedFd> = (0..SOCKETS).map(|_| bound(gro)).collect::<io::Result<Vec<OwnedFd>>>()?;
        // SAFETY: all zeros is a valid value of each of these structures of the C interface.
        let (header, vector, name): (libc::mmsghdr, libc::iovec, libc::sockaddr_in) =
            unsafe { (zeroed(), zeroed(), zeroed()) };
        Ok(Self {
            sockets,
            next: 0,
            empty: 0,
            worker,
            routes: HashMap::new(),
            by_address: Vec::new(),
            receiving: Receiving::new(),
            headers: vec![header; MESSAGES].into(),
            vectors: vec![vector; MESSAGES].into(),
            controls: vec![[0; 8]; MESSAGES].into(),
            names: vec![name; MESSAGES].into(),
        })
    }

    /// 127.64.0.0/10, a /14 for each thread.
    fn address(&self, place: usize) -> Ipv4Addr {
        let base = u32::from(Ipv4Addr::new(127, 64, 0, 0)) + (u32::from(self.worker & 15) << 18);
        Ipv4Addr::from(base + place as u32 + 1)
    }

    pub(super) fn add(&mut self, route: Route) -> io::Result<()> {
        let place = match self.by_address.iter().position(Option::is_none) {
            Some(place) if self.by_address.len() > 4 * self.routes.len() => place,
            _ => self.by_address.len(),
        };
        if place + 2 >= ADDRESSES_MAX {
            return Err(io::Error::other("no source address is left"));
        }
        if place == self.by_address.len() {
            self.by_address.push(None);
        }
        self.by_address[place] = Some(route.transport);
        self.routes.insert(route.transport, (route.remote, self.address(place)));
        Ok(())
    }

    pub(super) fn remove(&mut self, transport: u32) {
        if self.routes.remove(&transport).is_some() {
            self.by_address.iter_mut().filter(|of| **of == Some(transport)).for_each(|of| *of = None);
        }
    }

    /// Reads one of the sockets; false once each in turn was found empty.
    pub(super) fn receive(&mut self, take: &mut impl Take) -> bool {
        let base = u32::from(self.address(0));
        let by_address = &self.by_address;
        let Some(socket) = self.sockets.get(self.next) else { return false };
        let has_more = self.receiving.receive(socket);
        let transport_of = |local: Option<Ipv4Addr>| {
            let place = u32::from(local?).wrapping_sub(base) as usize;
            by_address.get(place).copied().flatten()
        };
        let mut transports = [None; MESSAGES_IN];
        for (transport, local) in transports.iter_mut().zip(self.receiving.locals()) {
            *transport = transport_of(local);
        }
        take.expect(transports.iter().copied().flatten());
        for (message, datagram, arrival) in self.receiving.datagrams() {
            if let Some(transport) = transports.get(message).copied().flatten() {
                take.take(transport, datagram, arrival);
            }
        }
        self.next = (self.next + 1) % SOCKETS;
        self.empty = if has_more { 0 } else { self.empty + 1 };
        if self.empty >= SOCKETS {
            self.empty = 0;
            return false;
        }
        true
    }

    pub(super) fn send(&mut self, outbox: &Outbox) -> u64 {
        let mut refused = 0;
        for (which, _) in self.sockets.iter().enumerate() {
            let mut trains = outbox
                .trains()
                .iter()
                .filter(|train| train.transport as usize % SOCKETS == which)
                .filter_map(|train| Some((train, self.routes.get(&train.transport)?)));
            loop {
                let (mut count, mut packets) = (0, 0);
                let slots = self.headers.iter_mut().zip(&mut self.vectors).zip(&mut self.controls);
                for (((header, vector), control), name) in slots.zip(&mut self.names) {
                    let Some((train, (remote, local))) = trains.next() else { break };
                    let bytes = outbox.bytes(train);
                    *vector =
                        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
                    *name = sockaddr(*remote);
                    let header = &mut header.msg_hdr;
                    header.msg_iov = vector;
                    header.msg_iovlen = 1;
                    header.msg_name = std::ptr::from_mut(name).cast();
                    header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
                    let segment = (train.length > train.segment).then_some(train.segment as u16);
                    write_controls(header, control, Some(*local), segment);
                    count += 1;
                    packets += (train.length / train.segment.max(1)) as u64;
                }
                if count == 0 {
                    break;
                }
                // SAFETY: the first `count` headers point at buffers of this struct and of the outbox.
                let sent = unsafe {
                    libc::sendmmsg(self.sockets[which].as_raw_fd(), self.headers.as_mut_ptr(), count, 0)
                };
                if sent < count as i32 {
                    refused += packets * (count as u64 - sent.max(0) as u64) / u64::from(count);
                }
            }
        }
        refused
    }
}

fn bound(gro: bool) -> io::Result<OwnedFd> {
    let socket = socket(gro, BUFFER_BYTES)?;
    option(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
    let any = sockaddr(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the address lives on the stack and its length is told.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const any).cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}
