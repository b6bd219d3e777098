//! API keys: 256 random bits that a back end sends as a bearer token (RFC 6750 §2.1); only their hash is kept.

use aws_lc_rs::{digest, rand};
use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// What a key starts with, so that secret scanners recognise one.
const PREFIX: &str = "consilium_";

/// A back end's secret. Printed once, by whoever created it.
#[derive(Clone)]
pub struct ApiKey(String);

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

impl ApiKey {
    /// Draws a new key.
    pub fn generate() -> Self {
        let mut secret = [0; 32];
        rand::fill(&mut secret).expect("the system's random source works");
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
    }

    /// Reads the key from a request's `Authorization` header; `None` if it has none of the right form.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Self::parse(token))?
    }

    /// Reads a key as [`ApiKey::reveal`] gave it.
    pub(crate) fn parse(secret: &str) -> Option<Self> {
        let well_formed = secret.len() == PREFIX.len() + 43 && secret.starts_with(PREFIX);
        well_formed.then(|| Self(secret.to_owned()))
    }

    /// The secret itself, to be written where its owner keeps it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the store keeps. A plain hash is enough for 256 random bits; there is nothing to guess.
    pub(crate) fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a header value"))])
    }

    #[test]
    fn a_key_is_read_back_from_the_header_it_was_sent_in() {
        let key = ApiKey::generate();
        let read = ApiKey::from_headers(&headers(&format!("Bearer {}", key.reveal())));
        assert_eq!(read.map(|k| k.hash()), Some(key.hash()));
    }

    #[test]
    fn anything_else_is_no_key() {
        for value in ["", "Bearer", "Bearer x", "Basic consilium_aaaa", "Bearer consilium_short"] {
            assert!(ApiKey::from_headers(&headers(value)).is_none(), "{value}");
        }
        assert!(!format!("{:?}", ApiKey::generate()).contains(PREFIX));
    }
}
