//! Who stands in which slot pair of one subscriber: stable, in order of arrival, pure.

use media_model::{ParticipantNumber, SlotIndex, SlotPool};

/// The slot pairs of one pool and who stands in them.
#[derive(Debug, Clone, Default)]
struct Pool {
    /// By slot index, ascending.
    pairs: Vec<(u8, Option<ParticipantNumber>)>,
}

impl Pool {
    /// Takes the pairs that the client has now; who stands in one that stays, stays.
    fn resize(&mut self, indices: impl Iterator<Item = u8>) {
        let mut pairs: Vec<_> = indices.map(|index| (index, self.at(index))).collect();
        pairs.sort_unstable_by_key(|(index, _)| *index);
        pairs.dedup_by_key(|(index, _)| *index);
        self.pairs = pairs;
    }

    /// Lets everybody go who is not wanted, then seats whoever has none, first come first served.
    fn assign(&mut self, wanted: &[ParticipantNumber]) {
        for (_, who) in &mut self.pairs {
            *who = who.filter(|who| wanted.contains(who));
        }
        for who in wanted {
            if self.pairs.iter().any(|(_, seated)| *seated == Some(*who)) {
                continue;
            }
            match self.pairs.iter_mut().find(|(_, seated)| seated.is_none()) {
                Some((_, free)) => *free = Some(*who),
                None => return,
            }
        }
    }

    fn at(&self, index: u8) -> Option<ParticipantNumber> {
        self.pairs.iter().find(|(at, _)| *at == index).and_then(|(_, who)| *who)
    }
}

/// How many pairs would serve everyone, where there are fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// Camera pairs needed.
    pub camera: u8,
    /// Screen pairs needed.
    pub screen: u8,
}

/// One subscriber's slot pairs.
#[derive(Debug, Clone, Default)]
pub struct Assignment {
    camera: Pool,
    screen: Pool,
    /// What the client was asked for already.
    asked: Option<Shortage>,
}

impl Assignment {
    /// Takes the slots that were negotiated. A client that went some of the way may be asked again; one that offers no more
    /// than before cannot, or does not want to.
    pub fn negotiate(&mut self, slots: &[SlotIndex]) {
        let of = |pool| slots.iter().filter(move |s| s.pool == pool).map(|s| s.index);
        let (camera, screen) = (self.camera.pairs.len(), self.screen.pairs.len());
        self.camera.resize(of(SlotPool::Camera));
        self.screen.resize(of(SlotPool::Screen));
        if self.camera.pairs.len() > camera || self.screen.pairs.len() > screen {
            self.asked = None;
        }
    }

    /// Seats the wanted, each list in order of arrival. Answers with what the client has to be asked for, once.
    pub fn assign(
        &mut self,
        people: &[ParticipantNumber],
        screens: &[ParticipantNumber],
    ) -> Option<Shortage> {
        self.camera.assign(people);
        self.screen.assign(screens);
        let (have_camera, have_screen) = (self.camera.pairs.len(), self.screen.pairs.len());
        // A transport without any slot only publishes: it wants nobody.
        let subscribes = have_camera + have_screen > 0;
        if !subscribes || (people.len() <= have_camera && screens.len() <= have_screen) {
            self.asked = None;
            return None;
        }
        let count = |wanted: usize, have: usize| u8::try_from(wanted.max(have)).unwrap_or(u8::MAX);
        let need =
            Shortage { camera: count(people.len(), have_camera), screen: count(screens.len(), have_screen) };
        // Somebody else leaving makes the need smaller, which is no reason to ask again.
        let covered = self.asked.is_some_and(|a| a.camera >= need.camera && a.screen >= need.screen);
        if covered {
            return None;
        }
        self.asked = Some(need);
        Some(need)
    }

    /// Every occupied slot pair.
    pub fn occupied(&self) -> impl Iterator<Item = (SlotIndex, ParticipantNumber)> + '_ {
        let of = |pool, pairs: &'_ Pool| {
            let seated: Vec<_> = pairs
                .pairs
                .iter()
                .filter_map(|(index, who)| Some((SlotIndex { pool, index: *index }, (*who)?)))
                .collect();
            seated
        };
        of(SlotPool::Camera, &self.camera).into_iter().chain(of(SlotPool::Screen, &self.screen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(numbers: &[u32]) -> Vec<ParticipantNumber> {
        numbers.iter().filter_map(|n| ParticipantNumber::new(*n)).collect()
    }

    fn with_slots(camera: u8, screen: u8) -> Assignment {
        let mut assignment = Assignment::default();
        assignment.negotiate(&slots(camera, screen));
        assignment
    }

    fn slots(camera: u8, screen: u8) -> Vec<SlotIndex> {
        let of = |pool, count| (0..count).map(move |index| SlotIndex { pool, index });
        of(SlotPool::Camera, camera).chain(of(SlotPool::Screen, screen)).collect()
    }

    fn seats(assignment: &Assignment, pool: SlotPool) -> Vec<(u8, u32)> {
        assignment.occupied().filter(|(s, _)| s.pool == pool).map(|(s, p)| (s.index, p.csrc())).collect()
    }

    #[test]
    fn who_stands_in_a_slot_stays_and_a_freed_slot_goes_to_who_waits_longest() {
        let mut a = with_slots(3, 0);
        a.assign(&people(&[1, 2, 3, 4, 5]), &[]);
        assert_eq!(seats(&a, SlotPool::Camera), [(0, 1), (1, 2), (2, 3)]);
        a.assign(&people(&[1, 3, 4, 5]), &[]);
        assert_eq!(seats(&a, SlotPool::Camera), [(0, 1), (1, 4), (2, 3)]);
        a.assign(&people(&[3, 4, 5, 1]), &[]);
        assert_eq!(seats(&a, SlotPool::Camera), [(0, 1), (1, 4), (2, 3)]);
    }

    #[test]
    fn screens_have_slots_of_their_own() {
        let mut a = with_slots(2, 1);
        a.assign(&people(&[1, 2]), &people(&[2]));
        assert_eq!(seats(&a, SlotPool::Screen), [(0, 2)]);
        a.assign(&people(&[1, 2]), &[]);
        assert_eq!(seats(&a, SlotPool::Screen), []);
        assert_eq!(seats(&a, SlotPool::Camera).len(), 2);
    }

    #[test]
    fn a_shortage_is_said_once_a_need() {
        let mut a = with_slots(1, 1);
        assert_eq!(a.assign(&people(&[1]), &[]), None);
        assert_eq!(a.assign(&people(&[1, 2, 3]), &[]), Some(Shortage { camera: 3, screen: 1 }));
        assert_eq!(a.assign(&people(&[1, 2, 3]), &[]), None);
        assert_eq!(a.assign(&people(&[1, 2]), &[]), None, "a smaller need was asked for already");
        assert_eq!(a.assign(&people(&[1, 2, 3, 4]), &[]), Some(Shortage { camera: 4, screen: 1 }));
        a.negotiate(&slots(2, 1));
        assert_eq!(a.assign(&people(&[1, 2, 3]), &[]), Some(Shortage { camera: 3, screen: 1 }));
        a.negotiate(&slots(2, 1));
        assert_eq!(a.assign(&people(&[1, 2, 3]), &[]), None, "it has no more to give");
        assert_eq!(a.assign(&people(&[1]), &[]), None);
        assert_eq!(a.assign(&people(&[1, 2, 3]), &[]), Some(Shortage { camera: 3, screen: 1 }));
    }

    #[test]
    fn who_only_publishes_is_asked_for_nothing() {
        assert_eq!(with_slots(0, 0).assign(&people(&[1, 2]), &people(&[1])), None);
    }

    #[test]
    fn more_slots_move_nobody() {
        let mut a = with_slots(1, 0);
        a.assign(&people(&[1, 2]), &[]);
        a.negotiate(&slots(3, 0));
        a.assign(&people(&[1, 2]), &[]);
        assert_eq!(seats(&a, SlotPool::Camera), [(0, 1), (1, 2)]);
    }
}
