//! Who asks, and how they stand to what they ask about.

use media_model::{ConsultId, Role};

use super::{About, Act, BreakGlass, Scopes};
use crate::{ids::PersonId, named::named};

named! {
    /// What somebody is for the whole tenant. Nobody is both, so that nobody audits themselves.
    pub enum TenantRole {
        /// Manages people, clients and settings; reads no notes.
        Admin = "admin",
        /// Reads the audit log and looks into break-glass.
        Auditor = "auditor",
    }
}

/// A person of the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PersonId,
    /// What the clinic knows them as. It opens no patient's door: only an appointment does.
    pub standing: Option<Role>,
    /// What they are for the whole tenant.
    pub tenant_role: Option<TenantRole>,
    /// Whether they signed in with a second factor.
    pub mfa: bool,
}

impl Person {
    /// Whether they are a provider or nurse of the tenant, whoever the patient is.
    pub fn is_clinician(&self) -> bool {
        matches!(self.standing, Some(Role::Provider | Role::Nurse))
    }
}

/// Who asks. All of one tenant: what belongs to another does not exist for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Somebody who signed in.
    Person(Person),
    /// Somebody in a visit, by the token that `welcome` gave them for it alone.
    Visitor {
        /// Who.
        person: PersonId,
        /// The visit's consult.
        consult: ConsultId,
        /// As what they came.
        role: Role,
    },
    /// A back end on its own account.
    Client(Scopes),
    /// A back end that says for whom it acts. It may do what both may, and cannot vouch for a second factor.
    Asserted {
        /// What the back end was made for.
        scopes: Scopes,
        /// Whom it acts for.
        person: Person,
    },
    /// Whoever has a shell on the server.
    Shell,
}

/// How the subject stands to what the act is about. Built from facts that the store looked up for this very subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    pub(super) about: About,
    pub(super) consult: Option<ConsultId>,
    pub(super) patient: Option<PersonId>,
    pub(super) role: Option<Role>,
    pub(super) whose: Option<PersonId>,
    pub(super) glass: Option<BreakGlass>,
    pub(super) is_enabled: bool,
}

impl Relation {
    const NONE: Self = Self {
        about: About::Tenant,
        consult: None,
        patient: None,
        role: None,
        whose: None,
        glass: None,
        is_enabled: true,
    };

    /// To the tenant as a whole.
    pub const fn to_tenant() -> Self {
        Self::NONE
    }

    /// To an appointment or its consult: the subject's role in it, if they have one, and whose visit it is. A consult
    /// without an appointment has no patient that anybody could name.
    pub const fn to_visit(consult: ConsultId, patient: Option<PersonId>, role: Option<Role>) -> Self {
        Self { about: About::Visit, consult: Some(consult), patient, role, ..Self::NONE }
    }

    /// To what is not there, or what the subject has no part in.
    pub const fn to_nothing(act: Act) -> Self {
        Self { about: super::about(act), ..Self::NONE }
    }

    /// To a patient, or to another person: the subject's role in an appointment of that patient, if there is one. Which
    /// appointments count is the caller's to say; cancelled ones should not.
    pub const fn to_patient(patient: PersonId, role: Option<Role>) -> Self {
        Self { about: About::Patient, patient: Some(patient), role, ..Self::NONE }
    }

    /// Whose doing or account it is about: who broke the glass, who is made an admin.
    #[must_use]
    pub const fn of(self, person: PersonId) -> Self {
        Self { whose: Some(person), ..self }
    }

    /// With a break-glass, which counts while it is open and for its one patient.
    #[must_use]
    pub fn under(self, glass: &BreakGlass, now_ms: i64) -> Self {
        Self { glass: glass.is_open(now_ms).then_some(*glass).or(self.glass), ..self }
    }

    /// Where the tenant has consults by appointment only.
    #[must_use]
    pub const fn with_direct_consults(self, enabled: bool) -> Self {
        Self { is_enabled: enabled, ..self }
    }

    /// Whose visit or record it is about, where that is known.
    pub const fn patient(&self) -> Option<PersonId> {
        self.patient
    }

    /// Which consult it is about, if it is about one.
    pub const fn consult(&self) -> Option<ConsultId> {
        self.consult
    }

    /// What the subject has broken for this patient and is open, if anything.
    pub const fn glass(&self) -> Option<&BreakGlass> {
        self.glass.as_ref()
    }

    /// Whose doing or account it is about, if it is about one.
    pub const fn whose(&self) -> Option<PersonId> {
        self.whose
    }

    /// On whom the act falls.
    pub(super) fn falls_on(&self) -> Option<PersonId> {
        self.whose.or(self.patient)
    }
}
