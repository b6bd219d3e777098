//! A packet's place among what its sender sent, by the stamps: in order, late, repaired, or there already.

/// A packet that comes after one which was sent this much later was held back somewhere; less is mere reordering.
pub const HELD_BACK_NS: u64 = 20_000_000;
/// Packets of which it is known whether they have come.
const WINDOW: u32 = u128::BITS;

/// Where a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The newest. So many before it are missing, and one that is given up for good.
    Newest {
        /// Between it and the newest before.
        missed: u32,
        /// Lost, now that it has left the window.
        gone: Option<u32>,
    },
    /// The original came after one that was sent so much later; its retransmission may have come before it.
    Overtaken {
        /// Sent later by so much, in nanoseconds.
        by_ns: u64,
        /// Whether a retransmission was here first.
        was_repaired: bool,
    },
    /// It was missing, was asked for and is here now.
    Repaired,
    /// It was asked for and had come meanwhile.
    Repeated,
    /// It came before and nobody asked for it.
    Duplicate,
}

/// Packets of one sender on one stream.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    sender: u32,
    begin: u32,
    newest: u32,
    newest_sent_ns: u64,
    /// Bit i: `newest - i` has come.
    seen: u128,
    /// Bit i: `newest - i` has come as it was, not by retransmission.
    original: u128,
    /// Newest of the window before.
    base: u32,
    /// Packets beyond `base` that came, each once.
    unique: u32,
}

impl Order {
    /// Begins with the first packet that came of a sender.
    pub fn begin(sender: u32, sequence: u32, sent_ns: u64) -> Self {
        Self {
            sender,
            begin: sequence,
            newest: sequence,
            newest_sent_ns: sent_ns,
            seen: 1,
            original: 1,
            base: sequence.wrapping_sub(1),
            unique: 1,
        }
    }

    /// Whose packets these are.
    pub fn sender(&self) -> u32 {
        self.sender
    }

    /// The newest that came.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// Takes a packet in. `asked` says that it is a retransmission, or may be one.
    pub fn note(&mut self, sequence: u32, sent_ns: u64, asked: bool) -> Place {
        let ahead = sequence.wrapping_sub(self.newest).cast_signed();
        let distance = ahead.unsigned_abs();
        if ahead > 0 {
            let gone = self.gone(distance);
            let shifted = |bits: u128| bits.checked_shl(distance).unwrap_or(0);
            self.seen = shifted(self.seen) | 1;
            self.original = shifted(self.original) | u128::from(!asked);
            (self.newest, self.newest_sent_ns) = (sequence, sent_ns);
            self.unique += 1;
            return Place::Newest { missed: distance - 1, gone };
        }
        let by_ns = self.newest_sent_ns.saturating_sub(sent_ns);
        // What lies further back than is remembered is taken as new.
        let bit = 1_u128.checked_shl(distance).unwrap_or(0);
        let (was_seen, was_original) = (self.seen & bit != 0, self.original & bit != 0);
        self.seen |= bit;
        if !was_seen {
            self.unique += u32::from(sequence.wrapping_sub(self.base).cast_signed() > 0);
        }
        if asked {
            return if was_seen { Place::Repeated } else { Place::Repaired };
        }
        self.original |= bit;
        if was_original { Place::Duplicate } else { Place::Overtaken { by_ns, was_repaired: was_seen } }
    }

    /// A packet that never came and leaves the window when it moves on by so many.
    fn gone(&self, distance: u32) -> Option<u32> {
        let leaving = !self.seen & !(u128::MAX.checked_shr(distance).unwrap_or(0));
        let place = WINDOW.checked_sub(leaving.leading_zeros() + 1)?;
        self.if_expected(place)
    }

    /// Packets that are missing among the newest, oldest first.
    pub fn missing(&self) -> impl Iterator<Item = u32> {
        let order = *self;
        (0..WINDOW)
            .rev()
            .filter(move |at| order.seen & 1 << at == 0)
            .filter_map(move |at| order.if_expected(at))
    }

    fn if_expected(&self, place: u32) -> Option<u32> {
        let sequence = self.newest.wrapping_sub(place);
        let after = |than: u32| sequence.wrapping_sub(than).cast_signed();
        (after(self.base) > 0 && after(self.begin) >= 0).then_some(sequence)
    }

    /// How many of the window are missing.
    pub fn lost(&self) -> u32 {
        self.newest.wrapping_sub(self.base).saturating_sub(self.unique)
    }

    /// A measuring window begins.
    pub fn begin_window(&mut self) {
        (self.base, self.unique) = (self.newest, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Packets of a stream with one each 20 ms.
    fn note(order: &mut Order, sequence: u32, asked: bool) -> Place {
        order.note(sequence, u64::from(sequence) * 20 * MS, asked)
    }

    fn begun() -> Order {
        let mut order = Order::begin(3, 10, 200 * MS);
        (11..=20).for_each(|sequence| {
            note(&mut order, sequence, false);
        });
        order
    }

    #[test]
    fn a_stream_without_a_fault_has_none() {
        let mut order = begun();
        assert_eq!(note(&mut order, 21, false), Place::Newest { missed: 0, gone: None });
        assert_eq!((order.lost(), order.missing().count()), (0, 0));
    }

    #[test]
    fn what_never_comes_is_lost_and_named() {
        let mut order = begun();
        assert_eq!(note(&mut order, 22, false), Place::Newest { missed: 1, gone: None });
        assert_eq!(order.missing().collect::<Vec<_>>(), [21]);
        let gone: Vec<u32> = (23..300)
            .filter_map(|sequence| match note(&mut order, sequence, false) {
                Place::Newest { gone, .. } => gone,
                _ => None,
            })
            .collect();
        assert_eq!((gone, order.lost()), (vec![21], 1));
    }

    #[test]
    fn what_is_repaired_is_not_lost_and_its_original_is_late_not_twice() {
        let mut order = begun();
        note(&mut order, 26, false);
        assert_eq!(note(&mut order, 23, true), Place::Repaired);
        assert_eq!(note(&mut order, 23, true), Place::Repeated);
        assert_eq!(note(&mut order, 23, false), Place::Overtaken { by_ns: 60 * MS, was_repaired: true });
        assert_eq!(note(&mut order, 24, false), Place::Overtaken { by_ns: 40 * MS, was_repaired: false });
        assert_eq!(order.lost(), 3);
    }

    #[test]
    fn what_comes_twice_is_a_duplicate_also_behind_others() {
        let mut order = begun();
        assert_eq!(note(&mut order, 20, false), Place::Duplicate);
        assert_eq!(note(&mut order, 12, false), Place::Duplicate);
        assert_eq!(order.lost(), 0);
    }

    #[test]
    fn a_leap_beyond_the_window_counts_everything_between() {
        let mut order = begun();
        assert_eq!(note(&mut order, 1_020, false), Place::Newest { missed: 999, gone: None });
        assert_eq!(order.lost(), 999);
        order.begin_window();
        assert_eq!((order.lost(), order.missing().count()), (0, 0));
    }
}
