//! What we have to know of a ClientHello before the handshake may have it: its cookie and its `use_srtp`.

use crate::transport::srtp::Profile;

/// `use_srtp` (RFC 5764 §4.1).
const USE_SRTP: u16 = 14;

/// A ClientHello in part (RFC 5246 §7.4.1.2, RFC 6347 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientHello<'a> {
    /// Empty in the first one.
    pub cookie: &'a [u8],
    /// The profiles of `use_srtp`, two bytes each; empty where the extension is missing.
    srtp_profiles: &'a [u8],
}

impl<'a> ClientHello<'a> {
    /// Reads a whole ClientHello's body. None when it is not well-formed.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader(body);
        body.take(2 + 32)?; // version, random
        body.vector_u8()?; // session id
        let cookie = body.vector_u8()?;
        body.vector_u16()?; // cipher suites
        body.vector_u8()?; // compression methods
        let mut extensions = Reader(if body.0.is_empty() { &[] } else { body.vector_u16()? });
        if !body.0.is_empty() {
            return None;
        }
        let mut srtp_profiles: &[u8] = &[];
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let data = extensions.vector_u16()?;
            if kind == USE_SRTP {
                let mut use_srtp = Reader(data);
                srtp_profiles = use_srtp.vector_u16()?;
                use_srtp.vector_u8()?; // MKI
            }
        }
        Some(Self { cookie, srtp_profiles })
    }

    /// The profile to use: our first one that the client offers, whatever its order.
    pub(super) fn srtp_profile(&self) -> Option<Profile> {
        let offered = |profile: &Profile| {
            self.srtp_profiles.chunks_exact(2).any(|id| id == profile.iana_id().to_be_bytes())
        };
        Profile::PREFERENCE.into_iter().find(offered)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// A vector with one byte of length before it.
    fn vector_u8(&mut self) -> Option<&'a [u8]> {
        let length = *self.take(1)?.first()?;
        self.take(usize::from(length))
    }

    /// A vector with two bytes of length before it.
    fn vector_u16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello with a cookie, one unknown extension and these profiles.
    fn hello(profiles: &[u16]) -> Vec<u8> {
        let mut body = vec![254, 253];
        body.extend([7; 32]);
        body.extend([0, 3, 1, 2, 3]); // no session id, a cookie
        body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
        let list: Vec<u8> = profiles.iter().flat_map(|id| id.to_be_bytes()).collect();
        let mut extensions = vec![0, 23, 0, 0, 0, 14];
        extensions.extend((list.len() as u16 + 3).to_be_bytes());
        extensions.extend((list.len() as u16).to_be_bytes());
        extensions.extend(list);
        extensions.push(0);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    #[test]
    fn our_order_decides_whatever_the_clients() {
        let chosen = |ids: &[u16]| ClientHello::parse(&hello(ids)).expect("well-formed").srtp_profile();
        assert_eq!(chosen(&[1, 2, 8, 7]), Some(Profile::AeadAes128Gcm));
        assert_eq!(chosen(&[1, 8]), Some(Profile::AeadAes256Gcm));
        assert_eq!(chosen(&[2, 1]), Some(Profile::Aes128CmSha1_80));
        assert_eq!(chosen(&[2]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn the_cookie_is_found_and_extensions_may_be_absent() {
        let body = hello(&[7]);
        assert_eq!(ClientHello::parse(&body).map(|hello| hello.cookie), Some(&[1, 2, 3][..]));
        let bare = ClientHello::parse(&body[..45]).expect("extensions are optional");
        assert_eq!(bare.srtp_profile(), None);
    }

    #[test]
    fn cut_and_random_hellos_never_panic_and_cut_ones_are_refused() {
        let body = hello(&[8, 7, 1]);
        for length in (0..body.len()).filter(|length| *length != 45) {
            assert_eq!(ClientHello::parse(&body[..length]), None, "cut to {length}");
        }
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut mutated = body.clone();
            for _ in 0..3 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = random as usize % mutated.len();
                mutated[at] = (random >> 32) as u8;
            }
            if let Some(hello) = ClientHello::parse(&mutated) {
                hello.srtp_profile();
            }
        }
    }
}
