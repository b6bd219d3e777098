//! What an API client was made for (RFC 6749 §3.3).

use std::{fmt, str::FromStr};

use crate::named::{UnknownName, named};

named! {
    /// One thing that an API client may have been made for.
    pub enum Scope {
        /// See appointments, without reasons and notes.
        AppointmentsRead = "appointments:read",
        /// Book, move, confirm, cancel, start and end them.
        AppointmentsWrite = "appointments:write",
        /// Read what was said why and with what result.
        NotesRead = "notes:read",
        /// Write notes for a person.
        NotesWrite = "notes:write",
        /// See people.
        PeopleRead = "people:read",
        /// Add and change people.
        PeopleWrite = "people:write",
        /// Make people unreadable for good.
        PeopleErase = "people:erase",
        /// See consents.
        ConsentsRead = "consents:read",
        /// Put consents down.
        ConsentsWrite = "consents:write",
        /// Open consults without an appointment.
        ConsultsCreate = "consults:create",
        /// End consults, and steer them for a person.
        ConsultsWrite = "consults:write",
        /// Give out and take back tickets and guest links.
        TicketsWrite = "tickets:write",
        /// Read chat.
        ChatRead = "chat:read",
        /// Write chat for a person.
        ChatWrite = "chat:write",
        /// Read the audit log.
        AuditRead = "audit:read",
        /// Export it.
        AuditExport = "audit:export",
        /// See webhooks and their dead letters.
        WebhooksRead = "webhooks:read",
        /// Say where webhooks go.
        WebhooksWrite = "webhooks:write",
    }
}

/// A set of scopes, written as names with one space between them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u32);

impl Scopes {
    /// No scope at all.
    pub const NONE: Self = Self(0);

    /// Every scope.
    pub fn all() -> Self {
        Scope::ALL.iter().copied().collect()
    }

    /// Whether the scope is among them.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u32) != 0
    }

    /// What both have: a token never carries more than its client.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `other` has all of these too.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of declaration.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | 1 << scope as u32))
    }
}

impl FromStr for Scopes {
    type Err = UnknownName;

    /// Takes scopes in any order and any number of times, as RFC 6749 §3.3 has it; one that nobody knows spoils it all.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        text.split(' ').filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

const _: () = assert!(Scope::ALL.len() <= 32, "a set is one bit a scope");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_scopes_reads_back_what_it_wrote() {
        let all = Scopes::all();
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("".parse(), Ok(Scopes::NONE));
        let two: Scopes = "tickets:write  audit:read tickets:write".parse().expect("both are known");
        assert_eq!(two.to_string(), "tickets:write audit:read");
        assert!(two.contains(Scope::AuditRead) && !two.contains(Scope::AuditExport));
    }

    #[test]
    fn a_scope_that_nobody_knows_spoils_the_whole_request() {
        for bad in ["admin", "audit:read,tickets:write", "audit:read root", "AUDIT:READ", "audit:read\n"] {
            assert_eq!(bad.parse::<Scopes>(), Err(UnknownName), "{bad}");
        }
    }

    #[test]
    fn a_token_never_carries_more_than_its_client() {
        let client: Scopes = [Scope::AuditRead, Scope::ChatRead].into_iter().collect();
        let asked: Scopes = [Scope::AuditRead, Scope::PeopleWrite].into_iter().collect();
        let given = client.intersection(asked);
        assert_eq!(given.to_string(), "audit:read");
        assert!(given.is_within(client) && given.is_within(asked) && !asked.is_within(client));
    }
}
