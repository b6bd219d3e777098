//! Out: one `sendmmsg` a batch, whose messages are trains that the kernel cuts up (`UDP_SEGMENT`, udp(7)).
//!
//! Where the kernel refuses a train (no checksum offload on the way, datagrams larger than the path takes), its datagrams
//! are sent one by one, and so is everything to that receiver from then on.
//!
//! Where the socket may, it marks IPv4 datagrams as whole (`IP_PMTUDISC_DO`): the kernel then spares the identification that
//! only fragments need, 2 to 5 % of all that a packet costs. What a path does not take in one piece goes in fragments even so.

use std::{
    io,
    mem::zeroed,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd},
};

use libc::{iovec, mmsghdr};
use media_engine::api::{Transmit, TransmitBuffer};

use super::{
    address::{Name, read_name, write_name},
    control::{self, Control},
    set_path_mtu,
};
use crate::{
    limits::{TRAIN_REFUSERS_MAX, TRANSMIT_DATAGRAMS},
    socket::{
        is_of_the_path,
        trains::{Train, Trains},
    },
};

pub(super) struct Outbox {
    trains: Trains,
    headers: Box<[mmsghdr]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    iovecs: Box<[iovec]>,
    /// Whether this kernel knows `UDP_SEGMENT`.
    has_trains: bool,
    /// Receivers to which the kernel sends no trains.
    refusers: Vec<SocketAddr>,
    pub calls: u64,
    pub messages: u64,
    pub trains_refused: u64,
    /// The address that datagrams leave from unasked, if the socket is bound to one.
    bound: Option<IpAddr>,
    /// Whether the socket sends nothing in fragments unless it is asked to.
    whole: bool,
}

// SAFETY: the headers point at boxes of this struct, which move along, or are written anew before each call.
unsafe impl Send for Outbox {}

impl Outbox {
    pub fn new(has_trains: bool, bound: IpAddr, whole: bool) -> Self {
        // SAFETY: plain C structures for which zeroes are valid.
        let (name, iovec, header): (Name, iovec, mmsghdr) = unsafe { (zeroed(), zeroed(), zeroed()) };
        Self {
            trains: Trains::new(),
            headers: vec![header; TRANSMIT_DATAGRAMS].into(),
            names: vec![name; TRANSMIT_DATAGRAMS].into(),
            controls: vec![Control::EMPTY; TRANSMIT_DATAGRAMS].into(),
            iovecs: vec![iovec; TRANSMIT_DATAGRAMS].into(),
            has_trains,
            refusers: Vec::new(),
            calls: 0,
            messages: 0,
            trains_refused: 0,
            bound: Some(bound).filter(|bound| !bound.is_unspecified()),
            whole,
        }
    }

    /// Sends what is of this address family; returns how many datagrams were refused.
    pub fn send(&mut self, socket: BorrowedFd<'_>, is_ipv4: bool, out: &TransmitBuffer) -> u64 {
        let mut refused = 0;
        let mut transmits = out.transmits();
        // A buffer larger than ours is sent in parts.
        while !transmits.is_empty() {
            let (part, rest) = transmits.split_at(transmits.len().min(TRANSMIT_DATAGRAMS));
            let (has_trains, refusers) = (self.has_trains, &self.refusers);
            self.trains.form(
                part,
                |transmit| transmit.remote.is_ipv4() == is_ipv4,
                |transmit| has_trains && !refusers.contains(&transmit.remote),
            );
            self.messages += self.trains.trains().len() as u64;
            self.prepare(part, out);
            refused += self.send_prepared(socket, part, out);
            transmits = rest;
        }
        refused
    }

    fn prepare(&mut self, transmits: &[Transmit], out: &TransmitBuffer) {
        let mut iovecs = &mut self.iovecs[..];
        for (((train, header), name), control) in
            self.trains.trains().iter().zip(&mut self.headers).zip(&mut self.names).zip(&mut self.controls)
        {
            let mut pieces = 0;
            let mut end = 0;
            let mut way = None;
            for transmit in self.trains.datagrams(train, transmits) {
                way.get_or_insert((transmit.remote, transmit.local));
                let bytes = out.bytes(transmit);
                // What lies together in the buffer is one piece.
                if pieces > 0 && end == transmit.offset {
                    iovecs[pieces - 1].iov_len += bytes.len();
                } else {
                    // The kernel only reads what a sent iovec points at.
                    let iov_base = bytes.as_ptr().cast_mut().cast();
                    iovecs[pieces] = iovec { iov_base, iov_len: bytes.len() };
                    pieces += 1;
                }
                end = transmit.offset + transmit.length;
            }
            let Some((remote, local)) = way else { continue };
            let (used, free) = iovecs.split_at_mut(pieces);
            iovecs = free;
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut *name).cast();
            header.msg_namelen = write_name(name, remote) as _;
            header.msg_iov = used.as_mut_ptr();
            header.msg_iovlen = used.len() as _;
            let source = Some(local).filter(|local| self.bound != Some(*local));
            let segment = (train.datagrams > 1).then_some(train.segment as u16);
            header.msg_control = (&raw mut *control).cast();
            header.msg_controllen = control::write(control, source, segment) as _;
        }
    }

    /// Sends what is prepared, goes on behind what is refused, and returns how many datagrams were.
    fn send_prepared(&mut self, socket: BorrowedFd<'_>, transmits: &[Transmit], out: &TransmitBuffer) -> u64 {
        let (mut done, mut refused, mut tried_again) = (0, 0, false);
        while let Some(train) = self.trains.trains().get(done).copied() {
            self.calls += 1;
            // SAFETY: as many headers as trains were written; each points at a name, a control buffer and iovecs of ours.
            let sent = unsafe {
                let left = (self.trains.trains().len() - done) as u32;
                let headers = self.headers[done..].as_mut_ptr();
                libc::sendmmsg(socket.as_raw_fd(), headers, left, libc::MSG_DONTWAIT as _)
            };
            if sent > 0 {
                (done, tried_again) = (done + sent as usize, false);
                continue;
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => continue,
                // The socket's buffer is full: whatever else is offered now is refused as well.
                io::ErrorKind::WouldBlock => {
                    let left = self.trains.trains()[done..].iter();
                    return refused + left.map(|train| train.datagrams as u64).sum::<u64>();
                }
                // The error of an earlier datagram is told once; this one has not been tried yet.
                _ if is_of_the_path(&error) && !tried_again => {
                    tried_again = true;
                    continue;
                }
                _ if train.datagrams > 1 && is_of_the_train(&error) => {
                    refused += self.send_singly(socket, done, &train, transmits, out);
                    self.note_refusal(done, &error);
                }
                _ if is_of_the_length(&error) => refused += u64::from(!self.send_in_fragments(socket, done)),
                _ => refused += train.datagrams as u64,
            }
            (done, tried_again) = (done + 1, false);
        }
        refused
    }

    /// Sends a train's datagrams by a call each; returns how many were refused even so.
    fn send_singly(
        &mut self,
        socket: BorrowedFd<'_>,
        place: usize,
        train: &Train,
        transmits: &[Transmit],
        out: &TransmitBuffer,
    ) -> u64 {
        let mut refused = 0;
        let mut position = train.first();
        while let Some(transmit) = transmits.get(position) {
            position = self.trains.after(position);
            let bytes = out.bytes(transmit);
            let mut iovec = iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            let header = &mut self.headers[place].msg_hdr;
            let source = Some(transmit.local).filter(|local| self.bound != Some(*local));
            header.msg_iov = &raw mut iovec;
            header.msg_iovlen = 1;
            header.msg_controllen = control::write(&mut self.controls[place], source, None) as _;
            let is_sent = self.send_one(socket, place)
                || is_of_the_length(&io::Error::last_os_error()) && self.send_in_fragments(socket, place);
            refused += u64::from(!is_sent);
        }
        refused
    }

    /// Sends what one header holds by a call of its own; `errno` tells why not.
    fn send_one(&mut self, socket: BorrowedFd<'_>, place: usize) -> bool {
        self.calls += 1;
        // SAFETY: the header points at a name, a control buffer and iovecs of ours that outlive the call.
        unsafe { libc::sendmsg(socket.as_raw_fd(), &self.headers[place].msg_hdr, libc::MSG_DONTWAIT) >= 0 }
    }

    /// The same for a datagram that is longer than the path to its receiver takes in one piece.
    fn send_in_fragments(&mut self, socket: BorrowedFd<'_>, place: usize) -> bool {
        if !self.whole || set_path_mtu(socket, libc::IP_PMTUDISC_WANT).is_err() {
            return false;
        }
        let is_sent = self.send_one(socket, place);
        self.whole = set_path_mtu(socket, libc::IP_PMTUDISC_DO).is_ok();
        is_sent
    }

    /// From now on this receiver gets no trains; when too many are like that, nobody does.
    fn note_refusal(&mut self, place: usize, error: &io::Error) {
        self.trains_refused += 1;
        let Some(remote) = read_name(&self.names[place]) else { return };
        if self.refusers.len() < TRAIN_REFUSERS_MAX {
            tracing::debug!(%error, "the kernel sends no trains to a receiver");
            self.refusers.push(remote);
        } else if self.has_trains {
            tracing::warn!(%error, "no UDP segmentation any more: the kernel refuses it to many receivers");
            self.has_trains = false;
        }
    }
}

fn is_of_the_length(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

/// Whether the datagrams of a train may leave one by one although the train may not: EMSGSIZE where one is larger than
/// the path takes in one piece, EINVAL and EIO where checksums cannot be left to the device.
fn is_of_the_train(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::EINVAL | libc::EIO | libc::EOPNOTSUPP))
}
