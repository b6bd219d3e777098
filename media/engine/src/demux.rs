//! From a datagram to its protocol and its transport.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use media_model::limits::TRANSPORT_ADDRESSES_MAX;

use crate::{DropReason, transport::stun::BindingRequest};

/// What a datagram speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A connectivity check.
    Stun,
    /// A handshake or an alert.
    Dtls,
    /// SRTP.
    Rtp,
    /// SRTCP.
    Rtcp,
}

/// Tells the protocols of one port apart by their first byte (RFC 7983 §7) and RTCP by its packet type (RFC 5761 §4).
pub fn classify(datagram: &[u8]) -> Result<Protocol, DropReason> {
    match *datagram {
        [0..=3, ..] => Ok(Protocol::Stun),
        [20..=63, ..] => Ok(Protocol::Dtls),
        [128..=191, 192..=223, ..] => Ok(Protocol::Rtcp),
        [128..=191, _, ..] => Ok(Protocol::Rtp),
        _ => Err(DropReason::UnknownProtocol),
    }
}

/// A local user fragment that another transport of the shard has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UfragTaken;

/// Which transport a check names and which one an address belongs to. Transports are called by their place in the
/// engine, so that a packet costs one look-up.
#[derive(Debug, Default)]
pub struct Demux {
    by_ufrag: HashMap<Arc<str>, usize>,
    by_address: HashMap<(SocketAddr, IpAddr), usize>,
    transports: HashMap<usize, Entries>,
}

/// What leads to one transport, so that it can be removed without a search.
#[derive(Debug, Default)]
struct Entries {
    ufrags: Vec<Arc<str>>,
    /// Checked most recently last; as many as the transport's ICE agent keeps, forgotten in the same order.
    addresses: Vec<(SocketAddr, IpAddr)>,
}

impl Demux {
    /// Sets the local user fragments that name a transport, in place of the earlier ones.
    ///
    /// Changes nothing when one of them is another transport's.
    pub fn set_ufrags<'a>(
        &mut self,
        transport: usize,
        ufrags: impl Iterator<Item = &'a Arc<str>> + Clone,
    ) -> Result<(), UfragTaken> {
        if ufrags.clone().any(|ufrag| self.by_ufrag.get(ufrag).is_some_and(|owner| *owner != transport)) {
            return Err(UfragTaken);
        }
        let entries = self.transports.entry(transport).or_default();
        for ufrag in entries.ufrags.drain(..) {
            self.by_ufrag.remove(&ufrag);
        }
        for ufrag in ufrags {
            self.by_ufrag.insert(ufrag.clone(), transport);
            entries.ufrags.push(ufrag.clone());
        }
        Ok(())
    }

    /// The transport that a check names. Nothing is authenticated yet.
    pub fn transport_of_check(&self, datagram: &[u8]) -> Result<usize, DropReason> {
        let ufrag = BindingRequest::parse(datagram)?.local_ufrag().ok_or(DropReason::StunMalformed)?;
        self.by_ufrag.get(ufrag).copied().ok_or(DropReason::StunUnknownUser)
    }

    /// The transport whose authenticated check came from this address.
    pub fn transport_at(&self, remote: SocketAddr, local: IpAddr) -> Option<usize> {
        self.by_address.get(&(remote, local)).copied()
    }

    /// Notes where an authenticated check of a known transport came from.
    ///
    /// Returns the transport that had the address before, if it was another one: that one is no longer there.
    pub fn learn(&mut self, remote: SocketAddr, local: IpAddr, transport: usize) -> Option<usize> {
        let address = (remote, local);
        let entries = self.transports.get_mut(&transport)?;
        entries.addresses.retain(|known| *known != address);
        if entries.addresses.len() == TRANSPORT_ADDRESSES_MAX {
            self.by_address.remove(&entries.addresses.remove(0));
        }
        entries.addresses.push(address);
        let before = self.by_address.insert(address, transport).filter(|owner| *owner != transport)?;
        if let Some(entries) = self.transports.get_mut(&before) {
            entries.addresses.retain(|known| *known != address);
        }
        Some(before)
    }

    /// Removes a transport with everything that leads to it.
    pub fn remove(&mut self, transport: usize) {
        let Some(entries) = self.transports.remove(&transport) else { return };
        for ufrag in entries.ufrags {
            self.by_ufrag.remove(&ufrag);
        }
        for address in entries.addresses {
            self.by_address.remove(&address);
        }
    }
}
