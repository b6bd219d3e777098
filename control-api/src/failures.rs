//! A bucket for those who fail to show who they are, much smaller than the one that everybody draws from. What was good a while
//! ago is looked at whatever others at its address do: an attacker behind the same proxy locks nobody out.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::digest;

use crate::{
    limits::{CREDENTIAL_KNOWN_FOR, CREDENTIALS_KNOWN_MAX},
    rate::{Buckets, network_of},
};

/// Of a credential or a client's id: neither is kept.
type Hash = [u8; 32];

fn hash(text: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

/// Somebody who says who they are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Claimant<'a> {
    /// From where, as far as anybody knows.
    pub address: Option<IpAddr>,
    /// Which client they say they are.
    pub client: Option<&'a str>,
    /// What is to show it.
    pub credential: Option<&'a str>,
}

/// Who failed lately, and who did not.
#[derive(Debug)]
pub(crate) struct Failures {
    addresses: Buckets<IpAddr>,
    clients: Buckets<(IpAddr, Hash)>,
    good: Mutex<HashMap<Hash, Instant>>,
    refused: AtomicU64,
}

impl Failures {
    /// Takes so many failures a second from one address, and a fifth of that in the name of one client.
    pub fn new(per_s: u32) -> Self {
        Self {
            addresses: Buckets::new(per_s),
            clients: Buckets::new(per_s / 5),
            good: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Tries that were not looked at.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lets somebody show who they are, or says how long to wait with that.
    pub fn may_try(&self, who: &Claimant<'_>, now: Instant) -> Result<(), Duration> {
        let Some(address) = who.address.map(network_of) else { return Ok(()) };
        if who.credential.is_some_and(|credential| self.was_good(hash(credential), now)) {
            return Ok(());
        }
        let client = who.client.map_or(Ok(()), |id| self.clients.look(&(address, hash(id)), now));
        let waits = [self.addresses.look(&address, now), client];
        let wait = waits.into_iter().filter_map(Result::err).max();
        wait.map_or(Ok(()), |wait| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Err(wait)
        })
    }

    /// They could not show it.
    pub fn note_failed(&self, who: &Claimant<'_>, now: Instant) {
        let Some(address) = who.address.map(network_of) else { return };
        // What is empty stays so: who tries at once has been let through already.
        let _ = self.addresses.take(address, now);
        if let Some(id) = who.client {
            let _ = self.clients.take((address, hash(id)), now);
        }
    }

    /// This credential is good.
    pub fn note_good(&self, credential: &str, now: Instant) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= CREDENTIALS_KNOWN_MAX {
            good.retain(|_, at| now.saturating_duration_since(*at) < CREDENTIAL_KNOWN_FOR);
        }
        if good.len() < CREDENTIALS_KNOWN_MAX {
            good.insert(hash(credential), now);
        }
    }

    fn was_good(&self, credential: Hash, now: Instant) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.get(&credential).is_some_and(|at| now.saturating_duration_since(*at) < CREDENTIAL_KNOWN_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BURST_S;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)));

    fn claimant<'a>(client: Option<&'a str>, credential: &'a str) -> Claimant<'a> {
        Claimant { address: HERE, client, credential: Some(credential) }
    }

    /// How many wrong credentials are looked at of a hundred.
    fn looked_at(failures: &Failures, client: Option<&str>, now: Instant) -> usize {
        let one = |number| {
            let (wrong, mut is_looked_at) = (format!("wrong {number}"), false);
            let who = claimant(client, &wrong);
            if failures.may_try(&who, now).is_ok() {
                failures.note_failed(&who, now);
                is_looked_at = true;
            }
            is_looked_at
        };
        (0..100).map(one).filter(|is_looked_at| *is_looked_at).count()
    }

    #[test]
    fn a_few_failures_pass_then_as_many_as_run_in() {
        let (failures, start) = (Failures::new(5), Instant::now());
        let burst = 5 * BURST_S as usize;
        assert_eq!(looked_at(&failures, None, start), burst);
        assert_eq!(failures.may_try(&claimant(None, "x"), start), Err(Duration::from_millis(200)));
        assert_eq!(looked_at(&failures, None, start + Duration::from_secs(1)), 5);
        assert_eq!(failures.refused(), (100 - burst as u64) + 1 + 95);
        let elsewhere = Claimant { address: "203.0.113.1".parse().ok(), ..claimant(None, "x") };
        assert_eq!(failures.may_try(&elsewhere, start), Ok(()), "another address");
        assert_eq!(failures.may_try(&Claimant::default(), start), Ok(()), "nobody knows from where");
    }

    #[test]
    fn one_clients_secret_is_tried_less_often_than_those_of_many() {
        let (failures, start) = (Failures::new(5), Instant::now());
        assert_eq!(looked_at(&failures, Some("clinic.ehr"), start), BURST_S as usize);
        assert_eq!(failures.may_try(&claimant(Some("clinic.other"), "x"), start), Ok(()), "another client");
    }

    #[test]
    fn what_was_good_is_looked_at_whatever_others_do_and_for_so_long() {
        let (failures, start) = (Failures::new(5), Instant::now());
        failures.note_good("right", start);
        looked_at(&failures, Some("clinic.ehr"), start);
        looked_at(&failures, None, start);
        assert_eq!(failures.may_try(&claimant(Some("clinic.ehr"), "right"), start), Ok(()));
        assert!(failures.may_try(&claimant(Some("clinic.ehr"), "wrong"), start).is_err());
        let later = start + CREDENTIAL_KNOWN_FOR;
        looked_at(&failures, None, later);
        assert!(failures.may_try(&claimant(None, "right"), later).is_err());
        // Whoever is new waits for as long as a drop takes.
        let wait = failures.may_try(&claimant(None, "new"), later).expect_err("the bucket is empty");
        assert_eq!(failures.may_try(&claimant(None, "new"), later + wait), Ok(()));
    }

    #[test]
    fn no_more_is_remembered_than_fits() {
        let (failures, start) = (Failures::new(5), Instant::now());
        for number in 0..CREDENTIALS_KNOWN_MAX + 10 {
            failures.note_good(&number.to_string(), start);
        }
        let size = || failures.good.lock().expect("not poisoned").len();
        assert_eq!(size(), CREDENTIALS_KNOWN_MAX);
        failures.note_good("new", start + CREDENTIAL_KNOWN_FOR);
        assert_eq!(size(), 1);
    }
}
