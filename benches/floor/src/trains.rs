//! Out by `sendmmsg`: all packets of a batch to one receiver that are equally long form one message, which the kernel
//! cuts up (`UDP_SEGMENT`).

use std::{io, mem::zeroed, net::UdpSocket, os::fd::AsRawFd};

use libc::{iovec, mmsghdr};

use crate::members::Member;

const ARENA_BYTES: usize = 1 << 20;
/// One call takes no more messages (`UIO_MAXIOV`).
const TRAINS_MAX: usize = 1024;
const PIECES_MAX: usize = 1024;
/// What every kernel since 4.18 takes.
const TRAIN_PACKETS_MAX: usize = 64;
const TRAIN_BYTES_MAX: usize = 65_507;
/// `CMSG_SPACE(2)`.
const CONTROL_BYTES: usize = 24;
const NONE: u32 = u32::MAX;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

struct Train {
    name: *const libc::sockaddr_in,
    size: usize,
    bytes: usize,
    packets: usize,
    first: u32,
    last: u32,
}

/// Bytes that lie together in the arena.
struct Piece {
    offset: usize,
    length: usize,
    next: u32,
}

pub struct Trains {
    arena: Box<[u8]>,
    used: usize,
    trains: Vec<Train>,
    pieces: Vec<Piece>,
    /// By receiver: the batch, and the train that its next packet may join.
    open: Vec<(u32, u32)>,
    batch: u32,
    iovecs: Box<[iovec]>,
    controls: Box<[Control]>,
    headers: Box<[mmsghdr]>,
    gso: bool,
    flags: libc::c_int,
    pub calls: u64,
    pub messages: u64,
    pub refused: u64,
}

impl Trains {
    pub fn new(gso: bool, zerocopy: bool) -> Self {
        // SAFETY: plain C structures for which zeroes are valid.
        let (iovecs, headers) =
            unsafe { (vec![zeroed(); PIECES_MAX].into(), vec![zeroed(); TRAINS_MAX].into()) };
        Self {
            arena: vec![0; ARENA_BYTES].into(),
            used: 0,
            trains: Vec::with_capacity(TRAINS_MAX),
            pieces: Vec::with_capacity(PIECES_MAX),
            open: Vec::new(),
            batch: 1,
            iovecs,
            controls: vec![Control([0; CONTROL_BYTES]); TRAINS_MAX].into(),
            headers,
            gso,
            flags: if zerocopy { libc::MSG_ZEROCOPY } else { 0 },
            calls: 0,
            messages: 0,
            refused: 0,
        }
    }

    /// Whether so many packets of so many bytes still fit.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.used + bytes <= self.arena.len()
            && self.pieces.len() < PIECES_MAX
            && self.trains.len() < TRAINS_MAX
    }

    /// Room for one packet to a receiver. The caller has asked whether there is any.
    pub fn push(&mut self, number: u32, member: &Member, length: usize) -> &mut [u8] {
        let (offset, place) = (self.used, number as usize);
        if self.open.len() <= place {
            self.open.resize(place + 1, (0, NONE));
        }
        let (batch, open) = self.open[place];
        let train = if batch == self.batch { self.trains.get_mut(open as usize) } else { None };
        match train {
            Some(train)
                if self.gso
                    && length <= train.size
                    && train.bytes == train.size * train.packets
                    && train.packets < TRAIN_PACKETS_MAX
                    && train.bytes + length <= TRAIN_BYTES_MAX =>
            {
                train.bytes += length;
                train.packets += 1;
                let piece = self.pieces.len() as u32;
                let last = &mut self.pieces[train.last as usize];
                if last.offset + last.length == offset {
                    last.length += length;
                } else {
                    (last.next, train.last) = (piece, piece);
                    self.pieces.push(Piece { offset, length, next: NONE });
                }
            }
            _ => {
                let piece = self.pieces.len() as u32;
                self.open[place] = (self.batch, self.trains.len() as u32);
                self.pieces.push(Piece { offset, length, next: NONE });
                let name = &raw const member.name;
                let train =
                    Train { name, size: length, bytes: length, packets: 1, first: piece, last: piece };
                self.trains.push(train);
            }
        }
        self.used += length;
        &mut self.arena[offset..offset + length]
    }

    pub fn flush(&mut self, socket: &UdpSocket) {
        self.prepare();
        let mut done = 0;
        while done < self.trains.len() {
            // SAFETY: every header points at a member's name, a control buffer and iovecs into the arena; nobody
            // registers between a push and the flush.
            let sent = unsafe {
                let (fd, left) = (socket.as_raw_fd(), (self.trains.len() - done) as u32);
                libc::sendmmsg(fd, self.headers.as_mut_ptr().add(done), left, self.flags as _)
            };
            self.calls += 1;
            if sent <= 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                self.refused += self.trains[done].packets as u64;
                done += 1;
            }
            done += sent.max(0) as usize;
        }
        self.messages += self.trains.len() as u64;
        self.trains.clear();
        self.pieces.clear();
        self.used = 0;
        self.batch = self.batch.wrapping_add(1);
    }

    fn prepare(&mut self) {
        let mut at = 0;
        for ((train, header), control) in self.trains.iter().zip(&mut self.headers).zip(&mut self.controls) {
            let (first, mut piece) = (at, train.first);
            while let Some(found) = self.pieces.get(piece as usize) {
                let base = self.arena[found.offset..].as_ptr().cast_mut().cast();
                self.iovecs[at] = iovec { iov_base: base, iov_len: found.length };
                (at, piece) = (at + 1, found.next);
            }
            let header = &mut header.msg_hdr;
            header.msg_name = train.name.cast_mut().cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as _;
            header.msg_iov = self.iovecs[first..].as_mut_ptr();
            header.msg_iovlen = at - first;
            header.msg_control = std::ptr::null_mut();
            header.msg_controllen = 0;
            if train.packets > 1 {
                header.msg_control = (&raw mut *control).cast();
                header.msg_controllen = CONTROL_BYTES;
                write_size(control, train.size as u16);
            }
        }
    }
}

fn write_size(control: &mut Control, size: u16) {
    // SAFETY: CMSG_SPACE(2) is 24 bytes and the buffer is aligned for a cmsghdr.
    unsafe {
        let message = (&raw mut *control).cast::<libc::cmsghdr>();
        (*message).cmsg_level = libc::SOL_UDP;
        (*message).cmsg_type = libc::UDP_SEGMENT;
        (*message).cmsg_len = libc::CMSG_LEN(2) as _;
        libc::CMSG_DATA(message).cast::<u16>().write_unaligned(size);
    }
}
