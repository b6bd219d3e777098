//! Faults on purpose, for a test build only (`--features planted-faults`): one forwarded packet in so many is dropped, sent
//! twice, held back or given to somebody else, so that a load harness can show that it finds such things.
//!
//! `CONSILIUM_PLANTED_FAULT=drop:10000` says which and how often; `duplicate`, `delay` and `misroute` are the others.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    num::NonZeroU32,
    os::fd::BorrowedFd,
    str::FromStr,
    time::{Duration, Instant},
};

use media_engine::{
    Engine,
    api::{Transmit, TransmitBuffer},
};

use crate::{
    io_counters::IoCounters,
    limits::{TRANSMIT_BYTES, TRANSMIT_DATAGRAMS},
    socket::{Batch, Features, MediaSocket},
};

const VARIABLE: &str = "CONSILIUM_PLANTED_FAULT";
/// How long a packet is held back.
const DELAY: Duration = Duration::from_millis(100);
/// Packets that are held back at one time.
const HELD_MAX: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Drop,
    Duplicate,
    Delay,
    Misroute,
}

/// Which fault, and that one packet in `every` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    kind: Kind,
    every: NonZeroU32,
}

impl FromStr for Fault {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, every) = text.split_once(':').ok_or(())?;
        let kind = match kind {
            "drop" => Kind::Drop,
            "duplicate" => Kind::Duplicate,
            "delay" => Kind::Delay,
            "misroute" => Kind::Misroute,
            _ => return Err(()),
        };
        Ok(Self { kind, every: every.parse().map_err(|_| ())? })
    }
}

/// The fault that the environment asks for.
fn wanted() -> Option<Fault> {
    let text = std::env::var(VARIABLE).ok()?;
    let fault = text.parse().ok();
    match fault {
        Some(Fault { kind, every }) => tracing::warn!(?kind, every, "this build plants a fault on purpose"),
        None => tracing::error!("{VARIABLE} is none of drop:N, duplicate:N, delay:N, misroute:N"),
    }
    fault
}

/// Has an engine misroute, where the environment asks for that.
pub(crate) fn plant(engine: &mut Engine) {
    if let Some(Fault { kind: Kind::Misroute, every }) = wanted() {
        engine.plant_misrouting(every);
    }
}

/// A datagram that is held back.
#[derive(Debug)]
struct Held {
    due: Instant,
    remote: SocketAddr,
    local: IpAddr,
    bytes: Vec<u8>,
}

/// A socket that drops, repeats or holds back what it is to send.
#[derive(Debug)]
pub(crate) struct PlantedSocket<S> {
    inner: S,
    fault: Option<Fault>,
    /// Packets until the next one that is hit.
    countdown: u32,
    random: u32,
    held: Vec<Held>,
    out: TransmitBuffer,
}

impl<S: MediaSocket> MediaSocket for PlantedSocket<S> {
    fn new(socket: UdpSocket) -> std::io::Result<Self> {
        let inner = S::new(socket)?;
        let fault = wanted().filter(|fault| fault.kind != Kind::Misroute);
        let out = TransmitBuffer::new(TRANSMIT_BYTES, TRANSMIT_DATAGRAMS);
        let countdown = fault.map_or(0, |fault| fault.every.get() / 2);
        Ok(Self { inner, fault, countdown, random: 1, held: Vec::new(), out })
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn counters(&self) -> IoCounters {
        self.inner.counters()
    }

    fn receive(&mut self, batch: &mut Batch) -> std::io::Result<()> {
        self.inner.receive(batch)
    }

    fn send(&mut self, out: &TransmitBuffer) -> u64 {
        let Some(fault) = self.fault else { return self.inner.send(out) };
        let now = Instant::now();
        let mut refused = 0;
        let (due, held) = std::mem::take(&mut self.held).into_iter().partition(|held: &Held| held.due <= now);
        self.held = held;
        for transmit in out.transmits() {
            let bytes = out.bytes(transmit);
            let hit = is_rtp(bytes) && self.hits(fault.every);
            match fault.kind {
                Kind::Drop if hit => {}
                Kind::Delay if hit && self.held.len() < HELD_MAX => {
                    let Transmit { remote, local, .. } = *transmit;
                    self.held.push(Held { due: now + DELAY, remote, local, bytes: bytes.to_vec() });
                }
                _ => {
                    for _ in 0..if hit && fault.kind == Kind::Duplicate { 2 } else { 1 } {
                        refused += self.put(transmit.remote, transmit.local, bytes);
                    }
                }
            }
        }
        for held in due as Vec<Held> {
            refused += self.put(held.remote, held.local, &held.bytes);
        }
        refused + self.flush()
    }
}

impl<S: MediaSocket> PlantedSocket<S> {
    /// Whether it is this packet's turn: one in each stretch of `every`, somewhere.
    fn hits(&mut self, every: NonZeroU32) -> bool {
        if let Some(rest) = self.countdown.checked_sub(1) {
            self.countdown = rest;
            return false;
        }
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // On average as often as was asked for, and in step with no stream.
        self.countdown = every.get() / 2 + (self.random >> 8) % every;
        true
    }

    fn put(&mut self, remote: SocketAddr, local: IpAddr, bytes: &[u8]) -> u64 {
        let write = |space: &mut [u8]| {
            space.copy_from_slice(bytes);
            bytes.len()
        };
        let mut refused = 0;
        if self.out.bytes_free() < bytes.len() || self.out.datagrams_free() == 0 {
            refused = self.flush();
        }
        self.out.push(remote, local, bytes.len(), write);
        refused
    }

    fn flush(&mut self) -> u64 {
        let refused = self.inner.send(&self.out);
        self.out.clear();
        refused
    }
}

/// RFC 7983 §7, RFC 5761 §4
fn is_rtp(bytes: &[u8]) -> bool {
    matches!(bytes, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given.
    struct Sink(Vec<Vec<u8>>);

    impl MediaSocket for Sink {
        fn new(_: UdpSocket) -> std::io::Result<Self> {
            Ok(Self(Vec::new()))
        }

        fn as_fd(&self) -> BorrowedFd<'_> {
            unreachable!("nobody waits for it")
        }

        fn features(&self) -> Features {
            Features::default()
        }

        fn counters(&self) -> IoCounters {
            IoCounters::default()
        }

        fn receive(&mut self, _: &mut Batch) -> std::io::Result<()> {
            Ok(())
        }

        fn send(&mut self, out: &TransmitBuffer) -> u64 {
            self.0.extend(out.iter().map(|(_, bytes)| bytes.to_vec()));
            0
        }
    }

    /// What comes out of 1,000 packets when one in 10 has the fault.
    fn sent_with(fault: &str) -> Vec<Vec<u8>> {
        let out = TransmitBuffer::new(TRANSMIT_BYTES, TRANSMIT_DATAGRAMS);
        let fault = fault.parse().ok();
        let mut socket =
            PlantedSocket { inner: Sink(Vec::new()), fault, countdown: 5, random: 1, held: Vec::new(), out };
        let to: SocketAddr = ([127, 0, 0, 1], 9).into();
        for number in 0_u16..1_000 {
            let mut batch = TransmitBuffer::new(8, 1);
            let [n0, n1] = number.to_be_bytes();
            batch.push(to, to.ip(), 4, |space| {
                space.copy_from_slice(&[0x80, 96, n0, n1]);
                4
            });
            socket.send(&batch);
        }
        std::thread::sleep(DELAY);
        socket.send(&TransmitBuffer::new(0, 0));
        socket.inner.0
    }

    #[test]
    fn one_packet_in_ten_has_the_fault_that_was_asked_for() {
        let distinct = |mut sent: Vec<Vec<u8>>| {
            sent.sort();
            sent.dedup();
            sent.len()
        };
        let dropped = sent_with("drop:10");
        assert!((850..950).contains(&dropped.len()), "{}", dropped.len());
        let repeated = sent_with("duplicate:10");
        assert!((1_050..1_150).contains(&repeated.len()) && distinct(repeated) == 1_000);
        let delayed = sent_with("delay:10");
        assert!(!delayed.is_sorted() && delayed.len() == 1_000 && distinct(delayed) == 1_000);
        assert!(sent_with("nothing").is_sorted());
    }
}
