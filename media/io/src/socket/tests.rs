//! Both kinds of socket, by the same tests.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{linux::LinuxSocket, portable::PortableSocket, *};
use crate::limits::{RECEIVE_BATCH, TRANSMIT_BYTES, TRANSMIT_DATAGRAMS};

const ANY_V4: Option<Ipv4Addr> = Some(Ipv4Addr::UNSPECIFIED);
/// More than one call takes in.
const MANY: usize = 2 * RECEIVE_BATCH;
const ANY_V6: Option<Ipv6Addr> = Some(Ipv6Addr::UNSPECIFIED);

fn client(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

fn buffer() -> TransmitBuffer {
    TransmitBuffer::new(TRANSMIT_BYTES, TRANSMIT_DATAGRAMS)
}

fn push(out: &mut TransmitBuffer, remote: SocketAddr, local: IpAddr, bytes: &[u8]) {
    assert!(out.push(remote, local, bytes.len(), |space| {
        space.copy_from_slice(bytes);
        bytes.len()
    }));
}

/// Takes in what is there, waiting for at least `count`, and sends all of it back.
fn echo<S: MediaSocket>(socket: &mut S, count: usize) -> u64 {
    let (mut batch, mut out, mut refused, mut taken) = (Batch::new(), buffer(), 0, 0);
    for _ in 0..500 {
        socket.receive(&mut batch).unwrap();
        for datagram in batch.datagrams() {
            taken += 1;
            push(&mut out, datagram.remote, datagram.local, datagram.data);
        }
        refused += socket.send(&out);
        out.clear();
        if taken >= count {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(taken, count);
    refused
}

fn everything_comes_back<S: MediaSocket>() {
    let ShardSockets { port, v4, v6 } = bind::<S>(ANY_V4, ANY_V6, 0).unwrap();
    for (socket, own, peer) in [(v4, "127.0.0.1:0", "127.0.0.1"), (v6, "[::1]:0", "::1")] {
        let client = client(own);
        let server = SocketAddr::new(peer.parse().unwrap(), port);
        let datagrams: Vec<Vec<u8>> =
            (0..100_u8).map(|number| vec![number; 1 + usize::from(number)]).collect();
        for datagram in &datagrams {
            client.send_to(datagram, server).unwrap();
        }
        assert_eq!(echo(&mut socket.unwrap(), datagrams.len()), 0);
        for datagram in &datagrams {
            let mut bytes = [0; 1500];
            let (length, from) = client.recv_from(&mut bytes).unwrap();
            assert_eq!((&bytes[..length], from), (&datagram[..], server));
        }
    }
}

#[test]
fn batches_come_back_whole_and_in_order_in_both_families() {
    everything_comes_back::<LinuxSocket>();
}

#[test]
fn the_portable_socket_does_the_same() {
    everything_comes_back::<PortableSocket>();
}

#[test]
fn an_answer_leaves_from_the_address_that_was_hit() {
    let ShardSockets { port, v4, .. } = bind::<LinuxSocket>(ANY_V4, None, 0).unwrap();
    let client = client("127.0.0.1:0");
    let server: SocketAddr = ([127, 9, 8, 7], port).into();
    client.send_to(b"hello", server).unwrap();
    assert_eq!(echo(&mut v4.unwrap(), 1), 0);
    assert_eq!(client.recv_from(&mut [0; 16]).unwrap(), (5, server));
}

fn a_datagram_that_is_refused_is_counted_and_the_others_leave<S: MediaSocket>() {
    let ShardSockets { v4, .. } = bind::<S>(Some(Ipv4Addr::LOCALHOST), None, 0).unwrap();
    let client = client("127.0.0.1:0");
    let to = client.local_addr().unwrap();
    let mut out = buffer();
    for number in 0..MANY as u8 + 9 {
        // Longer than any UDP datagram can be.
        let bytes = if number % 10 == 3 { vec![number; 70_000] } else { vec![number] };
        push(&mut out, to, to.ip(), &bytes);
    }
    push(&mut out, "[::1]:9".parse().unwrap(), Ipv6Addr::LOCALHOST.into(), b"for the other socket");
    let too_long = (0..MANY + 9).filter(|number| number % 10 == 3).count() as u64;
    assert_eq!(v4.unwrap().send(&out), too_long);
    for number in (0..MANY as u8 + 9).filter(|number| number % 10 != 3) {
        let mut bytes = [0; 16];
        assert_eq!((client.recv(&mut bytes).unwrap(), bytes[0]), (1, number));
    }
}

#[test]
fn one_refused_datagram_does_not_hold_up_the_rest() {
    a_datagram_that_is_refused_is_counted_and_the_others_leave::<LinuxSocket>();
    a_datagram_that_is_refused_is_counted_and_the_others_leave::<PortableSocket>();
}

#[test]
fn a_port_that_nobody_listens_on_disturbs_nothing() {
    let ShardSockets { port, v4, .. } = bind::<LinuxSocket>(Some(Ipv4Addr::LOCALHOST), None, 0).unwrap();
    let mut socket = v4.unwrap();
    let closed = client("127.0.0.1:0").local_addr().unwrap();
    let mut out = buffer();
    push(&mut out, closed, closed.ip(), b"anybody there?");
    assert_eq!((socket.send(&out), socket.send(&out)), (0, 0));
    let client = client("127.0.0.1:0");
    client.send_to(b"hello", ("127.0.0.1", port)).unwrap();
    assert_eq!(echo(&mut socket, 1), 0);
    assert_eq!(client.recv(&mut [0; 16]).unwrap(), 5);
}

#[test]
fn a_taken_port_is_an_error_and_a_free_one_is_found() {
    let first = bind::<LinuxSocket>(ANY_V4, ANY_V6, 0).unwrap();
    let again = bind::<LinuxSocket>(ANY_V4, ANY_V6, first.port).err();
    assert_eq!(again.map(|error| error.kind()), Some(io::ErrorKind::AddrInUse));
    let second = bind::<LinuxSocket>(ANY_V4, ANY_V6, 0).unwrap();
    assert_ne!(first.port, second.port);
}

/// The next messages that a socket gets, waited for.
fn taken<S: MediaSocket>(socket: &mut S, batch: &mut Batch) {
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        socket.receive(batch).unwrap();
        if batch.len() > 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("nothing came");
}

/// A socket that sends and one that receives, of one family.
fn pair(ip: IpAddr) -> (LinuxSocket, LinuxSocket, SocketAddr) {
    let open = || LinuxSocket::new(UdpSocket::bind((ip, 0)).unwrap()).unwrap();
    let receiver = UdpSocket::bind((ip, 0)).unwrap();
    let to = receiver.local_addr().unwrap();
    (open(), LinuxSocket::new(receiver).unwrap(), to)
}

fn has_trains(socket: &LinuxSocket) -> bool {
    let Features { trains_in, trains_out, .. } = socket.features();
    trains_in && trains_out
}

#[test]
fn a_train_leaves_as_one_message_and_is_taken_apart_again() {
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let (mut sender, mut receiver, to) = pair(ip);
        if !has_trains(&sender) {
            return assert!(sender.features().batches);
        }
        let mut out = buffer();
        let lengths = [300, 300, 300, 120, 120, 500];
        for (number, length) in lengths.into_iter().enumerate() {
            push(&mut out, to, ip, &vec![number as u8; length]);
        }
        assert_eq!(sender.send(&out), 0);
        let mut batch = Batch::new();
        taken(&mut receiver, &mut batch);
        let messages: Vec<_> =
            batch.messages.iter().map(|message| (message.length, message.segment)).collect();
        assert_eq!(messages, [(1020, 300), (120, 120), (500, 500)]);
        let datagrams: Vec<_> =
            batch.datagrams().map(|datagram| (datagram.data[0], datagram.data.len())).collect();
        assert_eq!(datagrams, [(0, 300), (1, 300), (2, 300), (3, 120), (4, 120), (5, 500)]);
        assert!(batch.datagrams().all(|datagram| datagram.local == ip && datagram.remote.ip() == ip));
    }
}

#[test]
fn trains_to_several_receivers_carry_what_lay_apart_in_the_buffer() {
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (mut sender, first, to_first) = pair(ip);
    let (_, second, to_second) = pair(ip);
    let mut out = buffer();
    for number in 0..100 {
        push(&mut out, if number % 2 == 0 { to_first } else { to_second }, ip, &[number; 1200]);
    }
    assert_eq!(sender.send(&out), 0);
    for (mut receiver, odd) in [(first, 0), (second, 1)] {
        let (mut batch, mut numbers) = (Batch::new(), Vec::new());
        while numbers.len() < 50 {
            taken(&mut receiver, &mut batch);
            numbers.extend(batch.datagrams().map(|datagram| datagram.data[1199]));
        }
        assert_eq!(numbers, (0..50).map(|number| 2 * number + odd).collect::<Vec<u8>>());
    }
}

#[test]
fn datagrams_of_a_train_that_is_refused_leave_one_by_one() {
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (_, mut receiver, to) = pair(ip);
    let socket = socket2::Socket::from(UdpSocket::bind((ip, 0)).unwrap());
    // Without checksums the kernel cuts nothing up: EINVAL, udp_send_skb() in net/ipv4/udp.c.
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int that lives across the call.
    let result = unsafe {
        let (fd, length) = (std::os::fd::AsRawFd::as_raw_fd(&socket), size_of::<libc::c_int>() as _);
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_NO_CHECK, (&raw const on).cast(), length)
    };
    assert_eq!(result, 0);
    let mut sender = LinuxSocket::new(socket.into()).unwrap();
    let (mut batch, mut out) = (Batch::new(), buffer());
    for round in 0..2 {
        for number in 0..5 {
            push(&mut out, to, ip, &[10 * round + number; 200]);
        }
        assert_eq!(sender.send(&out), 0);
        out.clear();
    }
    let mut numbers = Vec::new();
    while numbers.len() < 10 {
        taken(&mut receiver, &mut batch);
        assert!(batch.messages.iter().all(|message| message.length == 200));
        numbers.extend(batch.datagrams().map(|datagram| datagram.data[0]));
    }
    assert_eq!(numbers, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
    assert_eq!(sender.counters().trains_refused, u64::from(sender.features().trains_out));
}

#[test]
fn marks_of_congestion_are_counted() {
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (_, mut receiver, to) = pair(ip);
    let marked = socket2::Socket::from(client("127.0.0.1:0"));
    marked.set_tos_v4(0b11).unwrap();
    marked.send_to(b"from a full queue", &to.into()).unwrap();
    client("127.0.0.1:0").send_to(b"from an empty one", to).unwrap();
    let (mut batch, mut datagrams) = (Batch::new(), 0);
    while datagrams < 2 {
        taken(&mut receiver, &mut batch);
        datagrams += batch.datagrams().count();
    }
    assert_eq!(receiver.counters().ecn_marked, u64::from(receiver.features().ecn));
}

/// Set for the process that is in a network of its own.
const NARROW: &str = "CONSILIUM_TEST_NARROW_NETWORK";

#[test]
fn what_a_narrow_path_does_not_take_in_one_piece_goes_in_fragments() {
    if std::env::var_os(NARROW).is_some() {
        return send_through_a_narrow_path();
    }
    // A network namespace is left with the process.
    let name = "socket::tests::what_a_narrow_path_does_not_take_in_one_piece_goes_in_fragments";
    let inside = format!("ip link set lo up mtu 1000 && exec \"$0\" --exact {name}");
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", &inside])
        .arg(std::env::current_exe().unwrap())
        .env(NARROW, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
}

fn send_through_a_narrow_path() {
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (mut sender, mut receiver, to) = pair(ip);
    let (mut batch, mut out) = (Batch::new(), buffer());
    let lengths = [1200, 200, 1200, 1200, 1200, 300];
    for length in lengths {
        push(&mut out, to, ip, &vec![7; length]);
    }
    assert_eq!(sender.send(&out), 0);
    let mut arrived = Vec::new();
    while arrived.len() < lengths.len() {
        taken(&mut receiver, &mut batch);
        arrived.extend(batch.datagrams().map(|datagram| datagram.data.len()));
    }
    assert_eq!(arrived, lengths);
}
