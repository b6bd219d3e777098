//! The nouns that every crate shares: identifiers, roles, media kinds, codecs, limits and [`Pii`].
//!
//! Floor 0: pure data. No clock, no socket, no lock, no dependency but serde.
//!
//! | file | holds |
//! |---|---|
//! | `ids.rs` | who and what: consult, participant number, transport, shard, mid, slot |
//! | `role.rs` | who someone is in a consult |
//! | `media.rs` | media kinds, sources, codecs and their formats |
//! | `limits.rs` | every bound, in one place, with its unit in its name |
//! | `tenant.rs` | whose consult it is |
//! | `pii.rs` | `Pii<T>`: personal data that cannot be printed by accident |

mod ids;
pub mod limits;
mod media;
mod pii;
mod role;
mod tenant;

pub use ids::{
    BreakGlassId, ConsultId, InvalidId, Mid, ParticipantNumber, RandomId, RequestId, ShardId, SlotIndex,
    SlotPool, TransportId,
};
pub use media::{Codec, MediaKind, Source};
pub use pii::Pii;
pub use role::Role;
pub use tenant::TenantId;
