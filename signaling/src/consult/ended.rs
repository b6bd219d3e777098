//! Who was in consults that were ended, for a while: they may read what was written last.

use std::{collections::HashMap, time::Instant};

use media_model::{ConsultId, Pii};

use crate::limits::{CONSULTS_MAX, ENDED_CONSULT_KEPT};

/// Consults that were ended not long ago.
#[derive(Debug, Default)]
pub(crate) struct Ended(HashMap<ConsultId, (Instant, Vec<Pii<String>>)>);

impl Ended {
    /// A consult ends in which these are now.
    pub(crate) fn note(&mut self, now: Instant, consult: ConsultId, people: Vec<Pii<String>>) {
        if self.0.len() < CONSULTS_MAX && !people.is_empty() {
            self.0.insert(consult, (now, people));
        }
    }

    /// Whether somebody was in it then.
    pub(crate) fn had(&self, consult: ConsultId, person: &Pii<String>) -> bool {
        self.0.get(&consult).is_some_and(|(_, people)| people.contains(person))
    }

    /// Forgets what was long ago.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, (at, _)| now.saturating_duration_since(*at) < ENDED_CONSULT_KEPT);
    }
}
