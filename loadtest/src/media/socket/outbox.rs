//! Packets that wait to be sent. Equal ones of one transport, one after another, form a train: one call, one GSO message.

/// Longest packet that is written.
pub const PACKET_BYTES_MAX: usize = 1_500;
const ARENA_BYTES: usize = 768 * 1024;
/// Trains after which a flush is due: what a stamp says and what the kernel sees stay close together.
const TRAINS_WANTED: usize = 8;
/// What the kernel takes as one GSO message.
const TRAIN_PACKETS_MAX: usize = 40;

/// Packets of one transport.
#[derive(Debug, Clone, Copy)]
pub struct Train {
    /// Whose.
    pub transport: u32,
    /// Where they begin in the arena.
    pub start: usize,
    /// Bytes of all.
    pub length: usize,
    /// Bytes of each.
    pub segment: usize,
}

/// Packets that wait.
#[derive(Debug)]
pub struct Outbox {
    arena: Box<[u8]>,
    used: usize,
    trains: Vec<Train>,
    stamped_ns: Option<u64>,
}

impl Outbox {
    /// An empty one.
    pub fn new() -> Self {
        Self { arena: vec![0; ARENA_BYTES].into(), used: 0, trains: Vec::with_capacity(64), stamped_ns: None }
    }

    /// Adds the packet that `write` writes, whose length it tells; none where it says so.
    /// False where there is no room: the caller has to flush more often.
    pub fn packet(&mut self, transport: u32, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let start = self.used;
        let Some(place) = self.arena.get_mut(start..start + PACKET_BYTES_MAX) else { return false };
        let Some(length) = write(place).filter(|length| *length > 0) else { return true };
        self.used += length;
        match self.trains.last_mut() {
            Some(train)
                if train.transport == transport
                    && train.segment == length
                    && train.length < length * TRAIN_PACKETS_MAX =>
            {
                train.length += length;
            }
            _ => self.trains.push(Train { transport, start, length, segment: length }),
        }
        true
    }

    /// A packet that is about to be added says that it is sent now.
    pub fn note_stamp(&mut self, now_ns: u64) {
        self.stamped_ns.get_or_insert(now_ns);
    }

    /// When the first of those that wait says that it was sent.
    pub fn stamped_ns(&self) -> Option<u64> {
        self.stamped_ns
    }

    /// Whether it is time to send.
    pub fn is_due(&self) -> bool {
        self.trains.len() >= TRAINS_WANTED || self.used > ARENA_BYTES / 2
    }

    /// The trains, in order.
    pub fn trains(&self) -> &[Train] {
        &self.trains
    }

    /// The bytes of a train.
    pub fn bytes(&self, train: &Train) -> &[u8] {
        self.arena.get(train.start..train.start + train.length).unwrap_or_default()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.used = 0;
        self.trains.clear();
        self.stamped_ns = None;
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_packets_of_one_transport_form_a_train() {
        let mut outbox = Outbox::new();
        for (transport, length) in [(1, 100), (1, 100), (1, 50), (2, 50), (2, 50), (1, 50)] {
            assert!(outbox.packet(transport, |to| {
                to[..length].fill(transport as u8);
                Some(length)
            }));
        }
        assert!(outbox.packet(9, |_| None));
        let trains: Vec<_> = outbox.trains().iter().map(|t| (t.transport, t.segment, t.length)).collect();
        assert_eq!(trains, [(1, 100, 200), (1, 50, 50), (2, 50, 100), (1, 50, 50)]);
        assert_eq!(outbox.bytes(&outbox.trains()[2]), [2; 100]);
    }
}
