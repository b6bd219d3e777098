//! The audit log: what an entry says, and how nobody can change it unnoticed. Pure: no store, no file, no clock.
//!
//! | file | holds |
//! |---|---|
//! | `entry.rs` | one entry: who did what to whom, when, and whether it was allowed |
//! | `object.rs` | what it is about where that is neither a person nor a consult |
//! | `stored.rs` | an entry as its row has it, and the bytes that are hashed |
//! | `chain.rs` | the chain that a tenant's entries are sealed into |
//! | `checkpoint.rs` | signed statements about a chain, a line each |
//! | `anchor.rs` | the file of those lines, kept outside the database |
//! | `verify.rs` | walks a chain once and says what is wrong with it |
//! | `suspects.rs` | whether an entry was changed or only stands elsewhere |
//! | `finding.rs` | everything that can be wrong, by name |
//!
//! ```text
//! act ─▶ entry, committed with it ─▶ sealed: link (seq, entry, previous, hash) ─▶ checkpoint ─▶ anchor file
//!                                                                                  signed        elsewhere
//! ```
//!
//! The chain alone shows that something was changed by somebody who did not trouble to compute it anew. Checkpoints show
//! the rest, as far as the last of them: they are signed with a key that the database does not have, and kept where its
//! owner cannot change them. What was committed after the last checkpoint can be cut off unnoticed.

mod anchor;
mod chain;
mod checkpoint;
mod entry;
mod finding;
mod object;
mod stored;
mod suspects;
mod verify;

pub use anchor::{Anchor, Anchored};
pub use chain::{ChainHash, Head, Link};
pub use checkpoint::{CheckpointKeys, CheckpointSigner, InvalidKey, Kind, LineFault, Statement};
pub(crate) use entry::unix_ms;
pub use entry::{Action, Actor, Entry, EntryId, Outcome, RequestId, SealedAddress, Surface, Tally};
pub use finding::{Finding, Findings};
pub use object::Object;
pub use stored::{ENTRY_VERSION, StoredEntry, UnknownVersion};
pub use verify::{Report, SealedRow, Unsealed, Verifier};
