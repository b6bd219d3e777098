//! Once a consult runs, a packet's way through the engine allocates nothing.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use media_engine::api::{Datagram, TransmitBuffer};
use media_model::Source;
use support::{
    SERVER, World,
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
