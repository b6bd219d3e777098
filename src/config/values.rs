//! Single values of the file: what they are where it says nothing, and what of it is taken.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU16, NonZeroU32},
};

use control_api::{Networks, TrustedProxies, WebOrigin};
use media_model::limits::CONSULT_TRANSPORTS_MAX;
use serde::{Deserialize, Deserializer};

pub fn default_listen() -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, 8080).into()
}

pub fn default_huge_pages() -> bool {
    true
}

pub fn default_pin_shards() -> bool {
    true
}

pub fn default_participants_max() -> u8 {
    32
}

pub fn default_signing_key_days() -> NonZeroU16 {
    NonZeroU16::new(30).unwrap_or(NonZeroU16::MIN)
}

/// Some 150,000 entries.
pub fn default_spool_mib() -> u16 {
    64
}

pub fn spool_mib<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let mib = u16::deserialize(deserializer)?;
    if !(1..=1_024).contains(&mib) {
        return Err(serde::de::Error::custom("spool_mib must be from 1 to 1024"));
    }
    Ok(mib)
}

pub fn default_api_requests_per_s() -> NonZeroU32 {
    NonZeroU32::new(control_api::limits::API_REQUESTS_PER_S).unwrap_or(NonZeroU32::MIN)
}

pub fn default_address_connections_max() -> NonZeroU32 {
    NonZeroU32::new(4096).unwrap_or(NonZeroU32::MAX)
}

pub fn default_api_failures_per_s() -> NonZeroU32 {
    NonZeroU32::new(control_api::limits::API_FAILURES_PER_S).unwrap_or(NonZeroU32::MIN)
}

pub fn participants_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let people = u8::deserialize(deserializer)?;
    if people == 0 || usize::from(people) > CONSULT_TRANSPORTS_MAX {
        let range = format!("consult_participants_max must be from 1 to {CONSULT_TRANSPORTS_MAX}");
        return Err(serde::de::Error::custom(range));
    }
    Ok(people)
}

pub fn trusted_proxies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TrustedProxies, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    let bad = || serde::de::Error::custom("trusted_proxies are addresses, or networks such as 10.1.0.0/16");
    TrustedProxies::parse(&list).ok_or_else(bad)
}

pub fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WebOrigin>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bad = || {
        serde::de::Error::custom("public_url is a scheme, a host and a port, such as https://host.example")
    };
    WebOrigin::parse(&text).ok_or_else(bad).map(Some)
}

pub fn this_machine() -> Networks {
    Networks::parse(&["127.0.0.0/8", "::1"]).unwrap_or_default()
}

pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Networks, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    Networks::parse(&list).ok_or_else(|| serde::de::Error::custom("networks look like 10.1.0.0/16"))
}
