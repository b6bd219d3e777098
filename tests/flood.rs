//! Random and truncated datagrams to the media ports, at a high rate, change nothing.

mod support;

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use support::{control::BackEnd, metrics::Metrics, node::Node, witnesses::Witnesses};

const FLOOD: Duration = Duration::from_secs(2);
/// 100 every 5 ms: 20,000 a second, a hundred times what the two witnesses send.
const BURST: u64 = 100;
const PAUSE: Duration = Duration::from_millis(5);

/// xorshift64: the same flood every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Something that begins like a protocol spoken there (RFC 7983 §7) and then is anything at all.
fn datagram(random: &mut Random, count: u64) -> Vec<u8> {
    let length = (random.next() % 1_400) as usize;
    let mut bytes = random.bytes(length);
    let start: &[u8] = match count % 6 {
        // A STUN binding request without anything that it needs (RFC 8489 §5).
        0 => &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        // The start of a DTLS handshake record.
        1 => &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1],
        // RTP, RTCP, then the first bytes of a packet only, then noise.
        2 => &[0x80, 96, 0, 1],
        3 => &[0x81, 201, 0, 7],
        4 => return bytes.drain(..bytes.len().min(3)).collect(),
        _ => &[],
    };
    let shared = start.len().min(bytes.len());
    bytes[..shared].copy_from_slice(&start[..shared]);
    bytes
}

/// Sends for a while, from one address; how many.
fn flood(from: &str, to: SocketAddr, seed: u64) -> u64 {
    let socket = UdpSocket::bind(from).expect("a socket");
    let (started, mut random, mut sent) = (Instant::now(), Random(seed), 0);
    while started.elapsed() < FLOOD {
        for _ in 0..BURST {
            let bytes = datagram(&mut random, sent);
            sent += u64::from(socket.send_to(&bytes, to).is_ok());
        }
        std::thread::sleep(PAUSE);
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_the_media_port_is_dropped_by_name_and_disturbs_nobody() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let mut witnesses = Witnesses::meet(&node, &back_end, &consult).await;
    let before = Metrics::of(node.address()).await;

    let addresses = witnesses.media_addresses();
    let target = addresses.into_iter().find(|address| address.ip().is_loopback() && address.is_ipv4());
    let target = target.expect("a candidate on the loopback interface");
    let sent = tokio::task::spawn_blocking(move || flood("127.0.0.1:0", target, 0x5eed)).await.expect("sent");
    witnesses.noticed_nothing().await;

    let after = Metrics::of(node.address()).await;
    let dropped = |metrics: &Metrics| metrics.sum("consilium_packets_dropped_total");
    // The kernel may lose some of it when its buffer is full; never most.
    let counted = dropped(&after) - dropped(&before);
    assert!(counted > 0.5 * sent as f64, "{counted} of {sent} counted");
    for reason in ["unknown_protocol", "stun_malformed", "address_unknown"] {
        assert!(after.dropped(reason) > before.dropped(reason), "{reason} moves");
    }
    assert_eq!(after.value("consilium_transports"), before.value("consilium_transports"));
    let [memory, memory_before] =
        [&after, &before].map(|metrics| metrics.value("process_resident_memory_bytes"));
    assert!(memory < memory_before + 32e6, "memory grew from {memory_before} to {memory}");
    assert!(!node.log().contains("panic"), "nothing panicked");
    assert!(node.stop().status.success());
}
