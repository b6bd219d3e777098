//! One sign-in on its way: from the browser that begins it to the provider and back.

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{SignInSettings, provider::Metadata, target::ReturnPath};
use crate::limits::SIGN_IN_LIFETIME;

/// What the browser keeps, sealed, until it comes back. Sealed for the place that `state` names, so that it opens for the
/// answer to this very sign-in and no other.
#[derive(Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Binds the ID token to this sign-in.
    pub nonce: String,
    /// What the code is exchanged with (RFC 7636 §4.1).
    pub verifier: String,
    /// Where the provider sends the browser back to.
    pub redirect_uri: String,
    /// Where to go afterwards.
    pub return_to: Option<String>,
    /// In milliseconds since 1970.
    pub started_at_ms: i64,
}

/// A sign-in that was begun.
pub(crate) struct Started {
    /// What the provider gives back (RFC 6749 §4.1.1).
    pub state: String,
    /// The provider's page, where the browser goes now.
    pub location: Url,
    /// What comes into the cookie.
    pub attempt: Attempt,
}

/// 256 random bits in base64url.
fn random() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system's random source works");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the provider is told of the verifier (RFC 7636 §4.2, `S256`).
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

impl Attempt {
    /// Begins a sign-in. Whoever showed the provider who they are longer ago than people may be idle has to do so again: on a
    /// shared computer the next person would otherwise be let in as the one before.
    pub fn start(
        settings: &SignInSettings,
        provider: &Metadata,
        redirect_uri: String,
        return_to: Option<ReturnPath>,
        now_ms: i64,
    ) -> Started {
        let (state, nonce, verifier) = (random(), random(), random());
        let mut location = provider.authorization.url().clone();
        location
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("scope", "openid")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", &redirect_uri)
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge_of(&verifier))
            .append_pair("code_challenge_method", "S256")
            .append_pair("max_age", &settings.idle.as_secs().to_string());
        if settings.mfa_required && !settings.mfa_acr.is_empty() {
            location.query_pairs_mut().append_pair("acr_values", &settings.mfa_acr.join(" "));
        }
        let return_to = return_to.map(|path| path.as_str().to_owned());
        let attempt = Self { nonce, verifier, redirect_uri, return_to, started_at_ms: now_ms };
        Started { state, location, attempt }
    }

    /// When it is too late to come back, in milliseconds since 1970.
    pub const fn expires_at_ms(&self) -> i64 {
        self.started_at_ms.saturating_add(SIGN_IN_LIFETIME.as_millis() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standards_example() {
        // RFC 7636 appendix B
        let challenge = challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(random().len(), 43);
        assert_ne!(random(), random());
    }
}
