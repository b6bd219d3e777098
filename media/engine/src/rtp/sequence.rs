//! Counters that wrap on the wire, extended to 64 bits that do not (RFC 3550 A.1).

/// The number nearest to `reference` whose low 16 bits are `sequence`; never below zero.
///
/// Right as long as the two are less than 2^15 apart.
pub const fn nearest_sequence(reference: u64, sequence: u16) -> u64 {
    let ahead = sequence.wrapping_sub(reference as u16) as i16 as i64;
    match reference.checked_add_signed(ahead) {
        Some(extended) => extended,
        None => sequence as u64,
    }
}

/// The number nearest to `reference` whose low 32 bits are `timestamp`; never below zero.
///
/// Right as long as the two are less than 2^31 apart.
pub const fn nearest_timestamp(reference: u64, timestamp: u32) -> u64 {
    let ahead = timestamp.wrapping_sub(reference as u32) as i32 as i64;
    match reference.checked_add_signed(ahead) {
        Some(extended) => extended,
        None => timestamp as u64,
    }
}

/// Extends the 16-bit numbers of one stream, in any order.
///
/// The first one gets cycle 1, so that those which it overtook still have room below it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SequenceExtender {
    highest: Option<u64>,
}

impl SequenceExtender {
    /// The extended number; remembers the highest.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let reference = self.highest.unwrap_or(1 << 16 | u64::from(sequence));
        let extended = nearest_sequence(reference, sequence);
        self.highest = Some(reference.max(extended));
        extended
    }

    /// The highest so far.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

/// Extends the 32-bit timestamps of one stream, in any order.
///
/// The first one gets cycle 1, so that those which it overtook still have room below it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimestampExtender {
    highest: Option<u64>,
}

impl TimestampExtender {
    /// The extended timestamp; remembers the highest.
    pub fn extend(&mut self, timestamp: u32) -> u64 {
        let reference = self.highest.unwrap_or(1 << 32 | u64::from(timestamp));
        let extended = nearest_timestamp(reference, timestamp);
        self.highest = Some(reference.max(extended));
        extended
    }

    /// The highest so far.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_over_a_wrap_and_late_ones_stay_before_it() {
        let mut extender = SequenceExtender::default();
        let extended: Vec<_> = [65_534, 1, 65_535, 0, 65_533].iter().map(|s| extender.extend(*s)).collect();
        assert_eq!(extended, [131_070, 131_073, 131_071, 131_072, 131_069]);
        assert_eq!(extender.highest(), Some(131_073));
    }

    #[test]
    fn timestamps_go_on_over_a_wrap_and_late_ones_stay_before_it() {
        let mut extender = TimestampExtender::default();
        let first = extender.extend(u32::MAX - 9);
        assert_eq!(extender.extend(20) - first, 30);
        assert_eq!(extender.extend(u32::MAX - 109), first - 100);
    }

    #[test]
    fn nothing_is_before_zero() {
        assert_eq!(nearest_sequence(3, 65_535), 65_535);
        assert_eq!(nearest_sequence(65_536 + 3, 65_535), 65_535);
        assert_eq!(nearest_timestamp(3, u32::MAX), u64::from(u32::MAX));
    }
}
