//! Clients of its own: every participant has a socket; audio of 120 B at 50 Hz, video of 1100 B in four bursts of 25 Hz.

use std::{
    io,
    mem::zeroed,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::{
    options::Options,
    packet::{HEADER_BYTES, Keys, TAG_BYTES, registration, seal},
    system,
};

const GROUP: u32 = 3;
const AUDIO: (Duration, usize, usize) = (Duration::from_millis(20), 120, 1);
const VIDEO: (Duration, usize, usize) = (Duration::from_millis(40), 1100, 4);
const PLACE_BYTES: usize = 2048;
const RECEIVE_BATCH: usize = 16;

/// What both threads see.
#[derive(Default)]
pub struct Shared {
    pub received: AtomicU64,
    /// Whether delays count.
    pub measures: AtomicBool,
    pub stop: AtomicBool,
}

pub struct Clients {
    sockets: Vec<UdpSocket>,
    keys: Vec<Keys>,
    gso: bool,
    tick: Duration,
}

/// One stream of one participant.
struct Stream {
    participant: usize,
    ssrc: u32,
    sequence: u16,
    next: Duration,
    shape: (Duration, usize, usize),
}

impl Clients {
    pub fn new(server: SocketAddr, options: &Options) -> io::Result<Self> {
        let count = options.study_consults * GROUP as usize;
        let sockets: io::Result<Vec<_>> = (0..count).map(|_| open_socket(server)).collect();
        let keys = (0..count as u32).map(Keys::of).collect();
        Ok(Self { sockets: sockets?, keys, gso: options.client_gso, tick: options.tick })
    }

    /// Sends and receives until told to stop; returns the delays of the measured time in µs, sorted.
    pub fn run(self, shared: &Shared, core: usize) -> io::Result<Vec<u32>> {
        system::pin(core)?;
        let epoll = self.register()?;
        let begin = Instant::now();
        let mut streams = self.streams();
        let mut delays = Vec::new();
        let mut inbox = ClientInbox::new();
        while !shared.stop.load(Relaxed) {
            let now = begin.elapsed();
            for stream in &mut streams {
                while stream.next <= now {
                    self.send(stream, begin)?;
                    stream.next += stream.shape.0;
                }
            }
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; 512];
            // SAFETY: the array outlives the call and its length is right.
            let ready = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, 0) };
            for event in events.iter().take(ready.max(0) as usize) {
                let received = inbox.receive(&self.sockets[event.u64 as usize]);
                shared.received.fetch_add(received as u64, Relaxed);
                let now = begin.elapsed().as_micros() as u32;
                if shared.measures.load(Relaxed) {
                    delays.extend(inbox.timestamps(received).map(|sent| now.wrapping_sub(sent)));
                }
            }
            thread::sleep(self.tick);
        }
        delays.sort_unstable();
        Ok(delays)
    }

    fn register(&self) -> io::Result<i32> {
        // SAFETY: a new descriptor, and events that outlive the calls.
        let epoll = unsafe { libc::epoll_create1(0) };
        for (number, socket) in self.sockets.iter().enumerate() {
            socket.send(&registration(number as u32, GROUP))?;
            let mut echo = [0; 16];
            socket.recv(&mut echo)?;
            socket.set_nonblocking(true)?;
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number as u64 };
            // SAFETY: as above.
            unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event) };
        }
        Ok(epoll)
    }

    /// Everyone begins at another moment, so that nobody's packets meet another's.
    fn streams(&self) -> Vec<Stream> {
        let count = self.sockets.len() as u32;
        let streams = [AUDIO, VIDEO].into_iter().enumerate().flat_map(|(kind, shape)| {
            (0..count).map(move |number| Stream {
                participant: number as usize,
                ssrc: number * 2 + kind as u32,
                sequence: 0,
                next: shape.0 * (number * if kind == 0 { 1 } else { 7 } % count) / count,
                shape,
            })
        });
        streams.collect()
    }

    fn send(&self, stream: &mut Stream, begin: Instant) -> io::Result<()> {
        let (_, payload, burst) = stream.shape;
        let length = HEADER_BYTES + payload + TAG_BYTES;
        let mut bytes = [0; 4 * PLACE_BYTES];
        let train = &mut bytes[..length * burst];
        for packet in train.chunks_exact_mut(length) {
            packet[0] = 0x80;
            packet[2..4].copy_from_slice(&stream.sequence.to_be_bytes());
            packet[4..8].copy_from_slice(&(begin.elapsed().as_micros() as u32).to_be_bytes());
            packet[8..12].copy_from_slice(&stream.ssrc.to_be_bytes());
            stream.sequence = stream.sequence.wrapping_add(1);
            seal(&self.keys[stream.participant].from_client, packet)
                .ok_or(io::Error::other("a packet cannot be sealed"))?;
        }
        let socket = &self.sockets[stream.participant];
        if self.gso && burst > 1 {
            system::set_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT, length as libc::c_int)?;
            let _ = socket.send(train);
            system::set_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0 as libc::c_int)?;
        } else {
            train.chunks_exact(length).for_each(|packet| {
                let _ = socket.send(packet);
            });
        }
        Ok(())
    }
}

fn open_socket(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(socket)
}

/// Room for what one socket has.
struct ClientInbox {
    bytes: Vec<u8>,
}

impl ClientInbox {
    fn new() -> Self {
        Self { bytes: vec![0; RECEIVE_BATCH * PLACE_BYTES] }
    }

    fn receive(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: plain C structures for which zeroes are valid; everything outlives the call.
        unsafe {
            let mut iovecs: [libc::iovec; RECEIVE_BATCH] = zeroed();
            let mut headers: [libc::mmsghdr; RECEIVE_BATCH] = zeroed();
            let places = self.bytes.chunks_exact_mut(PLACE_BYTES);
            for ((header, iovec), place) in headers.iter_mut().zip(&mut iovecs).zip(places) {
                *iovec = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
                header.msg_hdr.msg_iov = iovec;
                header.msg_hdr.msg_iovlen = 1;
            }
            let (fd, length, flags) = (socket.as_raw_fd(), RECEIVE_BATCH as u32, libc::MSG_DONTWAIT as _);
            libc::recvmmsg(fd, headers.as_mut_ptr(), length, flags, std::ptr::null_mut()).max(0) as usize
        }
    }

    /// When the packets of the last call were sent, in µs.
    fn timestamps(&self, count: usize) -> impl Iterator<Item = u32> {
        self.bytes
            .chunks_exact(PLACE_BYTES)
            .take(count)
            .map(|packet| u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]))
    }
}

/// 0 where there is nothing.
pub fn quantile(sorted: &[u32], q: f64) -> u32 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * q) as usize).copied().unwrap_or(0)
}
