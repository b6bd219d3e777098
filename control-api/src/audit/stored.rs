//! An entry as its row has it, and the bytes that are hashed.
//!
//! The chain hashes what is stored, not what it means: sealed columns as ciphertext, names as the text that stands there.
//! So anybody can verify it without a key, an erased person's entries verify as before, and a row that no longer parses
//! is still hashed, and found to be changed.
//!
//! # Version 1
//! One byte `01`, then the fields in the order of [`StoredEntry`], from `at_ms` on:
//!
//! | first byte | field | then |
//! |---|---|---|
//! | `00` | absent (NULL) | nothing |
//! | `01` | text | length in bytes, 4 bytes; UTF-8 |
//! | `02` | bytes | length, 4 bytes; the bytes |
//! | `03` | integer | 8 bytes, two's complement |
//!
//! Numbers are big-endian. Tenant, id and place are hashed by the chain. A new field takes a new version, and rows say
//! which theirs is.

use super::{
    Entry, EntryId,
    entry::{Tally, unix_ms},
};

/// The version that new entries are stored in.
pub const ENTRY_VERSION: i64 = 1;

/// A row from another version of the product, or one that was tampered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry version {0} is not known")]
pub struct UnknownVersion(pub i64);

/// One row of the table of entries. Nothing in it is trusted to be what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Of its bytes.
    pub version: i64,
    /// Which entry.
    pub id: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was done or tried.
    pub action: String,
    /// Whether it was allowed.
    pub outcome: String,
    /// Who did it.
    pub actor: String,
    /// The API client, or the ticket, that vouches for the actor.
    pub asserted_by: Option<String>,
    /// Where.
    pub surface: String,
    /// Which patient it is about, by the internal id.
    pub patient: Option<String>,
    /// In which consult.
    pub consult: Option<String>,
    /// Which participant, by number.
    pub participant: Option<i64>,
    /// The person whom it is about, by the internal id.
    pub person: Option<String>,
    /// Their role.
    pub role: Option<String>,
    /// A code that says more.
    pub detail: Option<String>,
    /// From where, sealed.
    pub address: Option<Vec<u8>>,
    /// By which request.
    pub request: Option<String>,
    /// How long it took, in microseconds.
    pub duration_us: Option<i64>,
}

impl StoredEntry {
    /// The row of an entry.
    pub fn of(entry: &Entry, id: EntryId) -> Self {
        let duration_us = entry.duration.map(|taken| i64::try_from(taken.as_micros()).unwrap_or(i64::MAX));
        Self {
            version: ENTRY_VERSION,
            id: id.to_string(),
            at_ms: unix_ms(entry.at),
            action: entry.action.as_str().to_owned(),
            outcome: entry.outcome.as_str().to_owned(),
            actor: entry.actor.to_string(),
            asserted_by: entry.actor.asserted_by(),
            surface: entry.surface.as_str().to_owned(),
            patient: entry.patient.map(|id| id.to_string()),
            consult: entry.consult.map(|id| id.to_string()),
            participant: entry.participant.map(|number| i64::from(number.csrc())),
            person: entry.person_id.as_ref().map(|id| id.reveal().clone()),
            role: entry.role.map(|role| role.as_str().to_owned()),
            detail: detail_of(entry),
            address: entry.address.as_ref().map(|sealed| sealed.as_bytes().to_vec()),
            request: entry.request.map(|id| id.to_string()),
            duration_us,
        }
    }

    /// The bytes that are hashed.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, UnknownVersion> {
        if self.version != ENTRY_VERSION {
            return Err(UnknownVersion(self.version));
        }
        let mut bytes = vec![ENTRY_VERSION as u8];
        integer(&mut bytes, Some(self.at_ms));
        text(&mut bytes, Some(&self.action));
        text(&mut bytes, Some(&self.outcome));
        text(&mut bytes, Some(&self.actor));
        text(&mut bytes, self.asserted_by.as_deref());
        text(&mut bytes, Some(&self.surface));
        text(&mut bytes, self.patient.as_deref());
        text(&mut bytes, self.consult.as_deref());
        integer(&mut bytes, self.participant);
        text(&mut bytes, self.person.as_deref());
        text(&mut bytes, self.role.as_deref());
        text(&mut bytes, self.detail.as_deref());
        field(&mut bytes, 2, self.address.as_deref());
        text(&mut bytes, self.request.as_deref());
        integer(&mut bytes, self.duration_us);
        Ok(bytes)
    }
}

/// A code or the broken glass in its place, and what it is about: `webhook_deleted webhook:ID`.
fn detail_of(entry: &Entry) -> Option<String> {
    let glass = entry.break_glass.map(|id| format!("break_glass:{id}"));
    let code = glass.or_else(|| entry.detail.map(|code| counted(code, entry.tally)));
    let object = entry.object.as_ref().map(ToString::to_string);
    match (code, object) {
        (Some(code), Some(object)) => Some(format!("{code} {object}")),
        (code, object) => code.or(object),
    }
}

/// A code, and how often where it stands for many: `api_key times:9987 addresses:12`.
fn counted(code: &'static str, tally: Option<Tally>) -> String {
    match tally {
        None => code.to_owned(),
        Some(Tally { times, addresses: None }) => format!("{code} times:{times}"),
        Some(Tally { times, addresses: Some(addresses) }) => {
            format!("{code} times:{times} addresses:{addresses}")
        }
    }
}

fn text(bytes: &mut Vec<u8>, value: Option<&str>) {
    field(bytes, 1, value.map(str::as_bytes));
}

fn field(bytes: &mut Vec<u8>, kind: u8, value: Option<&[u8]>) {
    let Some(value) = value else { return bytes.push(0) };
    bytes.push(kind);
    // A row of 4 GiB is none of ours; its length is cut rather than the server stopped.
    bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(value);
}

fn integer(bytes: &mut Vec<u8>, value: Option<i64>) {
    let Some(value) = value else { return bytes.push(0) };
    bytes.push(3);
    bytes.extend_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
