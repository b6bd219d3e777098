//! What signaling counts: plain atomics, read by whoever serves the metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
