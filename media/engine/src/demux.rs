//! From a datagram to its protocol and its transport.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use self::addresses::{Address, Addresses};
use crate::{DropReason, transport::stun::BindingRequest};

mod address_hash;
mod addresses;

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
    by_address: Addresses,
    /// What was looked up last: packets come in bursts.
    latest: Option<(Address, usize)>,
    transports: HashMap<usize, Entries>,
}

/// What leads to one transport, so that it can be removed without a search.
#[derive(Debug, Default)]
struct Entries {
    ufrags: Vec<Arc<str>>,
    /// Those that the transport's ICE agent keeps, which bounds them.
    addresses: Vec<Address>,
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
    pub fn transport_at(&mut self, remote: SocketAddr, local: IpAddr) -> Option<usize> {
        let address = (remote, local);
        match self.latest {
            Some((latest, transport)) if latest == address => Some(transport),
            _ => {
                let transport = self.by_address.get(&address)?;
                self.latest = Some((address, transport));
                Some(transport)
            }
        }
    }

    /// Has the processor fetch what [`Self::peek`] looks at.
    pub fn prefetch(&self, remote: SocketAddr, local: IpAddr) {
        self.by_address.prefetch(&(remote, local));
    }

    /// [`Self::transport_at`] for who only wants to prepare; remembers nothing.
    pub fn peek(&self, remote: SocketAddr, local: IpAddr) -> Option<usize> {
        self.by_address.get(&(remote, local))
    }

    /// Notes where an authenticated check of a known transport came from.
    ///
    /// Returns the transport that had the address before, if it was another one: that one is no longer there.
    pub fn learn(&mut self, remote: SocketAddr, local: IpAddr, transport: usize) -> Option<usize> {
        let address = (remote, local);
        self.latest = None;
        let entries = self.transports.get_mut(&transport)?;
        if !entries.addresses.contains(&address) {
            entries.addresses.push(address);
        }
        let before = self.by_address.insert(address, transport).filter(|owner| *owner != transport)?;
        if let Some(entries) = self.transports.get_mut(&before) {
            entries.addresses.retain(|known| *known != address);
        }
        Some(before)
    }

    /// Forgets an address that the transport's ICE agent no longer keeps.
    pub fn forget(&mut self, address: (SocketAddr, IpAddr), transport: usize) {
        self.latest = None;
        let Some(entries) = self.transports.get_mut(&transport) else { return };
        if let Some(at) = entries.addresses.iter().position(|known| *known == address) {
            entries.addresses.swap_remove(at);
            self.by_address.remove(&address);
        }
    }

    /// Removes a transport with everything that leads to it.
    pub fn remove(&mut self, transport: usize) {
        self.latest = None;
        let Some(entries) = self.transports.remove(&transport) else { return };
        for ufrag in entries.ufrags {
            self.by_ufrag.remove(&ufrag);
        }
        for address in entries.addresses {
            self.by_address.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ONE: usize = 1;
    const TWO: usize = 2;

    fn at(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn named(demux: &mut Demux, transport: usize, ufrags: &[&str]) -> Result<(), UfragTaken> {
        let ufrags: Vec<Arc<str>> = ufrags.iter().map(|ufrag| (*ufrag).into()).collect();
        demux.set_ufrags(transport, ufrags.iter())
    }

    /// A Binding request as far as the tables look at it.
    fn check_for(ufrag: &str) -> Vec<u8> {
        let username = format!("{ufrag}:peer");
        let padded = username.len().next_multiple_of(4);
        let mut message = vec![0, 1, 0, (4 + padded + 24 + 8) as u8, 0x21, 0x12, 0xa4, 0x42];
        message.extend([0; 12]);
        message.extend([0, 6, 0, username.len() as u8]);
        message.extend(username.bytes().chain([0; 3]).take(padded));
        message.extend([0, 8, 0, 20].into_iter().chain([0; 20]));
        message.extend([0x80, 0x28, 0, 4, 0, 0, 0, 0]);
        message
    }

    #[test]
    fn protocols_are_told_apart_by_their_first_bytes() {
        for first in 0..=255 {
            let expected = match first {
                0..=3 => Ok(Protocol::Stun),
                20..=63 => Ok(Protocol::Dtls),
                128..=191 => Ok(Protocol::Rtp),
                _ => Err(DropReason::UnknownProtocol),
            };
            assert_eq!(classify(&[first, 96]), expected, "{first}");
        }
        assert_eq!(classify(&[0x80, 200]), Ok(Protocol::Rtcp));
        assert_eq!(classify(&[0x80, 0x80 | 96]), Ok(Protocol::Rtp));
        assert_eq!((classify(&[]), classify(&[0x80])), (Err(DropReason::UnknownProtocol), classify(&[])));
    }

    #[test]
    fn a_check_finds_its_transport_by_any_of_its_fragments_and_nobody_elses() {
        let mut demux = Demux::default();
        assert_eq!(named(&mut demux, ONE, &["abcd"]), Ok(()));
        assert_eq!(named(&mut demux, TWO, &["efgh", "abcd"]), Err(UfragTaken));
        assert_eq!(demux.transport_of_check(&check_for("efgh")), Err(DropReason::StunUnknownUser));
        assert_eq!(named(&mut demux, ONE, &["ijkl", "abcd"]), Ok(()));
        assert_eq!(demux.transport_of_check(&check_for("abcd")), Ok(ONE));
        assert_eq!(named(&mut demux, ONE, &["ijkl"]), Ok(()));
        assert_eq!(demux.transport_of_check(&check_for("abcd")), Err(DropReason::StunUnknownUser));
        assert_eq!(demux.transport_of_check(&[0; 20]), Err(DropReason::StunMalformed));
    }

    #[test]
    fn an_address_belongs_to_the_transport_that_proved_it_last() {
        let mut demux = Demux::default();
        assert!(named(&mut demux, ONE, &["abcd"]).is_ok() && named(&mut demux, TWO, &["efgh"]).is_ok());
        assert_eq!(demux.learn(at(1), LOCAL, ONE), None);
        assert_eq!(demux.learn(at(1), LOCAL, TWO), Some(ONE));
        assert_eq!(demux.learn(at(1), LOCAL, TWO), None);
        demux.remove(ONE);
        assert_eq!(demux.transport_at(at(1), LOCAL), Some(TWO));
        assert_eq!(demux.transport_at(at(1), IpAddr::from([127, 0, 0, 2])), None);
    }

    #[test]
    fn a_transport_forgets_its_own_addresses_only() {
        let mut demux = Demux::default();
        assert!(named(&mut demux, ONE, &["abcd"]).is_ok() && named(&mut demux, TWO, &["efgh"]).is_ok());
        for (port, transport) in [(1, ONE), (2, ONE), (3, TWO), (2, ONE)] {
            assert_eq!(demux.learn(at(port), LOCAL, transport), None);
        }
        demux.forget((at(1), LOCAL), ONE);
        demux.forget((at(3), LOCAL), ONE);
        let found = [1, 2, 3].map(|port| demux.transport_at(at(port), LOCAL));
        assert_eq!(found, [None, Some(ONE), Some(TWO)]);
    }

    #[test]
    fn nothing_of_a_removed_transport_stays() {
        let mut demux = Demux::default();
        assert!(named(&mut demux, ONE, &["abcd", "efgh"]).is_ok());
        assert_eq!(demux.learn(at(1), LOCAL, ONE), None);
        demux.remove(ONE);
        assert_eq!(demux.learn(at(2), LOCAL, ONE), None, "an unknown transport learns nothing");
        assert!(demux.by_ufrag.is_empty() && demux.by_address.is_empty() && demux.transports.is_empty());
    }
}
