//! `recvmmsg` with UDP_GRO, SO_TIMESTAMPNS and IP_PKTINFO, and the control messages of what is sent.

use std::{
    mem::zeroed,
    net::Ipv4Addr,
    os::fd::{AsRawFd as _, OwnedFd},
    ptr,
};

use crate::media::clock::{Arrival, KernelClock};

/// Datagrams, or GRO trains of them, that one call takes.
pub(super) const MESSAGES: usize = 32;
/// A GRO train is at most 64 KiB long. Places a multiple of that apart would all share the same lines of the caches.
const MESSAGE_BYTES: usize = 64 * 1024 + 17 * 64;
const CONTROL_WORDS: usize = 16;
const CONTROL_BYTES: usize = CONTROL_WORDS * 8;

/// Buffers for one `recvmmsg`.
pub(super) struct Receiving {
    buffer: Box<[u8]>,
    headers: Box<[libc::mmsghdr]>,
    vectors: Box<[libc::iovec]>,
    controls: Box<[[u64; CONTROL_WORDS]]>,
    names: Box<[libc::sockaddr_in]>,
    clock: KernelClock,
    /// Of the last call, in their order.
    messages: Vec<Message>,
}

/// A datagram, or a GRO train of them.
#[derive(Debug, Clone, Copy)]
struct Message {
    length: usize,
    segment: usize,
    local: Option<Ipv4Addr>,
    arrival: Arrival,
}

/// What the kernel says about a message.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// The address that it was sent to, where the socket tells.
    local: Option<Ipv4Addr>,
    /// When it came, by the system's clock in nanoseconds since 1970; 0 where it does not tell.
    system_ns: u64,
    /// Bytes of each datagram of a train; 0: it is none.
    segment: usize,
}

impl Receiving {
    pub(super) fn new() -> Self {
        // SAFETY: all zeros is a valid value of each of these structures of the C interface.
        let (header, vector, name): (libc::mmsghdr, libc::iovec, libc::sockaddr_in) =
            unsafe { (zeroed(), zeroed(), zeroed()) };
        Self {
            buffer: vec![0; MESSAGES * MESSAGE_BYTES].into(),
            headers: vec![header; MESSAGES].into(),
            vectors: vec![vector; MESSAGES].into(),
            controls: vec![[0; CONTROL_WORDS]; MESSAGES].into(),
            names: vec![name; MESSAGES].into(),
            clock: KernelClock::default(),
            messages: Vec::with_capacity(MESSAGES),
        }
    }

    /// One `recvmmsg`. True when there may be more.
    pub(super) fn receive(&mut self, socket: &OwnedFd) -> bool {
        let slots = self.buffer.chunks_exact_mut(MESSAGE_BYTES).zip(&mut self.vectors);
        let slots = slots.zip(&mut self.headers).zip(&mut self.controls).zip(&mut self.names);
        for ((((buffer, vector), header), control), name) in slots {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: MESSAGE_BYTES };
            let header = &mut header.msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES;
            header.msg_name = ptr::from_mut(name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        // SAFETY: every header points at buffers of this struct, whose lengths it tells.
        let came = unsafe {
            let flags = libc::MSG_DONTWAIT;
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                MESSAGES as u32,
                flags,
                ptr::null_mut(),
            )
        };
        let came = usize::try_from(came).unwrap_or(0);
        if came > 0 {
            self.clock.look();
        }
        self.messages.clear();
        for header in self.headers.iter().take(came) {
            let length = header.msg_len as usize;
            // SAFETY: the kernel has just filled this header's control buffer.
            let told = unsafe { read_controls(&header.msg_hdr) };
            let segment = if told.segment == 0 { length } else { told.segment };
            let arrival = self.clock.arrival(told.system_ns);
            self.messages.push(Message { length, segment, local: told.local, arrival });
        }
        came == MESSAGES
    }

    /// Where each message of the last call was sent to, where the socket tells.
    pub(super) fn locals(&self) -> impl Iterator<Item = Option<Ipv4Addr>> {
        self.messages.iter().map(|message| message.local)
    }

    /// Their datagrams, trains taken apart: of which message, the bytes, and when it came.
    pub(super) fn datagrams(&mut self) -> impl Iterator<Item = (usize, &mut [u8], Arrival)> {
        let messages = self.buffer.chunks_exact_mut(MESSAGE_BYTES).zip(&self.messages).enumerate();
        messages.flat_map(|(number, (buffer, message))| {
            let bytes = buffer.get_mut(..message.length).unwrap_or_default();
            bytes.chunks_mut(message.segment.max(1)).map(move |datagram| (number, datagram, message.arrival))
        })
    }
}

/// # Safety
/// The kernel has filled the control buffer of this header.
unsafe fn read_controls(header: &libc::msghdr) -> Told {
    let mut told = Told::default();
    // SAFETY: the macros walk the buffer within its length; each kind is read as what the kernel writes for it.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while let Some(current) = control.as_ref() {
            let data = libc::CMSG_DATA(control);
            match (current.cmsg_level, current.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let at = data.cast::<libc::timespec>().read_unaligned();
                    told.system_ns = at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64;
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    told.segment = usize::try_from(data.cast::<i32>().read_unaligned()).unwrap_or(0);
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    told.local = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()));
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    told
}

/// Room for the control messages of one message that is sent.
pub(super) type SendControl = [u64; 8];

/// Puts the source address and, for a train, its segment size into `control` and points the header at it.
pub(super) fn write_controls(
    header: &mut libc::msghdr,
    control: &mut SendControl,
    local: Option<Ipv4Addr>,
    segment: Option<u16>,
) {
    header.msg_control = ptr::null_mut();
    header.msg_controllen = 0;
    let mut length = 0;
    let base = control.as_mut_ptr().cast::<u8>();
    // SAFETY: CMSG_SPACE of both is 32 + 24 bytes, the buffer has 64, aligned for `cmsghdr`.
    unsafe {
        if let Some(local) = local {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            length += put(base.add(length), libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        }
        if let Some(segment) = segment {
            length += put(base.add(length), libc::SOL_UDP, libc::UDP_SEGMENT, segment);
        }
    }
    if length > 0 {
        header.msg_control = base.cast();
        header.msg_controllen = length;
    }
}

/// # Safety
/// `at` is aligned for `cmsghdr` and has CMSG_SPACE of the value.
unsafe fn put<T>(at: *mut u8, level: i32, kind: i32, value: T) -> usize {
    let size = size_of::<T>() as u32;
    // SAFETY: as above; the data stands behind the header.
    unsafe {
        let header = at.cast::<libc::cmsghdr>();
        (*header).cmsg_level = level;
        (*header).cmsg_type = kind;
        (*header).cmsg_len = libc::CMSG_LEN(size) as usize;
        libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        libc::CMSG_SPACE(size) as usize
    }
}
