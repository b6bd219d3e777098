//! From an address to the transport that is there: the table that every message looks up.
//!
//! Open addressing with linear probing, at most half full; an entry is one line of the processor's caches, so that it can be
//! fetched ahead ([`prefetch()`]) and costs one line when it is looked at.

use std::{
    hash::BuildHasher as _,
    net::{IpAddr, SocketAddr},
};

use prefetch::{LINE_BYTES, prefetch};

use super::address_hash::KeyedState;

/// Remote and local address.
pub type Address = (SocketAddr, IpAddr);

#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Entry(Option<(Address, u32)>);

const _: () = assert!(size_of::<Entry>() == LINE_BYTES);

/// Entries of a table at first.
const ENTRIES_FIRST: usize = 16;

/// Transports, by their place in the engine, at their addresses.
#[derive(Debug, Default)]
pub struct Addresses {
    state: KeyedState,
    /// A power of two of them, or none.
    entries: Vec<Entry>,
    taken: usize,
}

impl Addresses {
    /// Has the processor fetch what [`Self::get`] looks at.
    pub fn prefetch(&self, address: &Address) {
        self.entries.get(self.home(address)).into_iter().for_each(prefetch);
    }

    /// The transport at an address.
    pub fn get(&self, address: &Address) -> Option<usize> {
        let (_, place) = self.entries.get(self.find(address))?.0?;
        Some(place as usize)
    }

    /// Puts a transport at an address; the one that was there before.
    pub fn insert(&mut self, address: Address, place: usize) -> Option<usize> {
        if 2 * (self.taken + 1) > self.entries.len() {
            self.grow();
        }
        let at = self.find(&address);
        let before = self.entries[at].0.replace((address, place as u32));
        self.taken += usize::from(before.is_none());
        before.map(|(_, place)| place as usize)
    }

    /// Takes away whatever is at an address.
    pub fn remove(&mut self, address: &Address) {
        let mut vacant = self.find(address);
        if self.entries.get(vacant).is_none_or(|entry| entry.0.is_none()) {
            return;
        }
        self.taken -= 1;
        let mut next = vacant;
        loop {
            self.entries[vacant].0 = None;
            // The next one that may stand there: its way from home leads over it.
            loop {
                next = self.after(next);
                let Some((following, _)) = &self.entries[next].0 else { return };
                let home = self.home(following);
                if self.distance(home, next) >= self.distance(vacant, next) {
                    break;
                }
            }
            self.entries[vacant] = self.entries[next];
            vacant = next;
        }
    }

    /// Whether nobody is in it.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.taken == 0 && self.entries.iter().all(|entry| entry.0.is_none())
    }

    /// Where an address stands, or would; anywhere in an empty table. There is always a vacant entry.
    fn find(&self, address: &Address) -> usize {
        let mut at = self.home(address);
        while let Some(Entry(Some((known, _)))) = self.entries.get(at)
            && known != address
        {
            at = self.after(at);
        }
        at
    }

    fn home(&self, address: &Address) -> usize {
        self.state.hash_one(address) as usize & self.entries.len().wrapping_sub(1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
    }

    /// How many steps lead from one entry to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.entries.len() - 1)
    }

    fn grow(&mut self) {
        let wider = (2 * self.entries.len()).max(ENTRIES_FIRST);
        let before = std::mem::replace(&mut self.entries, vec![Entry::default(); wider]);
        for entry in before {
            let Some((address, _)) = &entry.0 else { continue };
            let at = self.find(address);
            self.entries[at] = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::random::Random;

    fn address(number: u64) -> Address {
        let remote = if number.is_multiple_of(5) {
            SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, number as u16], 50_000))
        } else {
            SocketAddr::from(([192, 0, 2, number as u8], 50_000 + (number >> 8) as u16))
        };
        (remote, IpAddr::from([198, 51, 100, number.is_multiple_of(2).into()]))
    }

    #[test]
    fn it_finds_what_a_map_of_the_standard_library_finds() {
        let (mut addresses, mut map, mut random) = (Addresses::default(), HashMap::new(), Random::new(3));
        assert_eq!(addresses.get(&address(1)), None);
        addresses.prefetch(&address(1));
        addresses.remove(&address(1));
        for round in 0..60_000 {
            let one = address(random.next() % 700);
            if random.next().is_multiple_of(2) {
                assert_eq!(addresses.insert(one, round), map.insert(one, round));
            } else {
                addresses.remove(&one);
                map.remove(&one);
            }
            let other = address(random.next() % 700);
            addresses.prefetch(&other);
            assert_eq!(addresses.get(&other), map.get(&other).copied());
        }
        assert_eq!(addresses.taken, map.len());
        assert!(addresses.entries.len() <= 4 * 700 && !addresses.is_empty());
        map.keys().for_each(|one| addresses.remove(one));
        assert!(addresses.is_empty());
    }

    #[test]
    fn neighbours_stand_near_their_homes() {
        let mut addresses = Addresses::default();
        for port in 0..8_192 {
            let remote = SocketAddr::from(([192, 0, 2, (port % 3) as u8], 50_000 + port));
            addresses.insert((remote, IpAddr::from([198, 51, 100, 1])), port.into());
        }
        let steps = addresses.entries.iter().enumerate().filter_map(|(at, entry)| {
            entry.0.map(|(address, _)| addresses.distance(addresses.home(&address), at))
        });
        let (sum, most) = steps.fold((0, 0), |(sum, most), steps| (sum + steps, most.max(steps)));
        assert!(sum < 2 * 8_192 && most < 200, "{sum} steps, {most} at most");
    }
}
