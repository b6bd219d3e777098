//! The payloads of a track's last second, once, for everyone who asks for one again.
//!
//! Payloads stand one after another in chunks; when the current chunk is full, the oldest one that has outlived its
//! second is taken over, else a new one is allocated, up to the limit. A busy track allocates nothing.

use std::{num::NonZeroU64, time::Instant};

use media_model::{
    MediaKind,
    limits::{CACHE_AGE_MAX, CACHE_BYTES_MAX},
};
use prefetch::{LINE_BYTES, prefetch, prefetch_slice};

/// Chunks of a video track and their size; the index has places for so many packets at most.
const VIDEO: Size = Size { chunk_bytes: 16 * 1024, chunks_max: CACHE_BYTES_MAX / (16 * 1024), packets: 512 };
/// A second of Opus: 50 packets of about 80 bytes, or 100 of 300 at most.
const AUDIO: Size = Size { chunk_bytes: 1_536, chunks_max: 10, packets: 128 };
/// Places of an index at first: who is silent sends a packet or three a second, and there are many of them.
const PLACES_FIRST: u64 = 8;

#[derive(Debug, Clone, Copy)]
struct Size {
    chunk_bytes: usize,
    chunks_max: usize,
    packets: u64,
}

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    used: usize,
    /// Counts up when the chunk is taken over, which is how older entries know that they are gone.
    generation: u32,
    newest: Instant,
}

/// Where a payload stands, and what else is known of its packet: a line of the processor's caches.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Entry<M> {
    /// The sequence number that follows the packet's own, which may be 0.
    follower: NonZeroU64,
    /// After the cache's first packet, on a circle of 49 days.
    at_ms: u32,
    generation: u32,
    chunk: u16,
    offset: u16,
    length: u16,
    meta: M,
}

/// Payloads by extended sequence number, each with what else is known of its packet.
#[derive(Debug)]
pub struct Cache<M> {
    size: Size,
    /// Of the first packet.
    origin: Option<Instant>,
    chunks: Vec<Chunk>,
    current: usize,
    /// By sequence number modulo its length; empty before the first packet.
    entries: Vec<Option<Entry<M>>>,
}

impl<M: Copy> Cache<M> {
    /// An entry has to fit a line, which its neighbours do not share: it is written with every packet.
    const FITS_LINE: () = assert!(size_of::<Option<Entry<M>>>() == LINE_BYTES);

    /// An empty cache, which has allocated nothing.
    pub fn new(kind: MediaKind) -> Self {
        let () = Self::FITS_LINE;
        let size = match kind {
            MediaKind::Audio => AUDIO,
            MediaKind::Video => VIDEO,
        };
        Self { size, origin: None, chunks: Vec::new(), current: 0, entries: Vec::new() }
    }

    /// Keeps a payload; one that is larger than a chunk is not kept.
    pub fn insert(&mut self, now: Instant, sequence: u64, meta: M, payload: &[u8]) {
        let follower = sequence.checked_add(1).and_then(NonZeroU64::new);
        let Some(follower) = follower.filter(|_| payload.len() <= self.size.chunk_bytes) else { return };
        let at_ms = ms_between(*self.origin.get_or_insert(now), now);
        self.make_place(at_ms, follower);
        let fits = |chunk: &Chunk| chunk.bytes.len() - chunk.used >= payload.len();
        if !self.chunks.get(self.current).is_some_and(fits) {
            self.current = self.take_over(now);
        }
        let chunk = &mut self.chunks[self.current];
        let offset = chunk.used;
        let Some(space) = chunk.bytes.get_mut(offset..offset + payload.len()) else { return };
        space.copy_from_slice(payload);
        chunk.used += payload.len();
        chunk.newest = now;
        let place = (sequence % self.entries.len() as u64) as usize;
        self.entries[place] = Some(Entry {
            follower,
            at_ms,
            generation: chunk.generation,
            chunk: self.current as u16,
            offset: offset as u16,
            length: payload.len() as u16,
            meta,
        });
    }

    /// Widens the index while the packet in this one's place is still wanted, up to the limit.
    fn make_place(&mut self, at_ms: u32, follower: NonZeroU64) {
        let is_wanted = |entry: &Entry<M>| {
            let age_ms = at_ms.wrapping_sub(entry.at_ms);
            entry.follower != follower && u128::from(age_ms) <= CACHE_AGE_MAX.as_millis()
        };
        loop {
            let places = self.entries.len() as u64;
            let taken = (follower.get() - 1).checked_rem(places);
            let taken = taken.and_then(|place| self.entries.get(place as usize)?.as_ref());
            if places == self.size.packets || (places > 0 && !taken.is_some_and(is_wanted)) {
                return;
            }
            let wider = (2 * places).clamp(PLACES_FIRST, self.size.packets);
            let entries = std::mem::replace(&mut self.entries, vec![None; wider as usize]);
            for entry in entries.into_iter().flatten() {
                self.entries[((entry.follower.get() - 1) % wider) as usize] = Some(entry);
            }
        }
    }

    /// Has the processor fetch what says where the next payloads are going to stand …
    pub fn prefetch_entries(&self, sequence: u64, count: usize) {
        let first = sequence.checked_rem(self.entries.len() as u64).unwrap_or(0) as usize;
        self.entries.iter().skip(first).take(count).for_each(prefetch);
        self.chunks.get(self.current).into_iter().for_each(prefetch);
    }

    /// … and, when that is there, the place itself.
    pub fn prefetch_space(&self, payload_bytes: usize) {
        if let Some(chunk) = self.chunks.get(self.current) {
            let rest = chunk.bytes.get(chunk.used..).unwrap_or_default();
            prefetch_slice(rest.get(..payload_bytes).unwrap_or(rest));
        }
    }

    /// The payload, unless it is older than [`CACHE_AGE_MAX`] or had to make room.
    pub fn find(&self, now: Instant, sequence: u64) -> Option<(M, &[u8])> {
        let place = sequence.checked_rem(self.entries.len() as u64)?;
        let entry = self.entries.get(place as usize)?.as_ref()?;
        let age_ms = ms_between(self.origin?, now).wrapping_sub(entry.at_ms);
        if entry.follower.get() - 1 != sequence || u128::from(age_ms) > CACHE_AGE_MAX.as_millis() {
            return None;
        }
        let chunk = self.chunks.get(usize::from(entry.chunk)).filter(|c| c.generation == entry.generation)?;
        let offset = usize::from(entry.offset);
        Some((entry.meta, chunk.bytes.get(offset..offset + usize::from(entry.length))?))
    }

    /// An empty chunk's index: a new one only while everything in the others is still wanted.
    fn take_over(&mut self, now: Instant) -> usize {
        let oldest = self.chunks.iter().enumerate().min_by_key(|(_, c)| c.newest);
        match oldest.map(|(index, c)| (index, now.saturating_duration_since(c.newest) > CACHE_AGE_MAX)) {
            Some((index, outlived)) if outlived || self.chunks.len() == self.size.chunks_max => {
                let chunk = &mut self.chunks[index];
                chunk.used = 0;
                chunk.generation = chunk.generation.wrapping_add(1);
                index
            }
            _ => {
                let bytes = vec![0; self.size.chunk_bytes].into_boxed_slice();
                self.chunks.push(Chunk { bytes, used: 0, generation: 0, newest: now });
                self.chunks.len() - 1
            }
        }
    }
}

fn ms_between(origin: Instant, now: Instant) -> u32 {
    now.saturating_duration_since(origin).as_millis() as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_payload_is_found_for_one_second() {
        let (mut cache, start) = (Cache::new(MediaKind::Video), Instant::now());
        cache.insert(start, 7, 'a', &[1, 2, 3]);
        assert_eq!(cache.find(start + CACHE_AGE_MAX, 7), Some(('a', &[1, 2, 3][..])));
        assert_eq!(cache.find(start + CACHE_AGE_MAX + MS(1), 7), None);
        assert_eq!(cache.find(start, 8), None);
        assert_eq!(cache.find(start, 7 + VIDEO.packets), None, "another packet of the same place");
    }

    #[test]
    fn it_never_holds_more_than_its_limit_and_the_oldest_makes_room() {
        for (kind, bytes_max) in [(MediaKind::Video, CACHE_BYTES_MAX), (MediaKind::Audio, 15 * 1024)] {
            let (mut cache, start) = (Cache::new(kind), Instant::now());
            for n in 0..400 {
                cache.insert(start + MS(n), n, (), &[n as u8; 1_000]);
            }
            let now = start + MS(400);
            let held = cache.chunks.iter().map(|c| c.bytes.len()).sum::<usize>();
            assert_eq!(held, bytes_max);
            assert_eq!(cache.find(now, 0), None);
            let kept =
                (0..400).filter(|n| cache.find(now, *n).is_some_and(|(_, p)| p[0] == *n as u8)).count();
            assert!(kept * 1_000 > bytes_max / 2 && kept * 1_000 <= bytes_max, "{kind:?}: {kept}");
        }
    }

    #[test]
    fn a_quiet_track_takes_no_more_memory_than_its_last_second_needs() {
        let (mut cache, start) = (Cache::new(MediaKind::Video), Instant::now());
        assert_eq!(cache.entries.capacity() + cache.chunks.capacity(), 0);
        for n in 0..5_000 {
            cache.insert(start + MS(20) * n, u64::from(n), (), &[0; 100]);
        }
        assert!(cache.chunks.len() <= 2, "{}", cache.chunks.len());
        assert!(cache.find(start + MS(20) * 5_000, 4_960).is_some());
    }

    #[test]
    fn the_index_grows_with_the_rate_and_loses_nothing_on_the_way() {
        let (mut cache, start) = (Cache::new(MediaKind::Audio), Instant::now());
        for n in 0..100 {
            cache.insert(start + MS(400) * n, u64::from(n), n, &[7; 40]);
        }
        assert_eq!(cache.entries.len() as u64, PLACES_FIRST);
        let talk = start + MS(40_000);
        for n in 0..100_u32 {
            cache.insert(talk + MS(10) * n, u64::from(100 + n), 100 + n, &[7; 40]);
        }
        let found =
            (100..200).filter(|n| cache.find(talk + MS(990), u64::from(*n)).map(|(m, _)| m) == Some(*n));
        assert_eq!((found.count(), cache.entries.len()), (100, 128));
    }
}
