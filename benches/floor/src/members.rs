//! Who is in which group: by address when a packet comes in, by number when it goes out.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::packet::Keys;

/// More than a run can load.
const PARTICIPANTS_MAX: u32 = 1 << 17;

/// A number spreads itself: the keys are addresses of our own clients.
#[derive(Default)]
struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

pub struct Member {
    pub name: libc::sockaddr_in,
    pub keys: Keys,
    group: u32,
}

#[derive(Default)]
pub struct Members {
    numbers: HashMap<u64, u32, BuildHasherDefault<Multiply>>,
    members: Vec<Option<Box<Member>>>,
    group_size: u32,
}

impl Members {
    /// Adds or moves a participant; false if there is no room for such a number.
    pub fn register(&mut self, name: libc::sockaddr_in, participant: u32, group_size: u32) -> bool {
        if participant >= PARTICIPANTS_MAX || group_size == 0 {
            return false;
        }
        let place = participant as usize;
        if self.members.len() <= place {
            self.members.resize_with(place + 1, || None);
        }
        self.group_size = group_size;
        self.numbers.insert(address(&name), participant);
        let member = Member { name, keys: Keys::of(participant), group: participant / group_size };
        self.members[place] = Some(Box::new(member));
        true
    }

    /// Whose address it is.
    pub fn number(&self, name: &libc::sockaddr_in) -> Option<u32> {
        self.numbers.get(&address(name)).copied()
    }

    pub fn member(&self, participant: u32) -> Option<&Member> {
        self.members.get(participant as usize)?.as_deref()
    }

    /// Everyone who is to get what this participant sends.
    pub fn others(&self, participant: u32) -> impl Iterator<Item = (u32, &Member)> {
        let size = self.group_size.max(1);
        let first = participant / size * size;
        (first..first + size).filter_map(move |number| {
            let member = self.member(number).filter(|member| member.group == participant / size)?;
            (number != participant).then_some((number, member))
        })
    }
}

fn address(name: &libc::sockaddr_in) -> u64 {
    u64::from(name.sin_addr.s_addr) << 16 | u64::from(name.sin_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(port: u16) -> libc::sockaddr_in {
        // SAFETY: zeroes are valid in a sockaddr_in.
        let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        name.sin_port = port.to_be();
        name.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
        name
    }

    #[test]
    fn a_packet_goes_to_the_others_of_its_group_only() {
        let mut members = Members::default();
        for number in 0..7 {
            assert!(members.register(name(1000 + number as u16), number, 3));
        }
        assert_eq!(members.number(&name(1004)), Some(4));
        assert_eq!(members.others(4).map(|(number, _)| number).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(members.others(6).count(), 0);
    }
}
