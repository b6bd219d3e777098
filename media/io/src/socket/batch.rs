//! Room for what one receive call takes in.

use std::net::{IpAddr, SocketAddr};

use media_engine::{Coming, api::Datagram};
use media_model::limits::DATAGRAM_BYTES_MAX;

#[cfg(target_os = "linux")]
use super::linux::Inbox;
use crate::limits::{RECEIVE_BATCH, RECEIVE_PLACE_BYTES};

/// Messages in places of equal size, allocated once. With GRO a message is a train: datagrams of one sender, equally
/// long but for the last, one behind the other.
///
/// A place is as long as the longest train, but memory that no train was ever written to is not resident.
pub(crate) struct Batch {
    pub(super) bytes: Box<[u8]>,
    /// One for each place that the call filled, in their order.
    pub(super) messages: Vec<Message>,
    /// What the kernel is told; points into `bytes`.
    #[cfg(target_os = "linux")]
    pub(super) inbox: Inbox,
}

/// What the kernel said about the message in one of the batch's places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    /// 0 if it is to be passed over.
    pub length: usize,
    /// How long each datagram is, the last perhaps less.
    pub segment: usize,
    pub remote: SocketAddr,
    pub local: IpAddr,
}

impl Batch {
    pub fn new() -> Self {
        let mut bytes = vec![0; RECEIVE_BATCH * RECEIVE_PLACE_BYTES].into_boxed_slice();
        Self {
            #[cfg(target_os = "linux")]
            inbox: Inbox::new(bytes.chunks_exact_mut(RECEIVE_PLACE_BYTES)),
            bytes,
            messages: Vec::with_capacity(RECEIVE_BATCH),
        }
    }

    /// Messages that came: datagrams, or trains of them.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether every place was filled: more may wait.
    pub fn is_full(&self) -> bool {
        self.messages.len() == RECEIVE_BATCH
    }

    /// The first datagram of each message, with what follows it in a train.
    pub fn coming(&self) -> impl Iterator<Item = Coming<'_>> + Clone {
        let places = self.bytes.chunks_exact(RECEIVE_PLACE_BYTES);
        self.messages.iter().zip(places).map(|(message, place)| {
            let Message { length, segment, remote, local } = *message;
            let datagrams = length.div_ceil(segment.max(1));
            Coming { remote, local, data: place.get(..length).unwrap_or_default(), datagrams }
        })
    }

    /// The datagrams, in the order of their arrival. What is longer than any of ours is cut, and then fails its checks.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let places = self.bytes.chunks_exact_mut(RECEIVE_PLACE_BYTES);
        self.messages.iter().zip(places).flat_map(|(message, place)| {
            let Message { length, segment, remote, local } = *message;
            let train = place.get_mut(..length).unwrap_or_default();
            train.chunks_mut(segment.max(1)).map(move |data| {
                let length = data.len().min(DATAGRAM_BYTES_MAX);
                Datagram { remote, local, data: data.get_mut(..length).unwrap_or_default() }
            })
        })
    }
}
