//! Once a consult runs, a packet's way through the engine allocates nothing, nor does its way again after a NACK.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use media_engine::{
    api::{Datagram, TransmitBuffer},
    rtp::{
        NtpTime,
        rtcp::{CompoundWriter, SenderInfo},
    },
};
use media_model::Source;
use support::{
    SERVER, World,
    client::slot_ssrc,
    payload::{opus, vp8},
};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands every request on to the system's allocator, whose contract is the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps this method's contract, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_forwarded_packet_allocates_nothing() {
    let mut world = World::with_participants(3);
    let mut packets = Vec::new();
    for n in 0..6_000_u64 {
        for client in 0..3 {
            let ticks = n as u32;
            let sound = world.clients[client].packet(Source::Microphone, 1 + n, ticks * 480, &opus(1));
            let frame = vp8(n % 500 == 0, n as u16 & 0x7fff, n as u8, 1);
            let picture = world.clients[client].packet(Source::Camera, 1 + n, ticks * 900, &frame);
            packets.push((n, client, sound));
            packets.push((n, client, picture));
        }
    }
    let addresses: Vec<_> = world.clients.iter().map(|c| c.address).collect();
    let mut out = TransmitBuffer::new(1 << 20, 1_024);
    let mut allocated = [0; 2];
    for (n, client, mut data) in packets {
        let now = world.now + Duration::from_millis(10 * n);
        let before = COUNT.with(Cell::get);
        let datagram = Datagram { remote: addresses[client], local: SERVER, data: &mut data };
        world.engine.handle_datagram(now, datagram, &mut out);
        while world.engine.poll_timeout().is_some_and(|due| due <= now) {
            world.engine.handle_timeout(now, &mut out);
        }
        out.clear();
        // Caches and lists take their memory in the first seconds.
        allocated[usize::from(n >= 2_000)] += COUNT.with(Cell::get) - before;
        if n % 1_000 == 0 {
            let mut check = world.clients[client].check();
            let datagram = Datagram { remote: addresses[client], local: SERVER, data: &mut check };
            world.engine.handle_datagram(now, datagram, &mut out);
        }
    }
    let forwarded: u64 = world.engine.counters().rtp_forwarded.iter().sum();
    assert_eq!(forwarded, 6_000 * 3 * 2 * 2);
    assert_eq!(allocated[1], 0, "and {} in the first seconds", allocated[0]);
}

/// Has the engine take a client's datagram; how many allocations that made.
fn taking(world: &mut World, client: usize, mut data: Vec<u8>, out: &mut TransmitBuffer) -> u64 {
    let datagram = Datagram { remote: world.clients[client].address, local: SERVER, data: &mut data };
    let before = COUNT.with(Cell::get);
    world.engine.handle_datagram(world.now, datagram, out);
    let allocated = COUNT.with(Cell::get) - before;
    out.clear();
    allocated
}

/// A compound that a client seals.
fn sealed(world: &mut World, client: usize, write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
    let mut plain = [0; 600];
    let mut writer = CompoundWriter::new(&mut plain);
    write(&mut writer);
    let length = writer.len();
    world.clients[client].seal_rtcp(&plain[..length])
}

#[test]
fn an_answer_to_a_nack_allocates_nothing() {
    let mut world = World::with_participants(3);
    let mut out = TransmitBuffer::new(1 << 20, 1_024);
    let picture = slot_ssrc(1);
    let mut allocated = [0; 2];
    for n in 0..2_000_u64 {
        world.send(0, Source::Camera, 1 + n, n as u32 * 900, &vp8(n == 0, n as u16 & 0x7fff, n as u8, 1));
        let received = world.take_of(1, picture).pop().expect("it was forwarded");
        let nack = sealed(&mut world, 1, |writer| {
            writer.nack(1, picture, [received.header.sequence]);
        });
        allocated[usize::from(n >= 1_000)] += taking(&mut world, 1, nack, &mut out);
        world.advance(10);
        (1..3).for_each(|client| drop(world.take(client)));
        if n % 500 == 0 {
            (0..3).for_each(|client| world.check(client));
        }
    }
    assert_eq!(world.engine.counters().retransmitted, 2_000);
    assert_eq!(allocated[1], 0, "and {} in the first seconds", allocated[0]);
}

/// What is not a packet of media is counted apart.
#[test]
fn reports_and_checks_allocate_nothing_either() {
    let mut world = World::with_participants(3);
    let mut out = TransmitBuffer::new(1 << 20, 1_024);
    let (mut of_reports, mut of_checks) = (0, 0);
    for n in 0..100 {
        world.send(0, Source::Microphone, 1 + n, n as u32 * 960, &opus(1));
        let ssrc = world.clients[0].ssrc(Source::Microphone);
        let ntp = NtpTime::from_unix(Duration::from_secs(1_800_000_000 + n));
        let info = SenderInfo { ssrc, ntp, rtp_timestamp: n as u32 * 960, ..SenderInfo::default() };
        let report = sealed(&mut world, 0, |writer| {
            writer.sender_report(&info, []);
        });
        let check = world.clients[0].check();
        let counts = (taking(&mut world, 0, report, &mut out), taking(&mut world, 0, check, &mut out));
        if n >= 10 {
            (of_reports, of_checks) = (of_reports + counts.0, of_checks + counts.1);
        }
        world.advance(1_000);
        (1..3).for_each(|client| drop(world.take(client)));
        (1..3).for_each(|client| world.check(client));
    }
    println!("allocations: {of_reports} for 90 reports, {of_checks} for 90 connectivity checks");
    assert_eq!((of_reports, of_checks), (0, 0));
}
