//! WHIP (RFC 9725) and WHEP sessions over plain HTTP.

use std::net::SocketAddr;

use super::{
    http::{self, Answer},
    peer::{Peer, Plan},
};

pub const SDP: &str = "application/sdp";
pub const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A session and the peer connection that it made.
pub struct Session {
    address: SocketAddr,
    authorization: String,
    pub location: String,
    pub etag: String,
    pub answer: String,
    pub peer: Peer,
}

/// Posts an offer.
pub async fn post(address: SocketAddr, path: &str, bearer: &str, offer: &str) -> Answer {
    let authorization = format!("Bearer {bearer}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", SDP)];
    http::request(address, "POST", path, &headers, offer).await
}

impl Session {
    /// A device that publishes.
    pub async fn publish(address: SocketAddr, bearer: &str, mark: u32) -> Self {
        Self::open(address, "/v1/whip", bearer, &Plan::publisher(mark, 0)).await
    }

    /// A monitor.
    pub async fn watch(address: SocketAddr, bearer: &str, slot_pairs: usize) -> Self {
        Self::open(address, "/v1/whep", bearer, &Plan::viewer(slot_pairs)).await
    }

    async fn open(address: SocketAddr, path: &str, bearer: &str, plan: &Plan) -> Self {
        let mut peer = Peer::new(plan).await;
        let answer = post(address, path, bearer, &peer.offer().await).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some(SDP));
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
        peer.accept(&answer.body).await;
        peer.connected().await;
        let authorization = format!("Bearer {bearer}");
        let (location, etag) = (header("location"), header("etag"));
        Self { address, authorization, location, etag, answer: answer.body, peer }
    }

    /// Asks something of the session with the bearer token that made it.
    pub async fn request(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("Authorization", self.authorization.as_str())];
        all.extend(headers);
        http::request(self.address, method, &self.location, &all, body).await
    }

    /// `PATCH` with a fragment, perhaps under a condition.
    pub async fn patch(&self, if_match: Option<&str>, fragment: &str) -> Answer {
        let mut headers = vec![("Content-Type", FRAGMENT)];
        headers.extend(if_match.map(|etag| ("If-Match", etag)));
        self.request("PATCH", &headers, fragment).await
    }
}

/// The first value of this attribute.
pub fn attribute<'a>(sdp: &'a str, name: &str) -> &'a str {
    let prefix = format!("a={name}:");
    let found = sdp.lines().find_map(|line| line.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("no {name} in {sdp}"))
}

/// The same SDP with other ICE credentials.
pub fn with_credentials(sdp: &str, ufrag: &str, password: &str) -> String {
    let lines = sdp.lines().map(|line| match line {
        line if line.starts_with("a=ice-ufrag:") => format!("a=ice-ufrag:{ufrag}\r\n"),
        line if line.starts_with("a=ice-pwd:") => format!("a=ice-pwd:{password}\r\n"),
        line => format!("{line}\r\n"),
    });
    lines.collect()
}
