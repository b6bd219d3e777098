//! Where a request came from, when it came through proxies.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::{Networks, limits::FORWARDED_HOPS_MAX};

/// Networks whose machines are believed about where a request came from; anybody else could have written the header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// Takes addresses and networks such as `10.1.0.0/16`; `None` where one is neither.
    pub fn parse<T: AsRef<str>>(list: &[T]) -> Option<Self> {
        Networks::parse(list).map(Self)
    }

    /// Who sent the request: the peer or, where that is a trusted proxy, the nearest machine before it that is none. `Forwarded`
    /// (RFC 7239 §4) goes before `X-Forwarded-For`. A proxy that hides the address leaves its own.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let texts = |name: &str| -> Vec<&str> {
            headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
        };
        let standard = texts("forwarded");
        let hops: Vec<Option<IpAddr>> = match standard.is_empty() {
            false => elements(&standard).map(forwarded_for).collect(),
            true => elements(&texts("x-forwarded-for")).map(address).collect(),
        };
        let mut client = peer;
        for hop in hops.into_iter().rev().take(FORWARDED_HOPS_MAX) {
            let Some(hop) = hop else { break };
            client = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        client
    }

    /// Whether it is one of them.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }
}

fn elements<'a>(lines: &[&'a str]) -> impl Iterator<Item = &'a str> {
    let elements: Vec<_> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    elements.into_iter()
}

/// `for` of one element of `Forwarded` (RFC 7239 §5.2); `None` where it is hidden or missing.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    address(value)
}

/// An address with or without port, brackets and quotes (RFC 7239 §6).
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    }
    let whole = text.parse::<IpAddr>().ok();
    let without_port = || text.split_once(':').and_then(|(ip, _)| ip.parse().ok());
    whole.or_else(without_port).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &[&str], peer: &str, header: (&'static str, &'static str)) -> String {
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(header.0),
            axum::http::HeaderValue::from_static(header.1),
        )]);
        let proxies = TrustedProxies::parse(proxies).expect("networks");
        proxies.client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn only_a_configured_proxy_is_believed() {
        let header = ("x-forwarded-for", "203.0.113.9");
        assert_eq!(client(&[], "198.51.100.1", header), "198.51.100.1");
        assert_eq!(client(&["10.0.0.0/8"], "198.51.100.1", header), "198.51.100.1");
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", header), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "::ffff:10.1.2.3", header), "203.0.113.9");
        assert_eq!(client(&["0.0.0.0/0"], "10.1.2.3", ("x-real-ip", "203.0.113.9")), "10.1.2.3");
    }

    #[test]
    fn what_a_client_wrote_itself_is_behind_what_the_proxies_added() {
        let header = ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.9.9.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", header), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", ("x-forwarded-for", "1.1.1.1, junk")), "10.1.2.3");
    }

    #[test]
    fn the_standard_header_is_read_with_quotes_ports_and_brackets() {
        for (text, expected) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"203.0.113.9:4711\";proto=https", "203.0.113.9"),
            ("proto=https; for=\"[2001:db8::7]:80\"", "2001:db8::7"),
            ("for=_hidden", "fd00::1"),
            ("for=unknown, for=\"[2001:db8::7]\"", "2001:db8::7"),
        ] {
            assert_eq!(client(&["fd00::/8"], "fd00::1", ("forwarded", text)), expected, "{text}");
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        for bad in ["", "10.0.0.0/33", "::1/129", "10.0.0.0/x", "proxy.example"] {
            assert_eq!(TrustedProxies::parse(&[bad]), None, "{bad}");
        }
        assert!(TrustedProxies::parse(&["10.0.0.1", "fd00::/8", "0.0.0.0/0"]).is_some());
    }
}
