//! Break-glass: a clinician looks at a patient whom they have no appointment with, because it cannot wait.
//!
//! ```text
//!           a clinician, with MFA,              60 minutes
//!           one patient, a reason
//! (nothing) ─────────────────────▶ open ───────────────────▶ run out
//!                                   │                           │
//!                                   └────────▶ closed ◀─────────┘
//!                                   by an auditor, never by who opened it
//! ```

use media_model::Pii;

use super::{Act, Person, Reason, Relation, Subject, Verdict, may};
use crate::{
    ids::{BreakGlassId, PersonId},
    limits::{BREAK_GLASS_LIFETIME, BREAK_GLASS_REASON_CHARS_MAX, BREAK_GLASS_REASON_CHARS_MIN},
    named::named,
    one_line::one_line,
};

named! {
    /// Where a break-glass is.
    pub enum GlassState {
        /// It opens its patient's door.
        Open = "open",
        /// It opens nothing any more, and nobody has looked into it.
        RunOut = "run_out",
        /// An auditor has looked into it.
        Closed = "closed",
    }
}

/// Why somebody breaks the glass, in their own words. Free text about a patient is personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlassReason(Pii<String>);

impl BreakGlassReason {
    /// Takes a reason that says something: a full stop or one word does not.
    pub fn parse(text: &str) -> Option<Self> {
        one_line(text, BREAK_GLASS_REASON_CHARS_MIN..=BREAK_GLASS_REASON_CHARS_MAX).map(Self)
    }

    /// The text, for the store and the auditor.
    pub const fn text(&self) -> &Pii<String> {
        &self.0
    }
}

/// One break-glass. Its reason stands apart: whether it grants anything does not hang on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakGlass {
    /// Which.
    pub id: BreakGlassId,
    /// Who broke it.
    pub by: PersonId,
    /// The one patient it is about.
    pub patient: PersonId,
    /// When, in milliseconds since 1970.
    pub opened_at_ms: i64,
    /// When it runs out, likewise.
    pub expires_at_ms: i64,
    /// When an auditor had looked into it, likewise, and who.
    pub closed: Option<(i64, PersonId)>,
}

/// A break-glass that was not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    /// Who asked may not.
    #[error("refused: {0}")]
    Refused(Reason),
    /// It was closed before.
    #[error("closed before")]
    Closed,
}

impl BreakGlass {
    /// Breaks the glass, or says why not.
    pub fn open(id: BreakGlassId, subject: &Subject, patient: PersonId, now_ms: i64) -> Result<Self, Reason> {
        if let Verdict::Refused(why) = may(subject, Act::OpenBreakGlass, &Relation::to_patient(patient, None))
        {
            return Err(why);
        }
        // The table grants this to people who signed in and to nobody else.
        let Subject::Person(Person { id: by, .. }) = *subject else { return Err(Reason::RoleForbids) };
        let expires_at_ms = now_ms.saturating_add(BREAK_GLASS_LIFETIME.as_millis() as i64);
        Ok(Self { id, by, patient, opened_at_ms: now_ms, expires_at_ms, closed: None })
    }

    /// Where it is now.
    pub const fn state(&self, now_ms: i64) -> GlassState {
        match self.closed {
            Some(_) => GlassState::Closed,
            None if now_ms < self.expires_at_ms => GlassState::Open,
            None => GlassState::RunOut,
        }
    }

    /// Whether it grants anything now.
    pub const fn is_open(&self, now_ms: i64) -> bool {
        matches!(self.state(now_ms), GlassState::Open) && self.opened_at_ms <= now_ms
    }

    /// Closes it; what it granted ends at once.
    pub fn close(&mut self, subject: &Subject, now_ms: i64) -> Result<(), CloseError> {
        let relation = Relation::to_tenant().of(self.by);
        if let Verdict::Refused(why) = may(subject, Act::CloseBreakGlass, &relation) {
            return Err(CloseError::Refused(why));
        }
        let Subject::Person(Person { id: by, .. }) = *subject else {
            return Err(CloseError::Refused(Reason::RoleForbids));
        };
        if self.closed.is_some() {
            return Err(CloseError::Closed);
        }
        self.closed = Some((now_ms, by));
        Ok(())
    }
}
