//! Where a tenant's own pages are.

use std::{borrow::Borrow, str::FromStr};

use crate::{limits::PORTAL_ORIGIN_BYTES_MAX, own_origin::WebOrigin, own_origin::is_loopback};

/// The origin of a tenant's pages, as browsers write it: by TLS, or on this machine. Its text may stand in a
/// `Content-Security-Policy` and in a page as it is: a host is letters, digits, hyphens and dots, and so never a pattern or another
/// directive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortalOrigin(String);

/// It can be no portal's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a portal's origin is a scheme, a host and a port, such as https://portal.clinic.example, at most {PORTAL_ORIGIN_BYTES_MAX} \
     characters; http only on this machine"
)]
pub struct InvalidPortalOrigin;

impl PortalOrigin {
    /// As browsers write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PortalOrigin {
    type Err = InvalidPortalOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidPortalOrigin> {
        let origin = WebOrigin::parse(text).ok_or(InvalidPortalOrigin)?;
        let (scheme, authority) = origin.as_str().split_once("://").ok_or(InvalidPortalOrigin)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
        let is_private = scheme == "https" || is_loopback(authority);
        let is_short = origin.as_str().len() <= PORTAL_ORIGIN_BYTES_MAX;
        if is_private && is_short && authority.bytes().all(is_plain) {
            return Ok(Self(origin.as_str().to_owned()));
        }
        Err(InvalidPortalOrigin)
    }
}

/// It is found by its text, which orders and hashes alike.
impl Borrow<str> for PortalOrigin {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_host_by_tls_and_can_be_nothing_else_in_a_policy() {
        for (text, origin) in [
            ("https://Portal.Clinic.Example", "https://portal.clinic.example"),
            ("https://portal.clinic.example:443/", "https://portal.clinic.example"),
            ("https://portal.clinic.example:8443", "https://portal.clinic.example:8443"),
            ("https://klinik-münchen.example", "https://xn--klinik-mnchen-3ob.example"),
            ("https://203.0.113.7", "https://203.0.113.7"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(text.parse::<PortalOrigin>().map(|origin| origin.0), Ok(origin.to_owned()), "{text}");
        }
        let long = format!("https://{}.example", "a".repeat(PORTAL_ORIGIN_BYTES_MAX));
        for text in [
            "http://portal.clinic.example",
            "https://*.clinic.example",
            "https://*",
            "https://a;script-src",
            "https://a'b.example",
            "https://a,b.example",
            "https://user@portal.example",
            "https://portal.example/visits",
            "https://portal.example?x",
            "https://[2001:db8::1]",
            "ftp://portal.example",
            "portal.example",
            "null",
            "*",
            "",
            &long,
        ] {
            assert_eq!(text.parse::<PortalOrigin>(), Err(InvalidPortalOrigin), "{text}");
        }
    }
}
