//! The shell around the media engines: threads, mailboxes, UDP sockets and the clock.
//!
//! A [`MediaNode`] has shards. A shard is one thread, one UDP port in both address families and one engine; a consult
//! lives on exactly one. Commands go in by [`ShardHandle::send`], events come out on one bounded channel. Should an
//! engine panic, its transports leave with [`LeaveReason::ShardFailed`](media_engine::api::LeaveReason) and the shard
//! begins again; the node goes on.
//!
//! | file | holds |
//! |---|---|
//! | `node.rs` | start, placement, shutdown; the control plane's end of a shard |
//! | `shard.rs` | a shard's thread: one turn after another |
//! | `shard/carrier.rs`, `shard/gathering.rs` | between the sockets and the engine; how it waits |
//! | `io_counters.rs` | what the sockets ask of the kernel |
//! | `machine.rs` | what the thread needs of an engine |
//! | `mailbox.rs` | commands on their way to a shard |
//! | `roster.rs`, `tally.rs` | what outlives an engine that fails: who has to be told, what was counted |
//! | `placement.rs` | which consult lives where |
//! | `load.rs` | what a shard costs, by its own measure |
//! | `relief.rs` | when a shard falls behind, and how much video it sheds |
//! | `affinity.rs` | which core a shard's thread runs on |
//! | `planted.rs` | faults on purpose, in a test build only |
//! | `interfaces.rs` | which addresses clients are told |
//! | `socket/` | UDP in batches |
//! | `limits.rs` | every bound |

mod affinity;
mod interfaces;
mod io_counters;
pub mod limits;
mod load;
mod machine;
mod mailbox;
mod node;
mod placement;
#[cfg(feature = "planted-faults")]
mod planted;
mod relief;
mod roster;
mod shard;
mod socket;
mod tally;

pub use interfaces::Advertise;
pub use io_counters::IoCounters;
pub use load::Load;
pub use mailbox::Overloaded;
pub use node::{Config, MediaNode, ShardHandle, StartError};
