//! Many sockets of one thread: which of them have something, and what.

use std::{
    io,
    mem::zeroed,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    time::{Duration, SystemTime},
};

const READY_MAX: usize = 512;
const BATCH: usize = 16;
const PLACE_BYTES: usize = 2_048;
const CONTROL_WORDS: usize = 8;
/// A client of a browser has more.
const BUFFER_BYTES: libc::c_int = 1 << 20;

/// One participant's socket.
pub fn open(server: SocketAddr, tells_arrival: bool) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    let options = [(libc::SO_RCVBUF, BUFFER_BYTES), (libc::SO_TIMESTAMPNS, 1)];
    for (option, value) in options.into_iter().take(if tells_arrival { 2 } else { 1 }) {
        // SAFETY: the value lives across the call and its length is right.
        let result = unsafe {
            let length = size_of_val(&value) as libc::socklen_t;
            let value = (&raw const value).cast();
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, length)
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(socket)
}

/// Nanoseconds since 1970, the clock of [`Inbox::receive`].
pub fn clock_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Which sockets have something.
pub struct Poll(OwnedFd);

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new descriptor, which nobody else owns.
        unsafe {
            match libc::epoll_create1(libc::EPOLL_CLOEXEC) {
                fd if fd >= 0 => Ok(Self(OwnedFd::from_raw_fd(fd))),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    /// Until the socket is closed.
    pub fn add(&self, socket: &UdpSocket, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key };
        let (epoll, socket) = (self.0.as_raw_fd(), socket.as_raw_fd());
        // SAFETY: the event outlives the call.
        match unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket, &raw mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Keys of those that have something now, or soon.
    pub fn ready(&self, wait: Duration) -> impl Iterator<Item = u64> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; READY_MAX];
        let wait_ms = wait.as_millis() as libc::c_int;
        // SAFETY: the array outlives the call and its length is right.
        let count = unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), READY_MAX as libc::c_int, wait_ms)
        };
        events.into_iter().take(count.max(0) as usize).map(|event| event.u64)
    }
}

/// Room for what one socket has.
pub struct Inbox {
    bytes: Box<[u8]>,
    controls: Box<[[u64; CONTROL_WORDS]]>,
    // The headers point at these.
    _vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

impl Inbox {
    pub fn new() -> Self {
        // SAFETY: plain C structures for which zeroes are valid.
        let (vector, header): (libc::iovec, libc::mmsghdr) = unsafe { (zeroed(), zeroed()) };
        let mut bytes = vec![0; BATCH * PLACE_BYTES].into_boxed_slice();
        let mut controls = vec![[0; CONTROL_WORDS]; BATCH].into_boxed_slice();
        let mut vectors = vec![vector; BATCH].into_boxed_slice();
        let mut headers = vec![header; BATCH].into_boxed_slice();
        let places = bytes.chunks_exact_mut(PLACE_BYTES).zip(&mut controls);
        for ((header, vector), (place, control)) in headers.iter_mut().zip(&mut vectors).zip(places) {
            *vector = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
        }
        Self { bytes, controls, _vectors: vectors, headers }
    }

    /// Hands over some of what waits, with when it came by the kernel's clock; 0 where the socket does not tell.
    pub fn receive(&mut self, socket: &UdpSocket, mut take: impl FnMut(&mut [u8], u64)) {
        for header in &mut self.headers {
            header.msg_hdr.msg_controllen = size_of_val(&self.controls[0]) as _;
        }
        // SAFETY: every header points at one iovec and a control buffer that are ours and outlive the call.
        let count = unsafe {
            let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT as _);
            libc::recvmmsg(fd, self.headers.as_mut_ptr(), BATCH as u32, flags, ptr::null_mut())
        };
        let places = self.bytes.chunks_exact_mut(PLACE_BYTES).zip(&self.headers);
        for (place, header) in places.take(count.max(0) as usize) {
            let Some(datagram) = place.get_mut(..header.msg_len as usize) else { continue };
            take(datagram, arrival_ns(&header.msg_hdr));
        }
    }
}

fn arrival_ns(header: &libc::msghdr) -> u64 {
    // SAFETY: the kernel has just filled the control buffer and set its length.
    unsafe {
        let Some(message) = libc::CMSG_FIRSTHDR(header).as_ref() else { return 0 };
        if (message.cmsg_level, message.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
            return 0;
        }
        let at = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
        at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_socket_got_is_handed_over_with_the_time_of_its_arrival() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (poll, mut inbox) = (Poll::new().unwrap(), Inbox::new());
        let client = open(server.local_addr().unwrap(), true).unwrap();
        poll.add(&client, 7).unwrap();
        assert_eq!(poll.ready(Duration::ZERO).count(), 0);
        let before = clock_ns();
        server.send_to(b"hello", client.local_addr().unwrap()).unwrap();
        assert_eq!(poll.ready(Duration::from_secs(1)).collect::<Vec<_>>(), [7]);
        let mut taken = Vec::new();
        inbox.receive(&client, |datagram, at| taken.push((datagram.to_vec(), at)));
        assert!(
            matches!(&taken[..], [(bytes, at)] if bytes == b"hello" && (before..clock_ns()).contains(at))
        );
    }
}
