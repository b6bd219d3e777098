//! Who may do what. Pure: facts in, a verdict out.
//!
//! | file | holds |
//! |---|---|
//! | `table.rs` | the one table: acts down, people and programs across |
//! | `act.rs` | everything that somebody may ask to do |
//! | `scope.rs` | what an API client was made for |
//! | `subject.rs` | who asks, and how they stand to what they ask about |
//! | `break_glass.rs` | looking at a patient without an appointment, for an hour, never unseen |
//!
//! A person wears hats: the role in this appointment, that for the tenant, a broken glass. One hat that the table grants
//! the act to is enough; a broken glass is looked at last, so that it is named in the audit log only where nothing else
//! would have opened the door. What the table does not grant is refused.

mod act;
mod break_glass;
mod scope;
mod subject;
mod table;
#[cfg(test)]
mod tests;

use media_model::Role;

pub use act::{About, Act};
pub use break_glass::{BreakGlass, BreakGlassReason, CloseError, GlassState};
pub use scope::{Scope, Scopes};
pub use subject::{Person, Relation, Subject, TenantRole};

use crate::{ids::BreakGlassId, named::named};
use table::{Cell, ClientCell, Row};

/// Whether it is granted, and why (not).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It is, on this ground.
    Granted(Ground),
    /// It is not.
    Refused(Reason),
}

/// What opened the door: the audit log keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The role in this appointment, or in one with this patient.
    Role(Role),
    /// Being a clinician of the tenant.
    Clinician,
    /// The role for the whole tenant.
    Tenant(TenantRole),
    /// A broken glass: this one.
    BreakGlass(BreakGlassId),
    /// What the API client was made for.
    Scope(Scope),
    /// A shell on the server.
    Shell,
}

impl Ground {
    /// The ground's name in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::Clinician => "clinician",
            Self::Tenant(role) => role.as_str(),
            Self::BreakGlass(_) => "break_glass",
            Self::Scope(scope) => scope.as_str(),
            Self::Shell => "shell",
        }
    }

    /// The broken glass without which the door would have stayed shut.
    pub const fn break_glass(self) -> Option<BreakGlassId> {
        match self {
            Self::BreakGlass(id) => Some(id),
            _ => None,
        }
    }
}

named! {
    /// Why it is refused: a stable code.
    pub enum Reason {
        /// The person has no part in the visit, or no appointment with the patient.
        NotConcerned = "not_concerned",
        /// Their role does not allow it.
        RoleForbids = "role_forbids",
        /// It takes a sign-in with a second factor.
        MfaNeeded = "mfa_needed",
        /// It takes somebody else's eyes.
        NotOnOneself = "not_on_oneself",
        /// The API client was not made for it.
        ScopeMissing = "scope_missing",
        /// The API client says that it acts for somebody whom the tenant does not know.
        PersonUnknown = "person_unknown",
        /// The API client has to say for whom it acts.
        PersonNeeded = "person_needed",
        /// No API client may, whatever it was made for.
        NotForClients = "not_for_clients",
        /// The token is good for one visit only.
        OtherVisit = "other_visit",
        /// The token of a visit opens its chat alone.
        NotByVisit = "not_by_visit",
        /// It cannot be done from the shell.
        NotFromShell = "not_from_shell",
        /// The tenant has consults by appointment only.
        DirectConsultsDisabled = "direct_consults_disabled",
        /// The act is about something else than the facts. A fault of ours, so nobody is let through.
        FactsDoNotFit = "facts_do_not_fit",
    }
}

/// The scope that an API client needs for the act; `None` where no API client may.
pub fn scope_for(act: Act) -> Option<Scope> {
    match table::row(act).client {
        ClientCell::Never => None,
        ClientCell::Alone(scope) | ClientCell::ForPerson(scope) => Some(scope),
    }
}

/// Whether somebody who is in a visit may do the act there, by the token that they were welcomed with.
pub(crate) fn is_for_visitors(act: Act) -> bool {
    table::BY_VISIT.contains(&act)
}

/// What an act is about.
const fn about(act: Act) -> About {
    table::row(act).about
}

/// Whether the subject may do the act, standing to what it is about as the relation says.
pub fn may(subject: &Subject, act: Act, relation: &Relation) -> Verdict {
    let row = table::row(act);
    if row.about != relation.about {
        return Verdict::Refused(Reason::FactsDoNotFit);
    }
    if act == Act::CreateConsult && !relation.is_enabled {
        return Verdict::Refused(Reason::DirectConsultsDisabled);
    }
    match *subject {
        Subject::Person(person) => person_may(row, &person, relation),
        Subject::Visitor { consult, role, .. } => match row.role(role) {
            _ if relation.consult != Some(consult) => Verdict::Refused(Reason::OtherVisit),
            _ if !is_for_visitors(act) => Verdict::Refused(Reason::NotByVisit),
            Cell::Yes => Verdict::Granted(Ground::Role(role)),
            Cell::Mfa | Cell::Others => Verdict::Refused(Reason::MfaNeeded),
            Cell::No => Verdict::Refused(Reason::RoleForbids),
        },
        Subject::Client(scopes) => match row.client {
            ClientCell::Never => Verdict::Refused(Reason::NotForClients),
            ClientCell::Alone(scope) | ClientCell::ForPerson(scope) if !scopes.contains(scope) => {
                Verdict::Refused(Reason::ScopeMissing)
            }
            ClientCell::Alone(scope) => Verdict::Granted(Ground::Scope(scope)),
            ClientCell::ForPerson(_) => Verdict::Refused(Reason::PersonNeeded),
        },
        Subject::Asserted { scopes, person } => match row.client {
            ClientCell::Never => Verdict::Refused(Reason::NotForClients),
            ClientCell::Alone(scope) | ClientCell::ForPerson(scope) if !scopes.contains(scope) => {
                Verdict::Refused(Reason::ScopeMissing)
            }
            // A second factor that only a back end speaks of is none, and a broken glass needs one.
            ClientCell::Alone(_) | ClientCell::ForPerson(_) => {
                let relation = Relation { glass: None, ..*relation };
                person_may(row, &Person { mfa: false, ..person }, &relation)
            }
        },
        Subject::Shell if row.shell == Cell::No => Verdict::Refused(Reason::NotFromShell),
        Subject::Shell => Verdict::Granted(Ground::Shell),
    }
}

/// Tries each of the person's hats. Refuses with what they can do most about.
fn person_may(row: &Row, person: &Person, relation: &Relation) -> Verdict {
    let is_own_record = row.about == About::Patient && relation.patient == Some(person.id);
    let role = relation.role.or(is_own_record.then_some(Role::Patient));
    let glass = relation.glass.filter(|glass| {
        glass.by == person.id && person.is_clinician() && relation.patient == Some(glass.patient)
    });
    let hats = [
        role.map(|role| (row.role(role), Ground::Role(role))),
        person.is_clinician().then_some((row.clinician, Ground::Clinician)),
        person.tenant_role.map(|role| match role {
            TenantRole::Admin => (row.admin, Ground::Tenant(role)),
            TenantRole::Auditor => (row.auditor, Ground::Tenant(role)),
        }),
        glass.map(|glass| (row.break_glass, Ground::BreakGlass(glass.id))),
    ];
    let is_known = role.is_some() || person.tenant_role.is_some() || row.about == About::Tenant;
    let mut why = if is_known { Reason::RoleForbids } else { Reason::NotConcerned };
    for (cell, ground) in hats.into_iter().flatten() {
        let is_on_another = relation.falls_on().is_some_and(|whom| whom != person.id);
        match cell {
            Cell::No => {}
            Cell::Others if !is_on_another => why = Reason::NotOnOneself,
            Cell::Mfa | Cell::Others if !person.mfa => why = Reason::MfaNeeded,
            Cell::Yes | Cell::Mfa | Cell::Others => return Verdict::Granted(ground),
        }
    }
    Verdict::Refused(why)
}
