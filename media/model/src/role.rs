//! Who someone is in a consult.

use serde::{Deserialize, Serialize};

/// A participant's role, as the EHR's back end asserted it when it asked for the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Staff of the clinic may let others in; everybody else waits where a waiting room is on.
    pub const fn admits_others(self) -> bool {
        matches!(self, Self::Provider | Self::Nurse)
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

#[cfg(test)]
mod tests {
    use super::*;

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
