//! What is to leave, put together in trains: all datagrams of a batch from one address to another that are equally long,
//! the last perhaps shorter, can be given to the kernel as one message that it cuts up itself.
//!
//! Datagrams to one receiver keep their order: one joins the newest train of its receiver or opens the next.

use std::net::{IpAddr, SocketAddr};

use media_engine::api::Transmit;

use crate::limits::{TRAIN_BYTES_MAX, TRAIN_DATAGRAMS_MAX, TRANSMIT_DATAGRAMS};

/// Receivers whose newest train is remembered. Two that fall on one place cost each other trains, never order.
const PLACES: usize = 1024;

/// No further datagram.
const END: u32 = u32::MAX;

/// Datagrams that leave as one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Train {
    first: u32,
    last: u32,
    /// How many.
    pub datagrams: usize,
    /// How long each is, the last perhaps less.
    pub segment: usize,
    /// All of them together.
    pub bytes: usize,
}

pub(super) struct Trains {
    trains: Vec<Train>,
    /// For each datagram of the buffer the next one of its train.
    next: Vec<u32>,
    /// By receiver: in which round a train was opened, and which.
    newest: Box<[(u32, u32); PLACES]>,
    round: u32,
}

impl Trains {
    pub fn new() -> Self {
        Self {
            trains: Vec::with_capacity(TRANSMIT_DATAGRAMS),
            next: Vec::with_capacity(TRANSMIT_DATAGRAMS),
            newest: Box::new([(0, 0); PLACES]),
            round: 0,
        }
    }

    /// Puts together those of `transmits` that are `ours`. Where one may not `join`, each leaves alone.
    pub fn form(
        &mut self,
        transmits: &[Transmit],
        ours: impl Fn(&Transmit) -> bool,
        join: impl Fn(&Transmit) -> bool,
    ) -> &[Train] {
        self.round = self.round.wrapping_add(1);
        self.trains.clear();
        self.next.clear();
        for (position, transmit) in transmits.iter().enumerate() {
            self.next.push(END);
            if !ours(transmit) {
                continue;
            }
            let position = position as u32;
            let place = place_of(transmit);
            let (round, newest) = self.newest.get(place).copied().unwrap_or_default();
            let train = self.trains.get_mut(newest as usize).filter(|_| round == self.round);
            match train {
                Some(train) if train.takes(transmit, transmits) && join(transmit) => {
                    if let Some(next) = self.next.get_mut(train.last as usize) {
                        *next = position;
                    }
                    train.last = position;
                    train.datagrams += 1;
                    train.bytes += transmit.length;
                }
                _ => {
                    if let Some(newest) = self.newest.get_mut(place) {
                        *newest = (self.round, self.trains.len() as u32);
                    }
                    let (segment, bytes) = (transmit.length, transmit.length);
                    self.trains.push(Train { first: position, last: position, datagrams: 1, segment, bytes });
                }
            }
        }
        &self.trains
    }

    /// The trains of the last call.
    pub fn trains(&self) -> &[Train] {
        &self.trains
    }

    /// A train's datagrams, in order.
    pub fn datagrams<'a>(
        &'a self,
        train: &Train,
        transmits: &'a [Transmit],
    ) -> impl Iterator<Item = &'a Transmit> {
        let mut position = train.first();
        std::iter::from_fn(move || {
            let transmit = transmits.get(position)?;
            position = self.after(position);
            Some(transmit)
        })
    }

    /// Where the next datagram of the same train is, or behind all of them.
    pub fn after(&self, position: usize) -> usize {
        self.next.get(position).copied().unwrap_or(END) as usize
    }
}

impl Train {
    /// Where its first datagram is.
    pub fn first(&self) -> usize {
        self.first as usize
    }

    /// Whether the datagram can follow: same way, not longer, nothing shorter before it, and the kernel's limits.
    fn takes(&self, transmit: &Transmit, transmits: &[Transmit]) -> bool {
        transmit.length <= self.segment
            && self.bytes == self.segment * self.datagrams
            && self.datagrams < TRAIN_DATAGRAMS_MAX
            && self.bytes + transmit.length <= TRAIN_BYTES_MAX
            && transmits
                .get(self.first as usize)
                .is_some_and(|first| (first.remote, first.local) == (transmit.remote, transmit.local))
    }
}

/// Where the newest train of a receiver is remembered.
fn place_of(transmit: &Transmit) -> usize {
    let address = match transmit.remote {
        SocketAddr::V4(remote) => u32::from(*remote.ip()).into(),
        SocketAddr::V6(remote) => {
            let bits = remote.ip().to_bits();
            (bits >> 64) as u64 ^ bits as u64
        }
    };
    let local = match transmit.local {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.to_bits() as u64,
    };
    let mixed =
        (address << 16 ^ u64::from(transmit.remote.port()) ^ local).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 54) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each datagram by receiver and length; each train as its datagrams' positions.
    fn formed(datagrams: &[(&str, usize)]) -> Vec<Vec<usize>> {
        let mut offset = 0;
        let transmits: Vec<Transmit> = datagrams
            .iter()
            .map(|(remote, length)| {
                let remote: SocketAddr = remote.parse().unwrap();
                offset += length;
                Transmit { remote, local: remote.ip(), offset: offset - length, length: *length }
            })
            .collect();
        let mut trains = Trains::new();
        trains.form(
            &transmits,
            |transmit| transmit.remote.port() != 7,
            |transmit| transmit.remote.port() != 8,
        );
        let of = |train| trains.datagrams(train, &transmits).map(|t| transmits.iter().position(|o| o == t));
        trains.trains().iter().map(|train| of(train).map(Option::unwrap).collect()).collect()
    }

    const A: &str = "127.0.0.1:1000";
    const B: &str = "[::1]:1000";

    #[test]
    fn equal_datagrams_to_one_receiver_form_a_train_and_a_shorter_one_ends_it() {
        let datagrams = [(A, 9), (B, 9), (A, 9), (B, 9), (A, 5), (A, 9), (B, 10)];
        assert_eq!(formed(&datagrams), [vec![0, 2, 4], vec![1, 3], vec![5], vec![6]]);
    }

    #[test]
    fn what_one_receiver_gets_stays_in_order_whatever_its_sizes() {
        let datagrams = [(A, 5), (A, 9), (A, 9), (A, 5), (A, 5), (A, 9)];
        let trains = formed(&datagrams);
        assert_eq!(trains.concat(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(trains, [vec![0], vec![1, 2, 3], vec![4], vec![5]]);
    }

    #[test]
    fn a_train_holds_no_more_than_the_kernel_takes() {
        let many = vec![(A, 100); TRAIN_DATAGRAMS_MAX + 3];
        let lengths: Vec<usize> = formed(&many).iter().map(Vec::len).collect();
        assert_eq!(lengths, [TRAIN_DATAGRAMS_MAX, 3]);
        let large = vec![(A, 1500); 50];
        let lengths: Vec<usize> = formed(&large).iter().map(Vec::len).collect();
        assert_eq!(lengths, [TRAIN_BYTES_MAX / 1500, 50 - TRAIN_BYTES_MAX / 1500]);
        assert_eq!(formed(&[(A, 70_000), (A, 1)]), [[0], [1]]);
    }

    #[test]
    fn others_are_left_out_and_who_may_not_join_goes_alone() {
        let (other, alone) = ("127.0.0.1:7", "127.0.0.1:8");
        assert_eq!(formed(&[(other, 3), (alone, 3), (alone, 3), (A, 3)]), [[1], [2], [3]]);
    }
}
