//! Who someone is in a consult.

use serde::{Deserialize, Serialize};

/// A participant's role, as the EHR's back end asserted it when it asked for the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person whom the visit is about.
    Patient,
    /// A physician or another clinician who leads the visit.
    Provider,
    /// Nursing staff.
    Nurse,
    /// Spoken or sign language interpreter.
    Interpreter,
    /// A parent, guardian or carer of the patient.
    Guardian,
    /// A student, supervisor or device that only watches.
    Observer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Patient, Self::Provider, Self::Nurse, Self::Interpreter, Self::Guardian, Self::Observer];

    /// Staff of the clinic may let others in; everybody else waits where a waiting room is on.
    pub const fn admits_others(self) -> bool {
        matches!(self, Self::Provider | Self::Nurse)
    }

    /// Whoever has a part in the visit may write in its chat; observers only read.
    pub const fn writes_chat(self) -> bool {
        !matches!(self, Self::Observer)
    }

    /// The role's name in JSON, in metrics and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Provider => "provider",
            Self::Nurse => "nurse",
            Self::Interpreter => "interpreter",
            Self::Guardian => "guardian",
            Self::Observer => "observer",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = crate::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(crate::InvalidId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_back_from_its_name() {
        assert!(Role::ALL.into_iter().all(|role| role.as_str().parse() == Ok(role)));
        assert!("king".parse::<Role>().is_err());
    }

    #[test]
    fn everybody_but_observers_writes_in_the_chat() {
        assert!(Role::ALL.into_iter().all(|role| role.writes_chat() == (role != Role::Observer)));
    }

    #[test]
    fn only_clinic_staff_admits_others() {
        assert!(Role::Provider.admits_others() && Role::Nurse.admits_others());
        assert!(
            ![Role::Patient, Role::Interpreter, Role::Guardian, Role::Observer]
                .iter()
                .any(|r| r.admits_others())
        );
    }
}
