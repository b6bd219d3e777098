//! Handshakes over a lossy link in virtual time, ClientHello in two datagrams, each server against another stack's client.
//!
//! `cargo run -p dtls-choice -- --handshakes 1000 --loss 5`; without `--loss`, at 0, 5 and 20 % both ways.

#[path = "../../../media/engine/tests/dtls_link/mod.rs"]
mod dtls_link;
mod stacks;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicIsize, Ordering},
    },
    time::{Duration, Instant},
};

use dtls_link::{CLEAN, Conditions, Link, Peer};
use media_engine::transport::dtls::{Dtls, DtlsClient, DtlsEvent, Identity};
use stacks::{DimplServer, Guard, RtcDtls, dimpl_config, rtc_config};

/// Counts the bytes that are allocated now.
struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call goes to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A peer, and the time and memory that its methods took.
struct Measured {
    peer: Box<dyn Peer>,
    time: Duration,
    bytes: isize,
}

impl Measured {
    fn new(make: impl FnOnce() -> Box<dyn Peer>) -> Self {
        let (start, bytes) = (Instant::now(), BYTES.load(Ordering::Relaxed));
        let peer = make();
        Self { peer, time: start.elapsed(), bytes: BYTES.load(Ordering::Relaxed) - bytes }
    }

    fn measure<T>(&mut self, call: impl FnOnce(&mut dyn Peer) -> T) -> T {
        let (start, bytes) = (Instant::now(), BYTES.load(Ordering::Relaxed));
        let result = call(&mut *self.peer);
        self.time += start.elapsed();
        self.bytes += BYTES.load(Ordering::Relaxed) - bytes;
        result
    }
}

impl Peer for Measured {
    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        self.measure(|peer| peer.handle_datagram(now, datagram));
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.measure(|peer| peer.handle_timeout(now));
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.peer.poll_timeout()
    }
    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let datagram = self.peer.poll_transmit();
        // It was counted when the peer made it, and is freed elsewhere.
        self.bytes -= datagram.as_ref().map_or(0, |datagram| datagram.capacity() as isize);
        datagram
    }
    fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.peer.poll_event()
    }
}

/// From the time and a seed.
type Make<'a> = &'a dyn Fn(Instant, u64) -> Box<dyn Peer>;

/// A server against a client, so many times.
fn pairing(name: &str, server: Make<'_>, client: Make<'_>, handshakes: u64, loss_percent: u64) {
    let conditions = Conditions { loss_percent, ..CLEAN };
    let (mut times, mut cpu, mut bytes, mut profile) = (Vec::new(), Duration::ZERO, 0, None);
    for seed in 1..=handshakes {
        let now = Instant::now();
        let mut server = Measured::new(|| server(now, seed));
        let mut client = client(now, seed);
        let mut link = Link::new(&mut server, &mut *client, now, conditions, seed);
        times.extend(link.connect(Duration::from_secs(10)));
        profile = link.server_connected.take().map(|(_, connected)| connected.profile).or(profile);
        drop(link);
        cpu += server.time;
        bytes += server.bytes;
    }
    times.sort_unstable();
    let failed = handshakes - times.len() as u64;
    let at =
        |part: f64| times.get((times.len() as f64 * part) as usize).map_or(0, |time| time.as_millis() as u64);
    let cpu_us = cpu.as_micros() as u64 / handshakes;
    let kib = bytes as f64 / handshakes as f64 / 1024.0;
    let profile = profile.map_or("none".to_owned(), |profile| format!("{profile:?}"));
    println!(
        "| {name} | {loss_percent} % | {failed} | {} | {} | {cpu_us} | {kib:.1} | {profile} |",
        at(0.5),
        at(0.99)
    );
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut handshakes, mut losses, mut pairings) = (1000, vec![0, 5, 20], usize::MAX);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--handshakes", Some(value)) if value > 0 => handshakes = value,
            ("--pairings", Some(value)) => pairings = value as usize,
            ("--loss", Some(value)) if value <= 100 => losses = vec![value],
            _ => {
                eprintln!("usage: dtls-choice [--handshakes N] [--loss PERCENT] [--pairings FIRST_N]");
                return ExitCode::from(2);
            }
        }
    }
    let server = Arc::new(Identity::generate());
    let client = Arc::new(Identity::generate());
    let dimpl_server = dimpl_config();
    let rtc_server = rtc_config(&server, false);
    let rtc_client = rtc_config(&client, true);

    let ours: Make<'_> = &|now, _| Box::new(Dtls::new(&server, now));
    let bare: Make<'_> = &|now, _| Box::new(RtcDtls::server(Arc::clone(&rtc_server), Guard::None, now));
    let resend: Make<'_> = &|now, _| Box::new(RtcDtls::server(Arc::clone(&rtc_server), Guard::Resend, now));
    let dimpl: Make<'_> = &|now, _| Box::new(DimplServer::new(&dimpl_server, &server, now));
    let by_dimpl: Make<'_> = &|now, seed| Box::new(DtlsClient::seeded(&client, now, seed));
    let by_rtc: Make<'_> = &|now, _| Box::new(RtcDtls::client(Arc::clone(&rtc_client), Guard::Resend, now));

    println!("seeds 1 to {handshakes}, 20 ms one way, limit 10 s of virtual time");
    println!(
        "| server ← client | loss | failed of {handshakes} | median ms | p99 ms | server CPU µs | server KiB | profile |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let all: [(&str, Make<'_>, Make<'_>); 6] = [
        ("guarded rtc-dtls (ours) ← dimpl", ours, by_dimpl),
        ("dimpl ← rtc-dtls with resending", dimpl, by_rtc),
        ("rtc-dtls as it is ← dimpl", bare, by_dimpl),
        ("rtc-dtls with resending only ← dimpl", resend, by_dimpl),
        ("guarded rtc-dtls (ours) ← rtc-dtls with resending", ours, by_rtc),
        ("dimpl ← dimpl", dimpl, by_dimpl),
    ];
    for loss in losses {
        for (name, server, client) in all.iter().take(pairings) {
            pairing(name, *server, *client, handshakes, loss);
        }
    }
    ExitCode::SUCCESS
}
