//! URLs that messages go to.

use media_model::Pii;
use url::{Host, Url};

use crate::{Networks, limits::WEBHOOK_URL_BYTES_MAX, outbound::bare_url};

/// Where a message goes: `https`, or `http` within networks that the operator allows. It may hold a secret of the
/// receiver's, so it is kept sealed and never logged.
#[derive(Debug, Clone)]
pub struct WebhookUrl(Pii<Url>);

impl WebhookUrl {
    /// Takes an absolute URL without user name, password and fragment.
    pub fn parse(text: &str, allowed: &Networks) -> Option<Self> {
        let url = bare_url(text, WEBHOOK_URL_BYTES_MAX, allowed)?;
        let is_protected = match url.scheme() {
            "https" => true,
            // What leaves the machine's own networks is encrypted.
            "http" => match url.host()? {
                Host::Domain(_) => false,
                Host::Ipv4(address) => allowed.contains(address.into()),
                Host::Ipv6(address) => allowed.contains(address.into()),
            },
            _ => false,
        };
        is_protected.then(|| Self(Pii::new(url)))
    }

    /// The URL.
    pub fn reveal(&self) -> &Url {
        self.0.reveal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_public_places_by_tls_and_elsewhere_only_where_allowed() {
        let [nowhere, lan] =
            [&[][..], &["10.0.0.0/8"][..]].map(|list| Networks::parse(list).expect("networks"));
        for good in ["https://ehr.example/hooks?k=1", "https://ehr.example:8443/", "https://203.0.114.1/x"] {
            assert!(WebhookUrl::parse(good, &nowhere).is_some(), "{good}");
        }
        let bad = [
            "http://ehr.example/",
            "ftp://ehr.example/",
            "https://user@ehr.example/",
            "https://u:p@ehr.example/",
            "https://ehr.example/#x",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://10.1.2.3/",
            "/hooks",
            "",
            "https://0x7f000001/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "data:,x",
            "https://\u{cf}/",
            "https://ehr.example/ x",
        ];
        for bad in bad {
            assert!(WebhookUrl::parse(bad, &nowhere).is_none(), "{bad}");
        }
        assert!(WebhookUrl::parse("https://10.1.2.3/", &lan).is_some());
        assert!(WebhookUrl::parse("http://10.1.2.3:8080/", &lan).is_some());
        assert!(WebhookUrl::parse("http://203.0.114.1/", &lan).is_none(), "unprotected through the world");
        let long = format!("https://ehr.example/{}", "x".repeat(WEBHOOK_URL_BYTES_MAX));
        assert!(WebhookUrl::parse(&long, &lan).is_none());
    }
}
