//! New keys for tickets and tokens in time, and whose tokens of other nodes are good.
//!
//! A node signs with keys of its own, and publishes their public halves in the database; nodes on one database believe each other's. What a
//! ticket is asked at the door is in memory, and in a file for a start while the database is away.
//!
//! ```text
//! draw ──▶ published ──60 s: all know it──▶ signs, `signing_key_days` ──▶ is believed until its last ticket has expired
//! ```
//!
//! A key that is not among the published any more was taken back: its node signs with a new one at once.
//!
//! | file | holds |
//! |---|---|
//! | `own.rs` | this node's key for one use, its successor, their files |
//! | `known.rs` | the file of public keys |

mod known;
mod own;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control_api::{ControlApi, KeyUse, StoreError, limits::SIGNING_KEYS_INTERVAL};
use signaling_protocol::ticket::InvalidKey;

use crate::keys::{KeyFileError, NodeKeys};
use known::KnownKeys;
use own::Own;

/// Keys that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeysError {
    /// A file of keys.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The random source, or a key that it made.
    #[error(transparent)]
    Key(#[from] InvalidKey),
}

/// What time it is, and for how long a key signs.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    now_ms: i64,
    lifetime: Duration,
}

/// This node's keys, and what it knows of others'.
pub struct SigningKeys {
    own: [Box<dyn Own>; 3],
    known: KnownKeys,
    lifetime: Duration,
}

impl SigningKeys {
    /// Believes whom the node knew when it stopped, until it has asked again.
    pub fn open(keys: &NodeKeys, lifetime: Duration) -> Result<Self, SigningKeysError> {
        let own: [Box<dyn Own>; 3] = [
            own::key(KeyUse::Ticket, &keys.tickets, &keys.folder)?,
            own::key(KeyUse::Access, &keys.access, &keys.folder)?,
            own::key(KeyUse::Visit, &keys.visits, &keys.folder)?,
        ];
        let opened = Self { own, known: KnownKeys::open(&keys.folder)?, lifetime };
        opened.trust(SystemTime::now())?;
        Ok(opened)
    }

    /// Follows for as long as the process lives. While the database is away, those known go on.
    pub async fn keep(mut self, api: ControlApi) {
        let mut is_failing = false;
        loop {
            tokio::time::sleep(SIGNING_KEYS_INTERVAL).await;
            match self.follow(&api, SystemTime::now()).await {
                Ok(()) => is_failing = false,
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(%error, "which keys nodes have published is not known; those known go on");
                    }
                    is_failing = true;
                }
            }
        }
    }

    /// Reads what is published, and does what is due.
    pub async fn follow(&mut self, api: &ControlApi, now: SystemTime) -> Result<(), SigningKeysError> {
        let time = Time { now_ms: unix_ms(now), lifetime: self.lifetime };
        let mut published = api.published_keys().await?;
        for own in &mut self.own {
            let due = own.due(&published, &self.known, time.now_ms);
            if let Some(key) = own.carry_out(due, time)? {
                api.publish_key(&key).await?;
                published.push(key);
            }
        }
        if self.known.differ(&published) {
            self.known.keep(published)?;
        }
        self.trust(now)
    }

    /// Believes the node's own keys, and those that others have published and that are good now.
    fn trust(&self, now: SystemTime) -> Result<(), SigningKeysError> {
        let now_ms = unix_ms(now);
        for own in &self.own {
            own.trust(self.known.good(own.signs(), now_ms))?;
        }
        Ok(())
    }
}

fn unix_ms(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().try_into().unwrap_or(i64::MAX)
}
