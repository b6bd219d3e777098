//! Replay windows (RFC 3711 §3.3.2) and the bounded table of the SSRCs that they belong to.

use std::mem::offset_of;

use media_model::limits::TRANSPORT_SSRCS_MAX;

/// Which of the last `64 * WORDS` indices have come already.
#[derive(Debug, Clone)]
pub(super) struct ReplayWindow<const WORDS: usize> {
    highest: u64,
    /// Bit `index % (64 * WORDS)` belongs to the one index in the window that has that remainder.
    seen: [u64; WORDS],
}

impl<const WORDS: usize> ReplayWindow<WORDS> {
    const BITS: u64 = 64 * WORDS as u64;

    /// A window that has seen this one index.
    pub(super) fn starting_at(index: u64) -> Self {
        let mut window = Self { highest: index, seen: [0; WORDS] };
        window.mark(index);
        window
    }

    /// The highest index that was accepted.
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether the index is new, and not too old to tell.
    pub(super) fn is_new(&self, index: u64) -> bool {
        let (word, bit) = Self::place(index);
        index > self.highest || (self.highest - index < Self::BITS && self.seen[word] & bit == 0)
    }

    /// Remembers an index that [`Self::is_new`] and was authenticated.
    pub(super) fn accept(&mut self, index: u64) {
        if index > self.highest {
            let forgotten = (index - self.highest).min(Self::BITS);
            for passed in index + 1 - forgotten..=index {
                let (word, bit) = Self::place(passed);
                self.seen[word] &= !bit;
            }
            self.highest = index;
        }
        self.mark(index);
    }

    fn mark(&mut self, index: u64) {
        let (word, bit) = Self::place(index);
        self.seen[word] |= bit;
    }

    fn place(index: u64) -> (usize, u64) {
        let position = index % Self::BITS;
        ((position / 64) as usize, 1 << (position % 64))
    }
}

/// The replay windows of a transport, by SSRC. Entries are made for authenticated packets only and never given up:
/// a window that was forgotten would let everything be replayed that it had seen.
#[derive(Debug)]
#[repr(C)]
pub(super) struct SsrcTable<const WORDS: usize> {
    windows: Vec<ReplayWindow<WORDS>>,
    /// Apart from the windows, so that looking one up reads one or two cache lines.
    ssrcs: [u32; TRANSPORT_SSRCS_MAX],
}

impl<const WORDS: usize> SsrcTable<WORDS> {
    /// With the SSRCs that come first: few transports have more.
    pub(super) const FRONT_BYTES: usize = offset_of!(Self, ssrcs) + size_of::<[u32; 8]>();

    pub(super) fn new() -> Self {
        Self { ssrcs: [0; TRANSPORT_SSRCS_MAX], windows: Vec::new() }
    }

    pub(super) fn window(&self, ssrc: u32) -> Option<&ReplayWindow<WORDS>> {
        self.windows.get(self.position(ssrc)?)
    }

    /// Remembers an authenticated packet; false when its SSRC is one too many.
    pub(super) fn accept(&mut self, ssrc: u32, index: u64) -> bool {
        if let Some(window) = self.position(ssrc).and_then(|position| self.windows.get_mut(position)) {
            window.accept(index);
            return true;
        }
        let Some(free) = self.ssrcs.get_mut(self.windows.len()) else { return false };
        *free = ssrc;
        self.windows.push(ReplayWindow::starting_at(index));
        true
    }

    /// How many SSRCs it holds.
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    fn position(&self, ssrc: u32) -> Option<usize> {
        self.ssrcs.iter().take(self.windows.len()).position(|known| *known == ssrc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_passes_once_and_only_within_the_window() {
        let mut window = ReplayWindow::<2>::starting_at(1_000);
        assert!(!window.is_new(1_000));
        for index in [1_127, 1_001, 1_126] {
            assert!(window.is_new(index));
            window.accept(index);
            assert!(!window.is_new(index));
        }
        assert!(!window.is_new(999), "too old to tell");
        assert!(window.is_new(1_002));
        window.accept(1_000_000);
        assert!(!window.is_new(1_127) && window.is_new(999_999) && !window.is_new(1_000_000));
    }

    /// Against a set that remembers everything.
    #[test]
    fn a_window_agrees_with_a_memory_without_bounds() {
        let mut window = ReplayWindow::<2>::starting_at(500);
        let mut memory = std::collections::HashSet::from([500]);
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..100_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let index = (window.highest() + state % 200).saturating_sub(190);
            let recent = index > window.highest() || window.highest() - index < 128;
            assert_eq!(window.is_new(index), recent && !memory.contains(&index));
            if window.is_new(index) {
                window.accept(index);
                memory.insert(index);
            }
        }
        assert!(window.highest() > 500);
    }
}
