//! In by `recvmmsg`; with GRO a message may hold a train of datagrams from one sender.

use std::{io, mem::zeroed, net::UdpSocket, os::fd::AsRawFd, ptr};

use libc::{iovec, mmsghdr, sockaddr_in};

use crate::system::set_option;

/// The longest train that the kernel hands over, and a distance that does not put all buffers into the same lines of
/// the cache.
const PLACE_BYTES: usize = 65_536 + 17 * 64;
/// Without trains.
const DATAGRAM_BYTES: usize = 2048;
/// `CMSG_SPACE(sizeof(int))`, rounded up.
const CONTROL_WORDS: usize = 4;

pub struct Inbox {
    bytes: Box<[u8]>,
    place_bytes: usize,
    names: Box<[sockaddr_in]>,
    // The headers point at these.
    _iovecs: Box<[iovec]>,
    _controls: Box<[[u64; CONTROL_WORDS]]>,
    control_bytes: usize,
    headers: Box<[mmsghdr]>,
    gro: bool,
    received: usize,
}

/// What one message holds: datagrams of `size` bytes, the last perhaps shorter.
pub struct Train<'a> {
    pub name: &'a sockaddr_in,
    pub bytes: &'a mut [u8],
    pub size: usize,
}

impl Inbox {
    pub fn new(socket: &UdpSocket, batch: usize, gro: bool) -> io::Result<Self> {
        if gro {
            set_option(socket, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        }
        let place_bytes = if gro { PLACE_BYTES } else { DATAGRAM_BYTES };
        // SAFETY: plain C structures for which zeroes are valid.
        let (name, iovec, header): (sockaddr_in, iovec, mmsghdr) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut names = vec![name; batch].into_boxed_slice();
        let mut iovecs = vec![iovec; batch].into_boxed_slice();
        let mut headers = vec![header; batch].into_boxed_slice();
        let mut bytes = vec![0; batch * place_bytes].into_boxed_slice();
        let mut controls = vec![[0; CONTROL_WORDS]; batch].into_boxed_slice();
        let control_bytes = if gro { size_of::<[u64; CONTROL_WORDS]>() } else { 0 };
        let places = bytes.chunks_exact_mut(place_bytes);
        for ((((header, iovec), name), control), place) in
            headers.iter_mut().zip(&mut iovecs).zip(&mut names).zip(&mut controls).zip(places)
        {
            *iovec = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len().min(65_535) };
            header.msg_hdr.msg_iov = iovec;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut *name).cast();
            header.msg_hdr.msg_namelen = size_of::<sockaddr_in>() as _;
            header.msg_hdr.msg_control = if gro { control.as_mut_ptr().cast() } else { ptr::null_mut() };
            header.msg_hdr.msg_controllen = control_bytes as _;
        }
        Ok(Self {
            bytes,
            place_bytes,
            names,
            _iovecs: iovecs,
            _controls: controls,
            control_bytes,
            headers,
            gro,
            received: 0,
        })
    }

    /// Takes in what waits; 0 when nothing does, or nothing came in time.
    pub fn receive(&mut self, socket: &UdpSocket, flags: libc::c_int) -> io::Result<usize> {
        // Only what the kernel wrote the last time has to be set again.
        for header in self.headers.iter_mut().take(self.received) {
            header.msg_hdr.msg_namelen = size_of::<sockaddr_in>() as _;
            header.msg_hdr.msg_controllen = self.control_bytes as _;
        }
        // SAFETY: every header points at a name, a control buffer and one iovec that are ours and outlive the call.
        let count = unsafe {
            let (fd, length) = (socket.as_raw_fd(), self.headers.len() as u32);
            libc::recvmmsg(fd, self.headers.as_mut_ptr(), length, flags as _, ptr::null_mut())
        };
        self.received = count.max(0) as usize;
        if count >= 0 {
            return Ok(self.received);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        }
    }

    pub fn trains(&mut self) -> impl Iterator<Item = Train<'_>> {
        let gro = self.gro;
        let places = self.bytes.chunks_exact_mut(self.place_bytes);
        self.headers.iter().zip(&self.names).zip(places).take(self.received).filter_map(
            move |((header, name), place)| {
                let bytes = place.get_mut(..header.msg_len as usize).filter(|bytes| !bytes.is_empty())?;
                let size = if gro { size_of_segments(&header.msg_hdr) } else { None };
                Some(Train { name, size: size.unwrap_or(bytes.len()), bytes })
            },
        )
    }
}

/// What `UDP_GRO` says, if the message is a train.
fn size_of_segments(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel filled the control buffer and set its length.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header).as_ref()?;
        if (message.cmsg_level, message.cmsg_type) != (libc::SOL_UDP, libc::UDP_GRO) {
            return None;
        }
        let size = libc::CMSG_DATA(message).cast::<libc::c_int>().read_unaligned();
        usize::try_from(size).ok().filter(|size| *size > 0)
    }
}
