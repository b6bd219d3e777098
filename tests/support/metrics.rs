//! `/metrics`, read.

use std::{collections::HashMap, net::SocketAddr};

use super::http;

/// One scrape: value by name with labels, as it stands in Prometheus' text format.
pub struct Metrics(HashMap<String, f64>);

impl Metrics {
    pub async fn of(address: SocketAddr) -> Self {
        let answer = http::get(address, "/metrics").await;
        assert_eq!(answer.status, 200);
        let samples = answer.body.lines().filter(|line| !line.starts_with('#'));
        let read = samples.map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("name and value");
            (name.to_owned(), value.parse().expect("a number"))
        });
        Self(read.collect())
    }

    /// The value of this sample, such as `consilium_packets_dropped_total{reason="muted"}`.
    pub fn value(&self, sample: &str) -> f64 {
        self.0.get(sample).copied().unwrap_or_else(|| panic!("no {sample} in /metrics"))
    }

    /// Errors of this code that were told to clients.
    pub fn errors(&self, code: &str) -> f64 {
        self.value(&format!("consilium_signaling_errors_total{{code=\"{code}\"}}"))
    }

    /// Packets dropped for this reason.
    pub fn dropped(&self, reason: &str) -> f64 {
        self.value(&format!("consilium_packets_dropped_total{{reason=\"{reason}\"}}"))
    }

    /// The sum over all samples of a family.
    pub fn sum(&self, family: &str) -> f64 {
        let of_family = |name: &str| name.split('{').next() == Some(family);
        self.0.iter().filter(|(name, _)| of_family(name)).map(|(_, value)| value).sum()
    }

    pub fn has(&self, family: &str) -> bool {
        self.0.keys().any(|name| name.split('{').next() == Some(family))
    }
}
