//! The loop, and the ways to wait.

use std::{
    fmt, io,
    net::UdpSocket,
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use crate::{
    inbox::{Inbox, Train},
    members::Members,
    options::{Options, Wait},
    packet::{TAG_BYTES, open, parse_registration, seal},
    system,
    trains::Trains,
};

/// Fewer do not pay for the sleep.
const GATHERED_MIN: f64 = 4.0;

/// How long a call blocks at most, so that the end of a run is seen.
const LOOK_UP_MS: i32 = 100;

pub struct Server {
    socket: UdpSocket,
    options: Options,
    epoll: i32,
    inbox: Inbox,
    trains: Trains,
    members: Members,
    counts: Tally,
    rate: Rate,
    begin: Instant,
}

/// What was done, and what it cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub elapsed: Duration,
    pub cpu: Duration,
    pub received: u64,
    pub sent: u64,
    pub failed: u64,
    /// Wake-ups that found something.
    pub batches: u64,
    /// System calls: waiting, receiving, sending, sleeping.
    pub calls: u64,
    /// Messages given to `sendmmsg`.
    pub messages: u64,
}

/// Datagrams a second, smoothed over some milliseconds.
struct Rate {
    since: Instant,
    count: u64,
    per_second: f64,
}

impl Server {
    pub fn new(socket: UdpSocket, options: &Options) -> io::Result<Self> {
        system::enlarge_buffers(&socket);
        socket.set_read_timeout(Some(Duration::from_millis(LOOK_UP_MS as u64)))?;
        if options.busy_poll_us > 0 {
            system::set_option(&socket, libc::SOL_SOCKET, libc::SO_BUSY_POLL, options.busy_poll_us)?;
        }
        if options.zerocopy {
            system::set_option(&socket, libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1)?;
        }
        if options.whole {
            system::set_option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
        }
        // SAFETY: a new descriptor, and an event that outlives the call.
        let epoll = unsafe {
            let epoll = libc::epoll_create1(0);
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event);
            epoll
        };
        Ok(Self {
            inbox: Inbox::new(&socket, options.batch, options.gro)?,
            trains: Trains::new(options.gso, options.zerocopy),
            members: Members::default(),
            counts: Tally::default(),
            rate: Rate { since: Instant::now(), count: 0, per_second: 0.0 },
            begin: Instant::now(),
            epoll,
            socket,
            options: options.clone(),
        })
    }

    pub fn tally(&self) -> Tally {
        let (failed, calls) =
            (self.counts.failed + self.trains.refused, self.counts.calls + self.trains.calls);
        let (elapsed, cpu) = (self.begin.elapsed(), system::thread_time());
        Tally { elapsed, cpu, failed, calls, messages: self.trains.messages, ..self.counts }
    }

    /// Serves until told to stop; asked after each batch, and when nothing came for a while.
    pub fn run(&mut self, is_over: &dyn Fn() -> bool) -> io::Result<()> {
        let mut filled = false;
        while !is_over() {
            if !filled {
                self.gather();
            }
            let count = self.take_in(filled)?;
            filled = count == self.options.batch;
            if count > 0 {
                self.forward();
            }
        }
        Ok(())
    }

    /// Lets packets gather for a moment, where that is wanted and enough of them are to be expected.
    fn gather(&mut self) {
        let Options { gather, gather_count, .. } = self.options;
        if gather.is_zero() {
            return;
        }
        let mut pause = gather;
        if gather_count > 0 {
            self.rate.look(self.counts.received);
            let expected = self.rate.per_second * gather.as_secs_f64();
            if expected < GATHERED_MIN {
                return;
            }
            pause = gather.mul_f64((f64::from(gather_count) / expected).min(1.0));
        }
        self.counts.calls += 1;
        thread::sleep(pause);
    }

    fn take_in(&mut self, filled: bool) -> io::Result<usize> {
        if !self.options.spin.is_zero() && !filled {
            let begin = Instant::now();
            while begin.elapsed() < self.options.spin {
                let count = self.receive(libc::MSG_DONTWAIT)?;
                if count > 0 {
                    return Ok(count);
                }
            }
        }
        match self.options.wait {
            Wait::Receive => return self.receive(libc::MSG_WAITFORONE),
            _ if filled => {}
            // SAFETY: one pollfd or event that outlives the call.
            Wait::Poll => unsafe {
                let mut fd = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                libc::poll(&raw mut fd, 1, LOOK_UP_MS);
                self.counts.calls += 1;
            },
            // SAFETY: as above.
            Wait::Epoll => unsafe {
                let mut event = libc::epoll_event { events: 0, u64: 0 };
                libc::epoll_wait(self.epoll, &raw mut event, 1, LOOK_UP_MS);
                self.counts.calls += 1;
            },
        }
        self.receive(libc::MSG_DONTWAIT)
    }

    fn receive(&mut self, flags: libc::c_int) -> io::Result<usize> {
        self.counts.calls += 1;
        self.inbox.receive(&self.socket, flags)
    }

    fn forward(&mut self) {
        self.counts.batches += 1;
        for train in self.inbox.trains() {
            if let Some((participant, group_size)) = parse_registration(train.bytes) {
                // What was pushed points at members.
                self.trains.flush(&self.socket);
                if self.members.register(*train.name, participant, group_size) {
                    let _ = self.socket.send_to(train.bytes, address(train.name));
                }
                continue;
            }
            forward(train, &self.members, &self.socket, &mut self.trains, &mut self.counts);
        }
        self.trains.flush(&self.socket);
    }
}

/// Opens a train's packets, then seals all of them for one receiver after another.
fn forward(train: Train<'_>, members: &Members, socket: &UdpSocket, trains: &mut Trains, counts: &mut Tally) {
    let Train { name, bytes, size } = train;
    let sender = members.number(name).and_then(|number| Some((number, members.member(number)?)));
    let Some((sender, member)) = sender else {
        counts.failed += 1;
        return;
    };
    for packet in bytes.chunks_mut(size) {
        counts.received += 1;
        if open(&member.keys.from_client, packet).is_none() {
            counts.failed += 1;
            return;
        }
    }
    for (number, receiver) in members.others(sender) {
        for packet in bytes.chunks(size) {
            if !trains.has_room(packet.len()) {
                trains.flush(socket);
            }
            let (plain, _) = packet.split_at(packet.len() - TAG_BYTES);
            let room = trains.push(number, receiver, packet.len());
            room[..plain.len()].copy_from_slice(plain);
            counts.failed += u64::from(seal(&receiver.keys.to_client, room).is_none());
            counts.sent += 1;
        }
    }
}

fn address(name: &libc::sockaddr_in) -> std::net::SocketAddrV4 {
    let ip = std::net::Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
    std::net::SocketAddrV4::new(ip, u16::from_be(name.sin_port))
}

impl Rate {
    const WINDOW: Duration = Duration::from_millis(5);

    fn look(&mut self, count: u64) {
        let now = Instant::now();
        let elapsed = now - self.since;
        if elapsed >= Self::WINDOW {
            self.per_second = (count - self.count) as f64 / elapsed.as_secs_f64();
            (self.since, self.count) = (now, count);
        }
    }
}

impl Tally {
    pub fn since(&self, before: &Self) -> Self {
        Self {
            elapsed: self.elapsed - before.elapsed,
            cpu: self.cpu - before.cpu,
            received: self.received - before.received,
            sent: self.sent - before.sent,
            failed: self.failed - before.failed,
            batches: self.batches - before.batches,
            calls: self.calls - before.calls,
            messages: self.messages - before.messages,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed = self.elapsed.as_secs_f64().max(1e-9);
        let sent = self.sent.max(1) as f64;
        let cpu_us = self.cpu.as_secs_f64() * 1e6;
        write!(
            f,
            "received={} sent={} failed={} pps={:.0} cpu_us={cpu_us:.0} cpu={:.1}% us/sent={:.3} batches/s={:.0} \
             calls/sent={:.3} messages/sent={:.3}",
            self.received,
            self.sent,
            self.failed,
            sent / elapsed,
            cpu_us / elapsed / 1e4,
            cpu_us / sent,
            self.batches as f64 / elapsed,
            self.calls as f64 / sent,
            self.messages as f64 / sent,
        )
    }
}
