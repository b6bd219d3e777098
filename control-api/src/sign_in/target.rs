//! URLs of a provider, and where people may go after they signed in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::{
    Networks,
    limits::{PROVIDER_URL_BYTES_MAX, RETURN_PATH_BYTES_MAX},
    outbound::bare_url,
};

/// A provider's issuer or one of its endpoints: `https`, or `http` on this machine where the operator allows that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderUrl(Url);

impl ProviderUrl {
    pub fn parse(text: &str, allowed: &Networks) -> Option<Self> {
        let url = bare_url(text, PROVIDER_URL_BYTES_MAX, allowed)?;
        let is_protected = match url.scheme() {
            "https" => true,
            "http" => loopback(&url).is_some_and(|address| allowed.contains(address)),
            _ => false,
        };
        is_protected.then_some(Self(url))
    }

    pub const fn url(&self) -> &Url {
        &self.0
    }
}

/// The address of this machine that a URL names.
fn loopback(url: &Url) -> Option<IpAddr> {
    let address = match url.host()? {
        Host::Domain("localhost") => Ipv4Addr::LOCALHOST.into(),
        Host::Domain(_) => return None,
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
    };
    let is_here = match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address == Ipv6Addr::LOCALHOST,
    };
    is_here.then_some(address)
}

/// A path of this server, with its query: where somebody goes after they signed in. Never elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnPath(String);

impl ReturnPath {
    pub fn parse(text: &str) -> Option<Self> {
        // Browsers take a backslash for a slash, and drop tabs and line breaks.
        let is_sound = text.len() <= RETURN_PATH_BYTES_MAX
            && text.starts_with('/')
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if !is_sound {
            return None;
        }
        let here = Url::parse("https://here.invalid/").ok()?;
        let there = here.join(text).ok()?;
        (there.origin() == here.origin()).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_by_tls_or_on_this_machine_where_that_is_allowed() {
        let [none, here, lan] = [&[][..], &["127.0.0.0/8", "::1"][..], &["10.0.0.0/8"][..]]
            .map(|list| Networks::parse(list).expect("networks"));
        for good in ["https://id.clinic.example", "https://id.clinic.example:8443/realms/one?x=1"] {
            assert!(ProviderUrl::parse(good, &none).is_some(), "{good}");
        }
        for (local, https) in
            [("http://127.0.0.1:9/", false), ("http://localhost:9/", false), ("https://[::1]/", true)]
        {
            assert!(ProviderUrl::parse(local, &here).is_some(), "{local}");
            assert!(ProviderUrl::parse(local, &none).is_none(), "{local}");
            assert_eq!(local.starts_with("https"), https);
        }
        assert!(ProviderUrl::parse("https://10.1.1.1/", &lan).is_some());
        let bad = [
            "http://id.clinic.example/",
            "http://10.1.1.1/",
            "https://user@id.example/",
            "https://id.example/#x",
            "https://127.0.0.1/",
            "https://169.254.169.254/",
            "http://localhost.evil.example/",
            "file:///etc/passwd",
            "id.clinic.example",
            "",
        ];
        for bad in bad {
            assert!(ProviderUrl::parse(bad, &lan).is_none(), "{bad}");
        }
    }

    #[test]
    fn people_go_to_a_path_of_this_server_and_nowhere_else() {
        for good in ["/", "/portal/", "/portal/?a=b&c=//x", "/v1/session#top", "/a/../b"] {
            assert_eq!(ReturnPath::parse(good).as_ref().map(ReturnPath::as_str), Some(good));
        }
        let long = format!("/{}", "x".repeat(RETURN_PATH_BYTES_MAX));
        let bad = [
            "",
            "portal",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/a b",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            "/./\\x",
            "javascript:alert(1)",
            &long,
        ];
        for bad in bad {
            assert_eq!(ReturnPath::parse(bad), None, "{bad}");
        }
    }
}
