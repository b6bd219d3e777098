//! Both kinds of socket, by the same tests.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use super::{linux::LinuxSocket, portable::PortableSocket, *};
use crate::limits::{SEND_BATCH, TRANSMIT_BYTES, TRANSMIT_DATAGRAMS};

const ANY_V4: Option<Ipv4Addr> = Some(Ipv4Addr::UNSPECIFIED);
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
        taken += batch.len();
        for datagram in batch.datagrams() {
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
    for number in 0..SEND_BATCH as u8 + 9 {
        // Longer than any UDP datagram can be.
        let bytes = if number % 10 == 3 { vec![number; 70_000] } else { vec![number] };
        push(&mut out, to, to.ip(), &bytes);
    }
    push(&mut out, "[::1]:9".parse().unwrap(), Ipv6Addr::LOCALHOST.into(), b"for the other socket");
    let too_long = (0..SEND_BATCH + 9).filter(|number| number % 10 == 3).count() as u64;
    assert_eq!(v4.unwrap().send(&out), too_long);
    for number in (0..SEND_BATCH as u8 + 9).filter(|number| number % 10 != 3) {
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
