//! What tests read out of SDP.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

/// The `mid` of each SSRC in an SDP (RFC 5576 §4.1).
pub fn ssrcs(sdp: &str) -> HashMap<u32, String> {
    let mut found = HashMap::new();
    for media in sdp.split("\r\nm=").skip(1) {
        let Some(mid) = media.lines().find_map(|line| line.strip_prefix("a=mid:")) else { continue };
        let ssrcs =
            media.lines().filter_map(|line| line.strip_prefix("a=ssrc:")?.split(' ').next()?.parse().ok());
        found.extend(ssrcs.map(|ssrc: u32| (ssrc, mid.to_owned())));
    }
    found
}

/// The payload type that an answer puts first on its first line of this kind.
pub fn first_format(sdp: &str, kind: &str) -> u8 {
    let line = sdp.lines().find_map(|line| line.strip_prefix("m=")?.strip_prefix(kind)).expect("a line");
    line.split(' ').nth(3).and_then(|format| format.parse().ok()).expect("a payload type")
}

/// The `mid` of each line, in order.
pub fn mids(sdp: &str) -> Vec<String> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=mid:")).map(str::to_owned).collect()
}

/// The addresses of the candidates in an SDP.
pub fn candidates(sdp: &str) -> Vec<SocketAddr> {
    let fields = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
    let address = |line: &str| {
        let mut fields = line.split(' ').skip(4);
        Some((fields.next()?.parse::<IpAddr>().ok()?, fields.next()?.parse::<u16>().ok()?).into())
    };
    fields.filter_map(address).collect()
}
