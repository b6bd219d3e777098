//! In: `recvmmsg`, with headers that are written once.

use std::{
    io,
    mem::zeroed,
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use libc::{iovec, mmsghdr};

use super::{
    address::{Name, read_name},
    control::{self, CONTROL_BYTES, Control, ECN_CE},
};
use crate::{
    limits::RECEIVE_BATCH,
    socket::{batch::Message, is_of_the_path},
};

/// What the kernel is told of a batch's places, and what it answers.
pub(in crate::socket) struct Inbox {
    headers: Box<[mmsghdr]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    // Only the headers use these.
    _iovecs: Box<[iovec]>,
    /// How many headers the last call wrote to.
    written: usize,
}

// SAFETY: the headers point at boxes of this struct and of the batch that it is a part of: they move along.
unsafe impl Send for Inbox {}

impl Inbox {
    pub fn new<'a>(places: impl Iterator<Item = &'a mut [u8]>) -> Self {
        // SAFETY: plain C structures for which zeroes are valid.
        let (name, iovec, header): (Name, iovec, mmsghdr) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut names = vec![name; RECEIVE_BATCH].into_boxed_slice();
        let mut iovecs = vec![iovec; RECEIVE_BATCH].into_boxed_slice();
        let mut headers = vec![header; RECEIVE_BATCH].into_boxed_slice();
        let mut controls = vec![Control::EMPTY; RECEIVE_BATCH].into_boxed_slice();
        for ((((header, iovec), name), control), place) in
            headers.iter_mut().zip(&mut iovecs).zip(&mut names).zip(&mut controls).zip(places)
        {
            *iovec = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
            header.msg_hdr.msg_iov = iovec;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut *name).cast();
            header.msg_hdr.msg_control = (&raw mut *control).cast();
        }
        Self { headers, names, controls, _iovecs: iovecs, written: RECEIVE_BATCH }
    }

    /// Takes in what waits and describes it in `messages`. Returns how many datagrams were marked with CE.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        bound: IpAddr,
        messages: &mut Vec<Message>,
    ) -> io::Result<u64> {
        messages.clear();
        // The kernel has written over these two.
        for header in self.headers.iter_mut().take(self.written) {
            header.msg_hdr.msg_namelen = size_of::<Name>() as _;
            header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
        }
        self.written = 0;
        let count = self.call(socket)?;
        self.written = count;
        debug_assert_eq!(self.controls.len(), self.headers.len());
        let mut marked = 0;
        for (header, name) in self.headers.iter().zip(&self.names).take(count) {
            let received = control::read(&header.msg_hdr);
            let length = header.msg_len as usize;
            let segment = received.segment.unwrap_or(length);
            if received.ecn == ECN_CE {
                marked += length.div_ceil(segment.max(1)) as u64;
            }
            let local = received.local.unwrap_or(bound);
            // An address of no family we know: passed over.
            let (length, remote) = read_name(name).map_or((0, ([0; 4], 0).into()), |name| (length, name));
            messages.push(Message { length, segment, remote, local });
        }
        Ok(marked)
    }

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        loop {
            // SAFETY: every header points at a name, a control buffer and one iovec that live as long as it does.
            let count = unsafe {
                let (fd, length) = (socket.as_raw_fd(), self.headers.len() as u32);
                libc::recvmmsg(
                    fd,
                    self.headers.as_mut_ptr(),
                    length,
                    libc::MSG_DONTWAIT as _,
                    ptr::null_mut(),
                )
            };
            if count >= 0 {
                return Ok(count as usize);
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(0),
                io::ErrorKind::Interrupted => {}
                _ if is_of_the_path(&error) => {}
                _ => return Err(error),
            }
        }
    }
}
