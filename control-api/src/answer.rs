//! What an act answers with, in a form that can be kept beside the act.

use crate::ids::PersonId;

/// An answer. What goes out now and what a repeated request gets are the same text.
pub(crate) trait Answer {
    /// The JSON, where there is any.
    fn json(&self) -> Option<String>;

    /// Whose personal data is in it: once they are erased it is kept no longer.
    fn about(&self) -> Option<PersonId> {
        None
    }
}

impl Answer for () {
    fn json(&self) -> Option<String> {
        None
    }
}
