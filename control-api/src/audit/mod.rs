//! The audit log: what an entry says.
//!
//! | file | holds |
//! |---|---|
//! | `entry.rs` | one entry: who did what to whom, when, and whether it was allowed |

mod entry;

pub(crate) use entry::unix_ms;
pub use entry::{Action, Actor, Entry, Outcome};
