//! Keys at rest: what stands between a stolen database and the people in it.
//!
//! ```text
//!   master key          file, environment or a token, behind `MasterKeys`; the first of the list wraps, all unwrap
//!      │ wraps
//!      ├── tenant's index key            HMAC of external ids                       `IndexKey::of`
//!      └── tenant's sealing key 1, 2, …  seals what belongs to no person            `TenantKeys::seal`
//!             │ wraps
//!             └── person's key 1, 2, …   seals name, contact, reason, notes, chat   `PersonKeys::seal`
//! ```
//!
//! Every key is 256 random bits, wiped from memory when it is dropped, and never printed. Nothing here knows SQL or
//! HTTP: the store keeps [`StoredTenantKey`], [`StoredPersonKey`] and sealed bytes, and hands them back.
//!
//! **One place, one key.** A value is encrypted by AES-256-GCM under a key of its own, derived from the holder's key
//! and the value's [`Place`] by HKDF-Expand with SHA-256 (RFC 5869 §2.3); the same bytes are the associated data. So
//! the limit of 2³² random nonces for one AES-GCM key (NIST SP 800-38D §8.3) is one for rewriting a single column of
//! a single row: at a thousand times a second that takes seven weeks, and nothing has to be counted.
//!
//! **Lengths** are rounded up before sealing, so that they do not tell names apart: see `padding.rs`.
//!
//! **What this does not do.** An old value put back into its own place opens; only an audit entry that hashed the newer
//! bytes would tell. Whoever holds the master key and the database reads everything. Opened values are ordinary memory.
//!
//! # Rotation
//! - *Master*: put the new key into file or token below the first, on every node, and reload; then move it to the top and
//!   reload; then let a job call [`TenantKeys::rewrap`] for each stored tenant key; then take the old one out of the
//!   file. At no moment does a node meet a key that it cannot unwrap. With one node, [`MasterFile::rotate`]
//!   and a reload are the first two steps in one.
//! - *Tenant's sealing key*: [`TenantKeys::rotate`]; a node that meets the new version first answers
//!   [`KeyFault::UnknownVersion`], upon which the store reads the tenant's keys again, once. A job calls
//!   [`TenantKeys::rewrap_person`] and [`TenantKeys::reseal`]; when nothing is left under the old version its row goes, an hour later at the
//!   earliest. What audit entries have sealed stays, and with it its key.
//! - *Person's key*: [`TenantKeys::rotate_person`], then [`PersonKeys::reseal`]. Sealed bytes that an audit entry
//!   hashed are never resealed: their version stays.
//! - *Index key*: never silently, for every hash in the database comes from it. It would take a second key version, a
//!   second column filled from the sealed external ids, lookups by both while that runs, and then the end of the
//!   first column and key.
//!
//! # Erasing a person
//! [`PersonKeys::erasure`] says what; its line goes to the list that a restore replays, then [`Erasure::apply`] sets
//! the wrapped bytes to NULL. The hash of the external id goes too: it would still find the person. The rows stay, and
//! what was sealed opens to [`Opened::Erased`]. The store does its part: pages are overwritten (`PRAGMA secure_delete`
//! on SQLite, `VACUUM` on PostgreSQL), and wrapped keys have a backup of their own that is kept for days, not years.
//! Rotating the tenant's sealing key and deleting its old version makes forgotten copies of wrapped keys useless too.
//!
//! People's keys are best not cached: unwrapping one takes 3 µs, as sealing or opening a short value does, and the row
//! that was just read decides, so that an erasure takes hold on every node at once.

mod cipher;
mod envelope;
mod erasure;
mod fault;
mod index;
mod local;
mod master;
mod master_file;
mod material;
mod padding;
mod person;
mod place;
mod ring;
mod secret_file;
mod tenant;
mod token;
mod version;

pub use erasure::{Erasure, read_erasures};
pub use fault::{KeyFault, Whose};
pub use index::IndexKey;
pub use local::LocalMasterKeys;
pub use master::{KeyFuture, KeyName, MasterKeys, MasterName, Purpose, Wrapped};
pub use master_file::{MasterFile, NewMasterKey};
pub use material::KeyMaterial;
pub use person::{Opened, PersonKeys, StoredPersonKey};
pub use place::Place;
pub use ring::MasterKeyRing;
pub use tenant::{StoredTenantKey, TenantKeys};
pub use token::{PinSource, TokenMasterKeys};
pub use version::KeyVersion;

#[cfg(test)]
mod tests;
