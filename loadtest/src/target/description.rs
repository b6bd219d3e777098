//! The SDP of a foreign server: as little of it as a client of ours needs.
//!
//! Everything is bundled on one transport; the server names a UDP candidate and takes the passive part in DTLS.

use std::{fmt::Write as _, net::SocketAddrV4};

use crate::{
    plan::{IceCredentials, Kind},
    target::TargetError,
};

/// What this end of a transport says of itself.
#[derive(Debug, Clone)]
pub struct Near {
    /// Its ICE name and password.
    pub ice: IceCredentials,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
}

/// What the server says of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Far {
    /// Its ICE name and password.
    pub ice: IceCredentials,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Where it waits.
    pub address: SocketAddrV4,
}

/// A media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name in the session (RFC 5888).
    pub mid: String,
    /// What it carries.
    pub kind: Kind,
    /// The first payload type, which is the codec's.
    pub payload_type: u8,
    /// Under which the other side sends, where it says so.
    pub ssrc: Option<u32>,
}

/// A description by the server, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The bundle's transport.
    pub far: Far,
    /// Its media lines, in order.
    pub lines: Vec<Line>,
}

/// An offer to publish one track of each of these, under these SSRCs.
pub fn publishing_offer(near: &Near, tracks: &[(Kind, u32)]) -> String {
    let line = |(position, (kind, ssrc)): (usize, &(Kind, u32))| Line {
        mid: position.to_string(),
        kind: *kind,
        payload_type: payload_type(*kind),
        ssrc: Some(*ssrc),
    };
    let lines: Vec<Line> = tracks.iter().enumerate().map(line).collect();
    write(near, &lines, "sendonly")
}

/// What we offer to send as; the server takes it over.
pub fn payload_type(kind: Kind) -> u8 {
    match kind {
        Kind::Audio => 111,
        Kind::Video => 96,
    }
}

/// An offer to receive so many pairs of sound and picture.
pub fn watching_offer(near: &Near, pairs: usize) -> String {
    let kinds = (0..pairs).flat_map(|_| [Kind::Audio, Kind::Video]);
    let line = |(position, kind): (usize, Kind)| Line {
        mid: position.to_string(),
        kind,
        payload_type: payload_type(kind),
        ssrc: None,
    };
    let lines: Vec<Line> = kinds.enumerate().map(line).collect();
    write(near, &lines, "recvonly")
}

/// The answer that takes every line of a subscription's offer.
pub fn subscribing_answer(near: &Near, offer: &Description) -> String {
    let lines: Vec<Line> = offer.lines.iter().map(|line| Line { ssrc: None, ..line.clone() }).collect();
    write(near, &lines, "recvonly")
}

/// No header extension is offered: congestion control is switched off in the rooms, and nobody looks at the rest.
fn write(near: &Near, lines: &[Line], direction: &str) -> String {
    let mids: Vec<&str> = lines.iter().map(|line| line.mid.as_str()).collect();
    let fingerprint = colons(near.fingerprint);
    let mut sdp =
        format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", mids.join(" "));
    for line in lines {
        let (media, format) = match line.kind {
            Kind::Audio => ("audio", "opus/48000/2"),
            Kind::Video => ("video", "VP8/90000"),
        };
        let payload_type = line.payload_type;
        let _ = write!(
            sdp,
            "m={media} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\na=mid:{}\r\na={direction}\r\n\
             a=rtcp-mux\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\n\
             a=rtpmap:{payload_type} {format}\r\n",
            line.mid, near.ice.ufrag, near.ice.password,
        );
        if line.kind == Kind::Video {
            let _ = write!(sdp, "a=rtcp-fb:{payload_type} nack\r\na=rtcp-fb:{payload_type} nack pli\r\n");
        }
        if let Some(ssrc) = line.ssrc {
            let _ = write!(sdp, "a=ssrc:{ssrc} cname:load\r\n");
        }
    }
    sdp
}

/// Reads what the server wrote.
///
/// # Errors
/// Names the first thing that is missing.
pub fn read(sdp: &str) -> Result<Description, TargetError> {
    let missing = |said: &str| TargetError::Refused { what: "the server's SDP lacks", said: said.to_owned() };
    let mut parts = sdp.split("\r\nm=");
    let session = parts.next().unwrap_or_default();
    let media: Vec<&str> = parts.collect();
    let lines: Option<Vec<Line>> = media.iter().map(|part| read_line(part)).collect();
    let lines = lines.filter(|lines| !lines.is_empty()).ok_or_else(|| missing("media lines"))?;
    let bundle = media.first().copied().unwrap_or_default();
    let of = |name| attribute(bundle, name).or_else(|| attribute(session, name));
    let text = |name| of(name).map(str::to_owned).ok_or_else(|| missing(name));
    let fingerprint = of("fingerprint").and_then(|text| bytes(text.strip_prefix("sha-256 ")?));
    let far = Far {
        ice: IceCredentials { ufrag: text("ice-ufrag")?, password: text("ice-pwd")? },
        fingerprint: fingerprint.ok_or_else(|| missing("a SHA-256 fingerprint"))?,
        address: of("candidate").and_then(candidate_address).ok_or_else(|| missing("a UDP candidate"))?,
    };
    Ok(Description { far, lines })
}

fn read_line(part: &str) -> Option<Line> {
    let mut words = part.lines().next()?.split(' ');
    let kind = match words.next()? {
        "audio" => Kind::Audio,
        "video" => Kind::Video,
        _ => return None,
    };
    let payload_type = words.nth(2)?.parse().ok()?;
    let ssrc = attribute(part, "ssrc").and_then(|text| text.split(' ').next()).and_then(|n| n.parse().ok());
    Some(Line { mid: attribute(part, "mid")?.to_owned(), kind, payload_type, ssrc })
}

/// The first attribute of that name: what stands behind `a=name:`.
fn attribute<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    part.lines()
        .filter_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
        .next()
}

/// `1 1 udp 2015363327 10.77.0.1 59539 typ host`
fn candidate_address(candidate: &str) -> Option<SocketAddrV4> {
    let words: Vec<&str> = candidate.split(' ').collect();
    let [_, _, transport, _, address, port, ..] = words[..] else { return None };
    let is_udp = transport.eq_ignore_ascii_case("udp");
    is_udp.then(|| Some(SocketAddrV4::new(address.parse().ok()?, port.parse().ok()?)))?
}

/// `AB:CD:…`
fn colons(fingerprint: [u8; 32]) -> String {
    fingerprint.map(|byte| format!("{byte:02X}")).join(":")
}

fn bytes(colons: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> =
        colons.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok()
}
