//! Nothing is allocated per packet: not by us, and not by the C code of the crypto library either.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::{
    cell::Cell,
    ffi::c_void,
    time::{Duration, Instant},
};

use media_engine::{
    api::ExtensionIds,
    rtp::{
        Extensions, HeaderWriter, RtpHeader,
        rtcp::{Compound, CompoundWriter, Packet, ReportBlock, SenderInfo},
    },
    transport::{
        feedback::TransportFeedback,
        srtp::{OVERHEAD_BYTES_MAX, Profile, SrtpInbound, SrtpOutbound},
    },
};

thread_local! {
    /// Allocations of this thread. A `const` without destructor, so that counting needs no memory itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

/// The C library's allocator under its internal names, and counting ones in its place: `System`, Rust's default
/// allocator, calls these too.
mod counted {
    use super::{c_void, count};

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
        fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
        fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    }

    #[unsafe(no_mangle)]
    extern "C" fn malloc(size: usize) -> *mut c_void {
        count();
        // SAFETY: the same contract as `malloc`.
        unsafe { __libc_malloc(size) }
    }

    #[unsafe(no_mangle)]
    extern "C" fn calloc(number: usize, size: usize) -> *mut c_void {
        count();
        // SAFETY: the same contract as `calloc`.
        unsafe { __libc_calloc(number, size) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
        count();
        // SAFETY: the same contract as `realloc`; the caller vouches for `old`.
        unsafe { __libc_realloc(old, size) }
    }

    #[unsafe(no_mangle)]
    extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
        count();
        // SAFETY: the same contract as `aligned_alloc`.
        unsafe { __libc_memalign(alignment, size) }
    }
}

/// How many allocations `run` makes, the second time: what is made once per stream is made the first time.
fn allocations(mut run: impl FnMut()) -> u64 {
    run();
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(5)))), 1);
    assert!(allocations(|| drop(std::hint::black_box(vec![0_u8; 1_000]))) >= 1);
    let key = || SrtpOutbound::new(Profile::Aes128CmSha1_80, &[1; 16], &[1; 14]).unwrap();
    assert!(allocations(|| drop(std::hint::black_box(key()))) >= 1, "keys live in C's heap");
}

#[test]
fn sealing_and_opening_allocate_nothing() {
    for profile in Profile::PREFERENCE {
        let (key, salt) = (vec![1; profile.key_len()], vec![2; profile.salt_len()]);
        let mut outbound = SrtpOutbound::new(profile, &key, &salt).unwrap();
        let mut inbound = SrtpInbound::new(profile, &key, &salt).unwrap();
        let mut index = 0;
        let mut packet = [0; 1_200 + OVERHEAD_BYTES_MAX];
        let made = allocations(|| {
            for _ in 0..500 {
                packet[..4].copy_from_slice(&[0x80, 96, (index >> 8) as u8, index as u8]);
                packet[4..1_200].fill(5);
                let length = outbound.seal_rtp(index, &mut packet, 1_200).unwrap();
                assert!(inbound.open_rtp(&mut packet[..length]).is_ok_and(|opened| opened.index == index));
                index += 1;

                packet[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 1]);
                let length = outbound.seal_rtcp(&mut packet, 8).unwrap();
                assert_eq!(inbound.open_rtcp(&mut packet[..length]), Ok(8));
                assert!(
                    inbound.open_rtcp(&mut packet[..length]).is_err(),
                    "refusing allocates nothing either"
                );
            }
        });
        assert_eq!(made, 0, "{profile:?}");
    }
}

#[test]
fn headers_and_reports_allocate_nothing() {
    let ids =
        ExtensionIds { mid: Some(1), audio_level: Some(2), transport_cc: Some(3), orientation: Some(4) };
    let extensions = Extensions { mid: "0".parse().ok(), transport_cc: Some(1), ..Extensions::default() };
    let header =
        HeaderWriter { marker: false, payload_type: 96, sequence: 1, timestamp: 2, ssrc: 3, csrc: Some(4) };
    let mut buffer = [0; 1_200];
    let mut seen = 0;
    let made = allocations(|| {
        let length = header.write(&extensions, &ids, &mut buffer).unwrap();
        let parsed = RtpHeader::parse(&buffer[..length]).unwrap();
        assert_eq!(Extensions::parse(&parsed, &buffer, &ids), extensions);

        let mut writer = CompoundWriter::new(&mut buffer);
        assert!(writer.sender_report(&SenderInfo::default(), [ReportBlock::default(); 40]));
        assert!(
            writer.sdes(1, "cname") && writer.nack(1, 2, [3, 4, 50]) && writer.pli(1, 2) && writer.bye(&[1])
        );
        let length = writer.len();
        for packet in Compound::new(&buffer[..length]) {
            seen += match packet.unwrap() {
                Packet::SenderReport(report) => report.blocks().count(),
                Packet::ReceiverReport(report) => report.blocks().count(),
                Packet::Nack(nack) => nack.sequences().count(),
                _ => 1,
            };
        }
    });
    assert_eq!((made, seen), (0, 2 * (40 + 3 + 2)));
}

#[test]
fn transport_feedback_allocates_nothing() {
    let start = Instant::now();
    let mut feedback = TransportFeedback::new(1, start);
    let (mut now, mut sequence, mut told) = (start, 0_u16, 0);
    let mut buffer = [0; 1_200];
    let made = allocations(|| {
        for _ in 0..5_000 {
            now += Duration::from_micros(900);
            sequence = sequence.wrapping_add(if sequence.is_multiple_of(7) { 3 } else { 1 });
            feedback.record(now, sequence, 5);
            while let Some(length) = feedback.poll(now, &mut buffer) {
                let Some(Ok(Packet::TransportCc(read))) = Compound::new(&buffer[..length]).next() else {
                    panic!()
                };
                told += read.statuses().filter(|s| s.arrival_ticks.is_some()).count();
            }
        }
    });
    assert_eq!(made, 0);
    assert!(told > 9_900, "{told}");
}
