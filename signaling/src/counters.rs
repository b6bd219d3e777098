//! What signaling counts, read by whoever serves the metrics.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use signaling_protocol::error::ErrorCode;

/// Totals since the start. How many are here now is [`crate::Signaling::headcount`].
#[derive(Debug, Default)]
pub struct Counters {
    /// WebSocket connections that were accepted.
    pub connections: AtomicU64,
    /// WebSocket messages that clients sent.
    pub messages_received: AtomicU64,
    /// WebSocket messages that were sent to clients.
    pub messages_sent: AtomicU64,
    /// Chat lines that were passed on.
    pub chat_lines: AtomicU64,
    /// Connections closed because their client does not read.
    pub slow_readers: AtomicU64,
    /// Requests turned away because of their `Origin`.
    pub origins_refused: AtomicU64,
    /// Commands that a shard's full mailbox refused.
    pub shard_overloaded: AtomicU64,
    /// Journal entries that could not be kept.
    pub journal_lost: AtomicU64,
    /// Connections that gave way to a newer one of the same person.
    pub replaced: AtomicU64,
    /// HTTP requests that were refused, by the code of their problem. The codes are the program's own, so few.
    requests_refused: Mutex<BTreeMap<&'static str, u64>>,
    errors: [AtomicU64; ErrorCode::ALL.len()],
}

impl Counters {
    /// Counts one more.
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// Counts an error that was told to a client.
    pub(crate) fn erred(&self, code: ErrorCode) {
        if let Some(at) = ErrorCode::ALL.iter().position(|c| *c == code) {
            Self::add(&self.errors[at]);
        }
    }

    /// Counts a request that was refused: an upgrade, WHIP or WHEP.
    pub(crate) fn request_refused(&self, code: &'static str) {
        let mut refused = self.requests_refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(code).or_default() += 1;
    }

    /// Requests that were refused, by code.
    pub fn requests_refused(&self) -> Vec<(&'static str, u64)> {
        let refused = self.requests_refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().map(|(code, count)| (*code, *count)).collect()
    }

    /// Errors told to clients, by code.
    pub fn errors(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        ErrorCode::ALL.into_iter().zip(self.errors.iter().map(|count| count.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_code_has_its_own_counter() {
        let counters = Counters::default();
        for code in ErrorCode::ALL {
            counters.erred(code);
        }
        assert_eq!(counters.errors().count(), ErrorCode::ALL.len());
        assert!(counters.errors().all(|(_, count)| count == 1));
    }
}
