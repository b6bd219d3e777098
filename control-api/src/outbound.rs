//! Requests that the server makes itself: to webhooks, and to where people sign in. They reach the world and what the operator
//! allows besides, go where they were sent and nowhere else, and take no longer than they may.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use media_model::Pii;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use url::{Host, Url};

use crate::Networks;

/// Takes an absolute URL without user name, password and fragment (RFC 3986 §2: a name in another alphabet is written in its ASCII
/// form). An address that stands in it has to be one that may be reached; a name is looked at when it is resolved, each time anew.
pub(crate) fn bare_url(text: &str, bytes_max: usize, allowed: &Networks) -> Option<Url> {
    if text.len() > bytes_max || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let may_go_there = match url.host()? {
        Host::Domain(name) => !name.is_empty(),
        Host::Ipv4(address) => allowed.may_reach(address.into()),
        Host::Ipv6(address) => allowed.may_reach(address.into()),
    };
    (is_bare && may_go_there).then_some(url)
}

/// Makes requests that reach the world, and these networks. An address that stands in a URL itself has been looked
/// at by [`bare_url`]. Panics where the system has no certificates at all.
pub(crate) fn client(allowed: Arc<Networks>, connect_timeout: Duration, timeout: Duration) -> Client {
    Client::builder()
        .dns_resolver(Arc::new(OnlyAllowed(allowed)))
        // Where a request goes is the tenant's word, not the receiver's.
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .user_agent(concat!("consilium/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("TLS can be set up")
}

/// Whether a request failed because its name led nowhere that is allowed.
pub(crate) fn is_refused(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<Refused>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Resolves names by the system, and lets through what may be reached. The connection goes to the very address that was
/// looked at: a name that leads elsewhere a moment later does not help.
struct OnlyAllowed(Arc<Networks>);

/// A name that leads nowhere that is allowed.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to addresses that are not allowed")
    }
}

impl std::error::Error for Refused {}

impl Resolve for OnlyAllowed {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, name) = (self.0.clone(), Pii::new(name.as_str().to_owned()));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.reveal().as_str(), 0)).await?;
            let reachable: Vec<SocketAddr> =
                found.filter(|address| allowed.may_reach(address.ip())).collect();
            if reachable.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}
