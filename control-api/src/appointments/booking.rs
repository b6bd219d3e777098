//! Nobody whose time is booked is booked twice. The database enforces it (an exclusion constraint, a trigger); this is the
//! same rule in plain words, which its tests are held against.

use media_model::Role;

use super::{State, TimeRange};
use crate::ids::{AppointmentId, PersonId};

/// One person's part in one appointment: one row of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booking {
    /// Whose.
    pub appointment: AppointmentId,
    /// Who comes.
    pub person: PersonId,
    /// As what.
    pub role: Role,
    /// When.
    pub time: TimeRange,
    /// How far the appointment is.
    pub state: State,
}

impl Booking {
    /// Whether it keeps the person from being booked elsewhere at that time.
    pub const fn holds_time(&self) -> bool {
        is_booked_exclusively(self.role) && self.state.holds_time()
    }
}

/// Whether such a person is in one appointment at a time only. Nurses look after several, patients' and guardians'
/// calendars are not ours, observers disturb nobody.
pub const fn is_booked_exclusively(role: Role) -> bool {
    matches!(role, Role::Provider | Role::Interpreter)
}

/// The first of the others that stands against the wanted one.
pub fn clash<'a>(wanted: &Booking, others: &'a [Booking]) -> Option<&'a Booking> {
    others.iter().find(|other| {
        wanted.holds_time()
            && other.holds_time()
            && other.person == wanted.person
            && other.appointment != wanted.appointment
            && other.time.overlaps(wanted.time)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn appointment(number: u8) -> AppointmentId {
        AppointmentId::from_bytes([number; 16])
    }

    fn booking(number: u8, role: Role, from_min: i64, to_min: i64) -> Booking {
        Booking {
            appointment: appointment(number),
            person: PersonId::from_bytes([7; 16]),
            role,
            time: TimeRange::new(from_min * 60_000, to_min * 60_000).expect("a range"),
            state: State::Scheduled,
        }
    }

    #[test]
    fn a_provider_or_interpreter_is_in_one_place_at_a_time() {
        let first = booking(1, Role::Provider, 0, 30);
        for role in [Role::Provider, Role::Interpreter] {
            assert_eq!(clash(&booking(2, role, 15, 45), &[first]), Some(&first), "{role:?}");
        }
        assert_eq!(clash(&booking(2, Role::Provider, 30, 60), &[first]), None);
    }

    #[test]
    fn everyone_else_may_be_booked_twice() {
        for role in [Role::Patient, Role::Nurse, Role::Guardian, Role::Observer] {
            assert_eq!(clash(&booking(2, role, 0, 30), &[booking(1, role, 0, 30)]), None, "{role:?}");
        }
    }

    #[test]
    fn an_appointment_does_not_stand_in_its_own_way_when_it_is_moved() {
        assert_eq!(clash(&booking(1, Role::Provider, 15, 45), &[booking(1, Role::Provider, 0, 30)]), None);
    }

    #[test]
    fn somebody_else_s_time_is_nobody_s_concern() {
        let other = Booking { person: PersonId::from_bytes([8; 16]), ..booking(1, Role::Provider, 0, 30) };
        assert_eq!(clash(&booking(2, Role::Provider, 0, 30), &[other]), None);
    }

    #[test]
    fn what_is_over_or_called_off_gives_its_time_back() {
        for state in State::ALL.iter().copied() {
            let other = Booking { state, ..booking(1, Role::Provider, 0, 30) };
            let holds = matches!(state, State::Scheduled | State::Confirmed | State::InProgress);
            assert_eq!(clash(&booking(2, Role::Provider, 0, 30), &[other]).is_some(), holds, "{state}");
        }
    }
}
