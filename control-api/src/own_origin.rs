//! Where browsers find this server: what a provider sends them back to, and which pages may change something for whoever is
//! signed in.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Uri, header};
use url::{Host, Url};

/// Scheme, host and port, as browsers write them in `Origin` (RFC 6454 §6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

impl WebOrigin {
    /// Takes an `http` or `https` URL without anything behind the host and port.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        (is_bare && is_anonymous && is_web).then(|| Self(url.origin().ascii_serialization()))
    }

    /// As browsers write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the server knows where browsers find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnOrigin {
    /// The operator says so.
    Configured(WebOrigin),
    /// As the request says. A provider knows by itself where it may send people back to.
    OfRequest {
        /// Whether the server itself speaks TLS.
        tls: bool,
    },
}

impl Default for OwnOrigin {
    fn default() -> Self {
        Self::OfRequest { tls: false }
    }
}

impl OwnOrigin {
    /// Where browsers find the server, if the operator says so.
    pub(crate) const fn configured(&self) -> Option<&WebOrigin> {
        match self {
            Self::Configured(origin) => Some(origin),
            Self::OfRequest { .. } => None,
        }
    }

    /// Where the browser of this request finds the server. `None` where the request does not say.
    pub(crate) fn of(&self, uri: &Uri, headers: &HeaderMap) -> Option<WebOrigin> {
        let tls = match self {
            Self::Configured(origin) => return Some(origin.clone()),
            Self::OfRequest { tls } => *tls,
        };
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match uri.authority() {
            Some(authority) => authority.as_str(),
            None => hosts.next()?.to_str().ok()?,
        };
        // Without TLS of its own there is a proxy that has it, except on this machine: cookies are for TLS only elsewhere.
        let scheme = if !tls && is_loopback(host) { "http" } else { "https" };
        WebOrigin::parse(&format!("{scheme}://{host}"))
    }

    /// Whether a request comes from a page of this server.
    pub(crate) fn is_own_page(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let origin = origins.next().and_then(|origin| origin.to_str().ok());
        let own = self.of(uri, headers);
        let is_own = own.is_some_and(|own| origin == Some(own.as_str()));
        is_own && origins.next().is_none()
    }
}

pub(crate) fn is_loopback(authority: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{authority}")) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(header::HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn browsers_find_it_where_the_operator_says_or_else_where_they_asked() {
        let uri: Uri = "/v1/session".parse().expect("a path");
        let of = |own: &OwnOrigin, host: &str| {
            own.of(&uri, &headers(&[(header::HOST, host)])).map(|origin| origin.as_str().to_owned())
        };
        let (proxied, own_tls) = (OwnOrigin::default(), OwnOrigin::OfRequest { tls: true });
        assert_eq!(of(&proxied, "consult.example").as_deref(), Some("https://consult.example"));
        assert_eq!(of(&proxied, "127.0.0.1:8080").as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(of(&own_tls, "localhost:8443").as_deref(), Some("https://localhost:8443"));
        for bad in ["", "a/b", "user@consult.example", "consult.example?x", "a b"] {
            assert_eq!(of(&proxied, bad), None, "{bad}");
        }
        let origin = WebOrigin::parse("https://Consult.Example:443/").expect("an origin");
        assert_eq!(origin.as_str(), "https://consult.example");
        assert_eq!(
            of(&OwnOrigin::Configured(origin), "evil.example").as_deref(),
            Some("https://consult.example")
        );
        assert_eq!(WebOrigin::parse("https://consult.example/path"), None);
    }

    #[test]
    fn only_its_own_pages_are_its_own() {
        let uri: Uri = "/v1/session".parse().expect("a path");
        let is_own = |origin: &str| {
            let headers = headers(&[(header::HOST, "consult.example"), (header::ORIGIN, origin)]);
            OwnOrigin::default().is_own_page(&uri, &headers)
        };
        assert!(is_own("https://consult.example"));
        for other in [
            "http://consult.example",
            "https://consult.example.evil",
            "https://consult.example:8443",
            "null",
            "",
        ] {
            assert!(!is_own(other), "{other}");
        }
        assert!(!OwnOrigin::default().is_own_page(&uri, &headers(&[(header::HOST, "consult.example")])));
    }
}
