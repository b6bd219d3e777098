//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1): what came when.

/// The unit of receive deltas, in nanoseconds.
const TICK_NS: u64 = 250_000;
/// Ticks of the reference time's unit, 64 ms.
const REFERENCE_TICKS: u64 = 256;
/// Packets that are remembered from one feedback to the next.
const REMEMBERED_MAX: usize = 512;
/// Longest range of numbers that one feedback tells of.
const RANGE_MAX: u64 = 1_000;

/// Packets that came since the last feedback.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// (extended number, arrival in ticks)
    came: Vec<(u64, u64)>,
    newest: u64,
    count: u8,
}

impl Arrivals {
    /// Notes a packet.
    pub fn note(&mut self, number: u16, arrival_ns: u64) {
        if self.came.len() >= REMEMBERED_MAX {
            return;
        }
        let reference = if self.newest == 0 { 1 << 16 | u64::from(number) } else { self.newest };
        let number = nearest(reference, number);
        self.newest = self.newest.max(number);
        self.came.push((number, arrival_ns / TICK_NS));
    }

    /// Whether there is anything to tell.
    pub fn is_empty(&self) -> bool {
        self.came.is_empty()
    }

    /// Writes the content of a feedback, from the sender's SSRC on, padded to words, and forgets what it told.
    /// Status vector chunks of seven two-bit statuses; what comes too late for a delta is left to the next reference.
    pub fn write(&mut self, own: u32, media: u32, to: &mut [u8]) -> usize {
        self.came.sort_unstable();
        self.came.dedup_by_key(|came| came.0);
        let Some(&(base, _)) = self.came.first() else { return 0 };
        let came = self.came.iter().take_while(|came| came.0 - base < RANGE_MAX);
        let last = came.clone().last().map_or(base, |came| came.0);
        let earliest = came.clone().map(|came| came.1).min().unwrap_or_default();
        let reference = earliest / REFERENCE_TICKS;
        let mut ticks = reference * REFERENCE_TICKS;
        let (mut chunks, mut deltas) = (Vec::new(), Vec::new());
        let mut came = came.peekable();
        let mut number = base;
        while number <= last {
            let mut chunk = 0b11_u16 << 14;
            for i in 0..7 {
                let Some((_, at)) = came.next_if(|came| came.0 == number + i) else { continue };
                let delta = *at as i64 - ticks as i64;
                ticks = *at;
                let (symbol, bytes) = match u8::try_from(delta) {
                    Ok(small) => (1, vec![small]),
                    Err(_) => (2, (delta.clamp(-32_768, 32_767) as i16).to_be_bytes().to_vec()),
                };
                chunk |= symbol << (12 - 2 * i);
                deltas.extend(bytes);
            }
            chunks.extend(chunk.to_be_bytes());
            number += 7;
        }
        let mut content = Vec::with_capacity(20 + chunks.len() + deltas.len());
        content.extend(own.to_be_bytes());
        content.extend(media.to_be_bytes());
        content.extend((base as u16).to_be_bytes());
        content.extend(((last - base + 1) as u16).to_be_bytes());
        content.extend(((reference as u32) << 8 | u32::from(self.count)).to_be_bytes());
        content.extend(chunks);
        content.extend(deltas);
        content.resize(content.len().next_multiple_of(4), 0);
        self.count = self.count.wrapping_add(1);
        self.came.clear();
        match to.get_mut(..content.len()) {
            Some(place) => place.copy_from_slice(&content),
            None => return 0,
        }
        content.len()
    }
}

/// The extended number nearest to `reference` whose lower bits are `number`.
pub fn nearest(reference: u64, number: u16) -> u64 {
    let ahead = number.wrapping_sub(reference as u16).cast_signed();
    reference.saturating_add_signed(i64::from(ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_times_stand_in_the_feedback() {
        let mut arrivals = Arrivals::default();
        let second = 1_000_000_000;
        arrivals.note(65_535, second);
        arrivals.note(2, second + 10 * TICK_NS);
        arrivals.note(0, second + TICK_NS);
        let mut content = [0; 64];
        let length = arrivals.write(1, 2, &mut content);
        assert_eq!(length, 24, "16, a chunk, three deltas, padded");
        assert_eq!(content[8..12], [0xff, 0xff, 0, 4]);
        // 1 s is tick 4,000: reference 15, 160 ticks into it.
        assert_eq!(content[12..16], [0, 0, 15, 0]);
        assert_eq!(content[16..18], 0b11_01_01_00_01_00_00_00_u16.to_be_bytes());
        assert_eq!(content[18..21], [160, 1, 9]);
        assert!(arrivals.is_empty());
    }

    #[test]
    fn numbers_are_extended_across_the_wrap() {
        assert_eq!(nearest(0x1_fffe, 1), 0x2_0001);
        assert_eq!(nearest(0x2_0001, 0xfffe), 0x1_fffe);
    }
}
