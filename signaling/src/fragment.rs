//! SDP fragments: what WHIP and WHEP say about ICE after the offer (RFC 8840 §9, RFC 9725 §4.3).

use std::fmt::Write as _;

use media_engine::api::IceCredentials;

/// Largest fragment that is read.
const FRAGMENT_BYTES_MAX: usize = 16 * 1024;

/// A fragment of a client, as far as an ICE-lite server needs it: it does no checks of its own, so candidates are
/// nothing to it (RFC 8445 §2.5).
#[derive(Debug, Default)]
pub(crate) struct Fragment {
    ufrag: Option<String>,
    password: Option<String>,
}

impl Fragment {
    /// Reads `type=value` lines. `None` for anything else, and for credentials out of the bounds of RFC 8839 §5.4.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= FRAGMENT_BYTES_MAX)?;
        let mut fragment = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (kind, value) = line.split_once('=')?;
            if kind.len() != 1 {
                return None;
            }
            if let Some(ufrag) = value.strip_prefix("ice-ufrag:") {
                fragment.ufrag = Some(ice_text(ufrag, 4)?);
            } else if let Some(password) = value.strip_prefix("ice-pwd:") {
                fragment.password = Some(ice_text(password, 22)?);
            }
        }
        Some(fragment)
    }

    /// The credentials of an ICE restart, where it is one.
    pub(crate) fn credentials(&self) -> Option<IceCredentials> {
        let (ufrag, password) = (self.ufrag.as_deref()?, self.password.as_deref()?);
        Some(IceCredentials { ufrag: ufrag.into(), password: password.into() })
    }
}

/// `ice-char` of RFC 8839 §5.4, at least `length_min` and at most 256 of them.
fn ice_text(text: &str, length_min: usize) -> Option<String> {
    let is_ice_char = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let fits = (length_min..=256).contains(&text.len()) && text.bytes().all(is_ice_char);
    fits.then(|| text.to_owned())
}

/// The server's side of an ICE restart: the running answer's first media description with new credentials.
pub(crate) fn from_answer(answer: &str, ours: &IceCredentials) -> String {
    let mut fragment = String::from("a=ice-lite\r\n");
    let (session, media) = answer.split_once("m=").unwrap_or((answer, ""));
    let first = media.split("\r\nm=").next().unwrap_or_default();
    let mut push = |line: &str| {
        fragment.push_str(line);
        fragment.push_str("\r\n");
    };
    session.lines().filter(|line| line.starts_with("a=group:BUNDLE")).for_each(&mut push);
    let mut lines = first.lines();
    if let Some(description) = lines.next() {
        push(&format!("m={description}"));
    }
    first.lines().filter(|line| line.starts_with("a=mid:")).for_each(&mut push);
    // Writing to a string cannot fail.
    let _ = write!(fragment, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ours.ufrag, ours.password);
    for line in lines.filter(|line| line.starts_with("a=candidate:")) {
        fragment.push_str(line);
        fragment.push_str("\r\n");
    }
    fragment.push_str("a=end-of-candidates\r\n");
    fragment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_and_bounded() {
        let good =
            b"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n";
        let credentials = Fragment::parse(good).and_then(|fragment| fragment.credentials());
        assert_eq!(credentials.map(|c| c.ufrag.to_string()), Some("EsAw".to_owned()));
        let trickle = Fragment::parse(
            b"m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n",
        );
        assert!(trickle.is_some_and(|fragment| fragment.credentials().is_none()));
        for bad in [&b"\xff"[..], b"hello", b"a=ice-ufrag:abc", b"a=ice-ufrag:a b c", b"a=ice-pwd:short"] {
            assert!(Fragment::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_restart_answers_with_new_credentials_and_the_old_candidates() {
        let answer = "v=0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
                      a=ice-ufrag:old\r\na=candidate:1 1 udp 5 192.0.2.1 9 typ host\r\n\
                      m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n";
        let ours = IceCredentials { ufrag: "new".into(), password: "secret".into() };
        assert_eq!(
            from_answer(answer, &ours),
            "a=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:new\r\n\
             a=ice-pwd:secret\r\na=candidate:1 1 udp 5 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n"
        );
    }
}
