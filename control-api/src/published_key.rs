//! A node's public key, as other nodes and the node's own next start read it.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use signaling_protocol::ticket::PublicKey;

use crate::{
    limits::{SIGNING_KEY_OUTLASTS, TICKET_LIFETIME_MAX},
    named::named,
};

named! {
    /// What a key signs.
    pub enum KeyUse {
        /// Tickets to consults.
        Ticket = "ticket",
        /// Access tokens of back ends.
        Access = "access",
        /// Tokens with which whoever is in a visit calls.
        Visit = "visit",
    }
}

/// A public key, and when what it has signed is good. As text it is one line: use, key in base64url, first and last
/// millisecond since 1970 in which it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// What it signs.
    pub signs: KeyUse,
    /// The key.
    pub key: PublicKey,
    /// Since when others may know it.
    pub since_ms: i64,
    /// When its owner turns to another one.
    pub signs_until_ms: i64,
}

/// A line that is no published key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a published key")]
pub struct NotPublished;

impl PublishedKey {
    /// A key that signs from now on, for so long.
    pub fn new(signs: KeyUse, key: PublicKey, now_ms: i64, lifetime: Duration) -> Self {
        Self { signs, key, since_ms: now_ms, signs_until_ms: now_ms.saturating_add(millis(lifetime)) }
    }

    /// When nothing is good any more that it has signed.
    pub const fn good_until_ms(&self) -> i64 {
        self.signs_until_ms
            .saturating_add(millis(TICKET_LIFETIME_MAX))
            .saturating_add(millis(SIGNING_KEY_OUTLASTS))
    }

    /// The name under which it is kept, of all keys of all nodes.
    pub(crate) fn name(&self) -> String {
        Self::name_of(self.signs, self.key.kid())
    }

    pub(crate) fn name_of(signs: KeyUse, kid: &str) -> String {
        format!("{signs}:{kid}")
    }
}

const fn millis(duration: Duration) -> i64 {
    duration.as_millis() as i64
}

impl fmt::Display for PublishedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signs, key, since_ms, signs_until_ms } = self;
        write!(f, "{signs} {} {since_ms} {signs_until_ms}", URL_SAFE_NO_PAD.encode(key.to_bytes()))
    }
}

impl FromStr for PublishedKey {
    type Err = NotPublished;

    fn from_str(line: &str) -> Result<Self, NotPublished> {
        let parts: Vec<_> = line.split(' ').collect();
        let [signs, key, since_ms, signs_until_ms] = parts[..] else { return Err(NotPublished) };
        let bytes = URL_SAFE_NO_PAD.decode(key).ok().and_then(|bytes| bytes.try_into().ok());
        let time = |text: &str| text.parse::<i64>().ok().filter(|ms| *ms >= 0).ok_or(NotPublished);
        Ok(Self {
            signs: signs.parse().map_err(|_| NotPublished)?,
            key: bytes.and_then(|bytes| PublicKey::from_bytes(bytes).ok()).ok_or(NotPublished)?,
            since_ms: time(since_ms)?,
            signs_until_ms: time(signs_until_ms)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use signaling_protocol::ticket::TicketSigner;

    use super::*;

    #[test]
    fn a_published_key_is_read_back_from_its_line_and_from_nothing_else() {
        let key = TicketSigner::generate().expect("a key").public_key();
        let published = PublishedKey::new(KeyUse::Visit, key, 1_800_000_000_000, Duration::from_secs(60));
        let line = published.to_string();
        assert_eq!(line.parse(), Ok(published.clone()));
        assert_eq!(published.good_until_ms(), 1_800_000_060_000 + 25 * 3_600_000);
        let cut = &line[..line.len() - 20];
        for wrong in
            ["", "visit", cut, &line.replace("visit", "door"), &format!("{line} "), &line.replace(' ', "  ")]
        {
            assert_eq!(wrong.parse::<PublishedKey>(), Err(NotPublished), "{wrong:?}");
        }
    }
}
