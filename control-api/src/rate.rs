//! Rate limits: token buckets, one for each API client, one for each person in a visit and one for each address.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::limits::{BUCKETS_MAX, BURST_S, VISITOR_REQUESTS_BURST, VISITOR_REQUESTS_PER_S};

/// How much may be asked.
#[derive(Debug)]
pub(crate) struct RateLimits {
    addresses: Buckets<IpAddr>,
    clients: Buckets<String>,
    visitors: Buckets<String>,
    refused: Refused,
}

/// Requests that were refused for coming too fast.
#[derive(Debug, Default)]
pub struct Refused {
    /// From one address.
    pub by_address: AtomicU64,
    /// From one API client, or one person in a visit.
    pub by_client: AtomicU64,
}

impl RateLimits {
    pub fn new(requests_per_s: u32) -> Self {
        let (addresses, clients) = (Buckets::new(requests_per_s), Buckets::new(requests_per_s));
        let visitors = Buckets::with_burst(VISITOR_REQUESTS_PER_S, f64::from(VISITOR_REQUESTS_BURST));
        Self { addresses, clients, visitors, refused: Refused::default() }
    }

    pub const fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Lets a request from an address through, or says how long to wait.
    pub fn pass_address(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let passed = self.addresses.take(network_of(address), now);
        passed.inspect_err(|_| count(&self.refused.by_address))
    }

    /// Lets a request of an API client, by its tenant and id, through, or says how long to wait.
    pub fn pass_client(&self, client: String, now: Instant) -> Result<(), Duration> {
        let passed = self.clients.take(client, now);
        passed.inspect_err(|_| count(&self.refused.by_client))
    }

    /// Lets a request of somebody in a visit, by tenant, consult and id, through, or says how long to wait. They have less than a back end
    /// has, however much that is.
    pub fn pass_visitor(&self, visitor: String, now: Instant) -> Result<(), Duration> {
        let passed = self.visitors.take(visitor, now);
        passed.inspect_err(|_| count(&self.refused.by_client))
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Whoever has one address of IPv6 has 2^64 of them (RFC 4291 §2.5.1).
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

/// A bucket for each of so many keys at most; what is full again is as good as not there.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    per_s: f64,
    burst: f64,
    table: Mutex<Table<K>>,
}

#[derive(Debug)]
struct Table<K> {
    buckets: HashMap<K, Bucket>,
    /// Whoever comes when all places are taken shares this one.
    latecomers: Option<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// With what has run in since.
    fn at(self, now: Instant, (per_s, burst): (f64, f64)) -> Self {
        let since_s = now.saturating_duration_since(self.at).as_secs_f64();
        Self { tokens: (self.tokens + since_s * per_s).min(burst), at: now }
    }

    fn take(&mut self, now: Instant, (per_s, burst): (f64, f64)) -> Result<(), Duration> {
        *self = self.at(now, (per_s, burst));
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / per_s));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

impl<K: Hash + Eq> Buckets<K> {
    pub fn new(per_s: u32) -> Self {
        Self::with_burst(per_s, f64::from(per_s.max(1)) * BURST_S)
    }

    /// As many as `burst` may come at once.
    pub fn with_burst(per_s: u32, burst: f64) -> Self {
        let table = Table { buckets: HashMap::new(), latecomers: None };
        Self { per_s: f64::from(per_s.max(1)), burst, table: Mutex::new(table) }
    }

    const fn runs_in(&self) -> (f64, f64) {
        (self.per_s, self.burst)
    }

    /// Whether one could be taken, or how long to wait until then.
    pub fn look(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let is_crowded = table.buckets.len() >= BUCKETS_MAX;
        let bucket = table.buckets.get(key).or(table.latecomers.as_ref().filter(|_| is_crowded)).copied();
        bucket.map_or(Ok(()), |mut bucket| bucket.take(now, self.runs_in()))
    }

    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let full = Bucket { tokens: self.burst, at: now };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.buckets.len() >= BUCKETS_MAX && !table.buckets.contains_key(&key) {
            table.buckets.retain(|_, bucket| bucket.at(now, self.runs_in()).tokens < full.tokens);
            if table.buckets.len() >= BUCKETS_MAX {
                return table.latecomers.get_or_insert(full).take(now, self.runs_in());
            }
        }
        table.buckets.entry(key).or_insert(full).take(now, self.runs_in())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_burst_passes_then_as_many_as_run_in() {
        let (limits, start) = (RateLimits::new(2), Instant::now());
        let burst = 2 * BURST_S as u32;
        for _ in 0..burst {
            assert_eq!(limits.pass_client("a".into(), start), Ok(()));
        }
        assert_eq!(limits.pass_client("a".into(), start), Err(Duration::from_millis(500)));
        assert_eq!(limits.pass_client("b".into(), start), Ok(()), "another client");
        let later = start + Duration::from_millis(500);
        assert_eq!(limits.pass_client("a".into(), later), Ok(()));
        assert!(limits.pass_client("a".into(), later).is_err());
        assert_eq!(limits.refused().by_client.load(Ordering::Relaxed), 2);
        assert_eq!(limits.refused().by_address.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn somebody_in_a_visit_has_a_small_bucket_however_large_a_back_end_s_is() {
        let (limits, start) = (RateLimits::new(1_000), Instant::now());
        let passed = |now| (0..1_000).filter(|_| limits.pass_visitor("a".into(), now).is_ok()).count();
        assert_eq!(passed(start), 60);
        assert_eq!(passed(start + Duration::from_secs(1)), 10);
        assert_eq!(passed(start + Duration::from_secs(60)), 60, "no more than at first");
        assert_eq!(limits.pass_visitor("b".into(), start), Ok(()), "somebody else");
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let (limits, now) = (RateLimits::new(1), Instant::now());
        for n in 0..BURST_S as u32 {
            assert_eq!(limits.pass_address(ip(&format!("2001:db8::{n}")), now), Ok(()));
        }
        assert!(limits.pass_address(ip("2001:db8::ffff"), now).is_err());
        assert_eq!(limits.pass_address(ip("2001:db8:0:1::1"), now), Ok(()));
        for _ in 0..BURST_S as u32 {
            assert_eq!(limits.pass_address(ip("::ffff:198.51.100.1"), now), Ok(()));
        }
        assert!(limits.pass_address(ip("198.51.100.1"), now).is_err(), "the same machine");
    }

    #[test]
    fn the_table_stays_small_and_forgets_who_is_quiet() {
        let (buckets, start) = (Buckets::<usize>::new(1), Instant::now());
        let size = || buckets.table.lock().expect("not poisoned").buckets.len();
        for key in 0..BUCKETS_MAX + 10 {
            assert_eq!(buckets.take(key, start).is_ok(), key < BUCKETS_MAX + BURST_S as usize, "{key}");
        }
        assert_eq!(size(), BUCKETS_MAX);
        assert_eq!(buckets.take(usize::MAX, start + Duration::from_secs(10)), Ok(()));
        assert_eq!(size(), 1);
    }
}
