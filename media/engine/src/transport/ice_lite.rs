//! An ICE-lite agent (RFC 8445 §2.5): it has host candidates only, sends no checks, is always controlled, and
//! answers authenticated checks.
//!
//! ```text
//!             authenticated check                USE-CANDIDATE
//!  waiting ────────────────────────► validated ────────────────► nominated ─┐
//!                                        ▲                           │ ▲    │ USE-CANDIDATE from
//!                                        └── any address may become valid at any time   another address:
//!                                                                      └────┘ the latest wins
//! ```
//!
//! After [`IceLite::restart`] the earlier credentials go on working until the new ones have nominated (RFC 8445 §9).

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use aws_lc_rs::hmac;
use media_model::limits::{CONSENT_EXPIRY, TRANSPORT_ADDRESSES_MAX};
use prefetch::prefetch;

use super::stun::{self, BindingRequest, RESPONSE_BYTES_MAX};
use crate::{DropReason, api::IceCredentials};

/// Where the client is, and the address of ours that it reaches.
pub type Pair = (SocketAddr, IpAddr);

/// One transport's ICE agent. What every packet needs stands first.
#[derive(Debug)]
#[repr(C)]
pub struct IceLite {
    selected: Option<Pair>,
    /// Where the client's newest authentic packet came from, which may be elsewhere until it has nominated.
    carrying: Option<Pair>,
    current: Generation,
    /// The credentials before a restart, while the new ones have nominated nothing.
    previous: Option<Generation>,
    /// The pairs that were checked most recently, newest last.
    valid: Vec<Pair>,
    checked_at: Instant,
}

/// What came of an authentic check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Of the answer, in bytes.
    pub length: usize,
    /// Whether the pair is good now: a request may be authentic and yet be refused (487, 420).
    pub is_valid: bool,
    /// The pair that is no longer good, because there are too many.
    pub forgotten: Option<Pair>,
}

/// The credentials between two restarts.
#[derive(Debug)]
struct Generation {
    local_ufrag: Arc<str>,
    remote_ufrag: Arc<str>,
    key: hmac::Key,
    has_nominated: bool,
}

impl Generation {
    fn new(local: &IceCredentials, remote: &IceCredentials) -> Self {
        Self {
            local_ufrag: local.ufrag.clone(),
            remote_ufrag: remote.ufrag.clone(),
            // The request's integrity and the response's both use the password of the side that is asked
            // (RFC 8445 §7.2.2).
            key: stun::integrity_key(&local.password),
            has_nominated: false,
        }
    }

    fn is_named_by(&self, request: &BindingRequest<'_>) -> bool {
        request.is_for(&self.local_ufrag, &self.remote_ufrag)
    }
}

impl IceLite {
    /// An agent that waits for the client's first check; consent counts from `now`.
    pub fn new(local: &IceCredentials, remote: &IceCredentials, now: Instant) -> Self {
        Self {
            current: Generation::new(local, remote),
            previous: None,
            valid: Vec::with_capacity(TRANSPORT_ADDRESSES_MAX),
            selected: None,
            carrying: None,
            checked_at: now,
        }
    }

    /// Takes a connectivity check, which may also be a consent check (RFC 7675 §5.1), and writes the answer into
    /// `out`, which has room for [`RESPONSE_BYTES_MAX`].
    ///
    /// What is not authentic is dropped without an answer and changes nothing. An authentic request that is refused
    /// (487, 420) is answered and changes nothing either.
    pub fn handle_check(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: IpAddr,
        datagram: &[u8],
        out: &mut [u8],
    ) -> Result<Answer, DropReason> {
        if out.len() < RESPONSE_BYTES_MAX {
            return Err(DropReason::SendBufferFull);
        }
        let request = BindingRequest::parse(datagram)?;
        if !request.has_valid_fingerprint() {
            return Err(DropReason::StunMalformed);
        }
        let of_current = self.current.is_named_by(&request);
        let generation = match &self.previous {
            _ if of_current => &self.current,
            Some(previous) if previous.is_named_by(&request) => previous,
            _ => return Err(DropReason::StunUnknownUser),
        };
        if !request.is_authentic(&generation.key) {
            return Err(DropReason::StunUnauthenticated);
        }
        let key = &generation.key;
        // RFC 8489 §6.3.1 first, because what is not understood might change the meaning of the rest; then
        // RFC 8445 §7.3.1.1: a lite agent keeps the controlled role, so the client has to change its own.
        let (is_valid, length) = if !request.unknown_attributes().is_empty() {
            (false, request.refuse_unknown_attributes(key, out))
        } else if request.ice_controlled {
            (false, request.refuse_role(key, out))
        } else {
            (true, request.succeed(remote, key, out))
        };
        let length = length.ok_or(DropReason::SendBufferFull)?;
        if !is_valid {
            return Ok(Answer { length, is_valid, forgotten: None });
        }
        self.checked_at = now;
        let forgotten = self.validate((remote, local));
        if request.use_candidate {
            self.nominate((remote, local), of_current);
        }
        Ok(Answer { length, is_valid, forgotten })
    }

    /// Notes a good pair; returns the one that has to make room. A client with many addresses checks them all by turns, so
    /// that the pair in use may well be the one that was checked longest ago: it stays.
    fn validate(&mut self, pair: Pair) -> Option<Pair> {
        self.valid.retain(|known| *known != pair);
        let is_full = self.valid.len() >= TRANSPORT_ADDRESSES_MAX;
        let in_use = [self.selected, self.carrying];
        let oldest = self.valid.iter().position(|known| !in_use.contains(&Some(*known)));
        let forgotten = oldest.filter(|_| is_full).map(|at| self.valid.remove(at));
        self.valid.push(pair);
        // RFC 8445 §12.1: before anything is nominated, any valid pair will do.
        self.selected.get_or_insert(pair);
        forgotten
    }

    /// Notes that an authentic packet came from this pair.
    pub fn carries(&mut self, pair: Pair) {
        self.carrying = Some(pair);
    }

    /// RFC 8445 §7.3.2 for a lite agent: the pair is valid, so it is nominated at once, and the latest one is used.
    fn nominate(&mut self, pair: Pair, of_current: bool) {
        self.selected = Some(pair);
        if of_current {
            self.current.has_nominated = true;
            self.previous = None;
        }
    }

    /// Begins with new credentials. Media and the earlier credentials go on until the new ones have nominated.
    pub fn restart(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        let replaced = std::mem::replace(&mut self.current, Generation::new(local, remote));
        if replaced.has_nominated || self.previous.is_none() {
            self.previous = Some(replaced);
        }
    }

    /// The local user fragments that checks may name now: one, or two during a restart.
    pub fn local_ufrags(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.current).chain(&self.previous).map(|generation| &generation.local_ufrag)
    }

    /// Has the processor fetch where to send.
    pub fn prefetch_selected(&self) {
        prefetch(&self.selected);
    }

    /// Has the processor fetch where it is noted what carries media.
    pub fn prefetch_carrying(&self) {
        prefetch(&self.carrying);
    }

    /// Has the processor fetch until when the client has consented.
    pub fn prefetch_consent(&self) {
        prefetch(&self.checked_at);
    }

    /// Where to send: the nominated pair, or the first valid one before any nomination.
    pub fn selected(&self) -> Option<Pair> {
        self.selected
    }

    /// Whether an authentic check came from this address; DTLS and SRTP from elsewhere are not looked at.
    pub fn is_validated(&self, remote: SocketAddr) -> bool {
        self.valid.iter().any(|(known, _)| *known == remote)
    }

    /// Forgets a pair, because another transport has proved that it is there now.
    pub fn forget(&mut self, pair: Pair) {
        self.valid.retain(|known| *known != pair);
        self.carrying = self.carrying.filter(|carrying| *carrying != pair);
        if self.selected == Some(pair) {
            self.selected = self.valid.last().copied();
        }
    }

    /// When the consent to send ends unless another check comes (RFC 7675 §5.1).
    pub fn consent_expires_at(&self) -> Instant {
        self.checked_at + CONSENT_EXPIRY
    }
}

#[cfg(test)]
mod tests;
