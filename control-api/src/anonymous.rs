//! Refusals of people of whom nothing is known: counted, so that the audit log has one entry a minute of them however many come.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use media_model::{Pii, TenantId};

use crate::{
    audit::{RequestId, Surface},
    limits::{ANONYMOUS_ADDRESSES_MAX, ANONYMOUS_KINDS_MAX},
};

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// Whose door it was, where that is known; else [`TenantId::SYSTEM`].
    pub tenant: TenantId,
    pub surface: Surface,
    /// A code.
    pub reason: &'static str,
}

/// Refusals of one kind that no entry tells of yet.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub times: u64,
    /// Different ones, up to [`ANONYMOUS_ADDRESSES_MAX`].
    pub addresses: Pii<BTreeSet<IpAddr>>,
    /// When the first came, and by which request.
    pub first_at: SystemTime,
    pub request: Option<RequestId>,
}

impl Counted {
    /// The address that all came from.
    pub fn only_address(&self) -> Option<Pii<IpAddr>> {
        let addresses = self.addresses.reveal();
        addresses.first().filter(|_| addresses.len() == 1).copied().map(Pii::new)
    }

    fn add(&mut self, other: &Self) {
        self.times = self.times.saturating_add(other.times);
        let room = ANONYMOUS_ADDRESSES_MAX.saturating_sub(self.addresses.reveal().len());
        let new: Vec<_> =
            other.addresses.reveal().difference(self.addresses.reveal()).take(room).copied().collect();
        if new.is_empty() {
            return;
        }
        let mut addresses = self.addresses.reveal().clone();
        addresses.extend(new);
        self.addresses = Pii::new(addresses);
    }
}

/// What waits to be told.
#[derive(Debug, Default)]
pub(crate) struct Anonymous(Mutex<HashMap<Kind, Counted>>);

impl Anonymous {
    /// Counts a refusal.
    pub fn note(&self, kind: Kind, from: Option<IpAddr>, request: Option<RequestId>, at: SystemTime) {
        let addresses = Pii::new(from.map(|address| address.to_canonical()).into_iter().collect());
        self.put(kind, Counted { times: 1, addresses, first_at: at, request });
    }

    /// Takes what was counted.
    pub fn take(&self) -> Vec<(Kind, Counted)> {
        self.lock().drain().collect()
    }

    /// Puts in what was counted; also what could not be told, which is told with what comes.
    pub fn put(&self, kind: Kind, counted: Counted) {
        let mut kinds = self.lock();
        // Codes are few: what belongs to no tenant always finds room.
        let is_full = kinds.len() >= ANONYMOUS_KINDS_MAX && !kinds.contains_key(&kind);
        let kind = if is_full { Kind { tenant: TenantId::SYSTEM, ..kind } } else { kind };
        match kinds.get_mut(&kind) {
            None => drop(kinds.insert(kind, counted)),
            Some(before) if before.first_at <= counted.first_at => before.add(&counted),
            Some(before) => {
                let later = std::mem::replace(before, counted);
                before.add(&later);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    fn kind(tenant: &str) -> Kind {
        let tenant = tenant.parse().expect("a tenant");
        Kind { tenant, surface: Surface::Api, reason: "api_key" }
    }

    fn ip(number: u32) -> Option<IpAddr> {
        Some(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn what_is_counted_is_told_once_with_its_addresses() {
        let (anonymous, at) = (Anonymous::default(), SystemTime::UNIX_EPOCH);
        for number in 0..10_000 {
            anonymous.note(kind("clinic"), ip(number / 2), None, at + Duration::from_secs(number.into()));
        }
        anonymous.note(kind("other"), ip(7), None, at);
        let mut told = anonymous.take();
        told.sort_by_key(|(_, counted)| counted.times);
        let [(other, one), (_, many)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((other.tenant.as_str(), one.times), ("other", 1));
        assert_eq!(one.only_address().map(|only| *only.reveal()), ip(7));
        assert_eq!((many.times, many.addresses.reveal().len()), (10_000, ANONYMOUS_ADDRESSES_MAX));
        assert!(many.only_address().is_none() && many.first_at == at);
        assert!(anonymous.take().is_empty());
    }

    #[test]
    fn what_could_not_be_told_is_told_with_what_comes() {
        let (anonymous, at) = (Anonymous::default(), SystemTime::UNIX_EPOCH);
        anonymous.note(kind("clinic"), ip(1), None, at);
        let before = anonymous.take();
        anonymous.note(kind("clinic"), ip(2), None, at + Duration::from_secs(1));
        before.into_iter().for_each(|(kind, counted)| anonymous.put(kind, counted));
        let told = anonymous.take();
        assert_eq!((told.len(), told[0].1.times, told[0].1.first_at), (1, 2, at));
        assert_eq!(told[0].1.addresses.reveal().len(), 2);
    }

    #[test]
    fn however_many_tenants_there_are_the_table_stays_small() {
        let anonymous = Anonymous::default();
        for number in 0..2 * ANONYMOUS_KINDS_MAX {
            anonymous.note(kind(&format!("t-{number}")), None, None, SystemTime::UNIX_EPOCH);
        }
        let told = anonymous.take();
        assert_eq!(told.len(), ANONYMOUS_KINDS_MAX + 1);
        assert_eq!(
            told.iter().map(|(_, counted)| counted.times).sum::<u64>(),
            2 * ANONYMOUS_KINDS_MAX as u64
        );
    }
}
