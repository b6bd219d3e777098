//! Why somebody was not signed in.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::named::named;

named! {
    /// Why somebody was not signed in: a stable code. `docs/runbook.md` has a row for each.
    pub enum SignInRefusal {
        /// The tenant's people do not sign in here, or there is no such tenant.
        NotConfigured = "sign_in_not_configured",
        /// The page stands within another one.
        Framed = "framed",
        /// Where to go afterwards is not a path of this server.
        ReturnRefused = "return_to_refused",
        /// What came back was not begun by this browser, or too long ago.
        OtherBrowser = "other_browser",
        /// It has come back before.
        CameTwice = "came_twice",
        /// The provider did not let them in, or they called it off.
        ProviderRefused = "provider_refused",
        /// The provider cannot be reached, or says what cannot be understood.
        ProviderUnavailable = "provider_unavailable",
        /// The provider does not take the code for a token.
        CodeRefused = "code_refused",
        /// The answer, or the ID token, is another provider's.
        IssuerMismatch = "issuer_mismatch",
        /// The ID token is none.
        TokenMalformed = "token_malformed",
        /// It is signed in a way that is not taken, or not at all.
        AlgorithmRefused = "algorithm_refused",
        /// It is signed with a key that the provider does not publish.
        KeyUnknown = "key_unknown",
        /// Its signature is not right.
        SignatureInvalid = "signature_invalid",
        /// It is for somebody else.
        AudienceMismatch = "audience_mismatch",
        /// It is not good yet, or no longer.
        TokenExpired = "token_expired",
        /// It answers another sign-in.
        NonceMismatch = "nonce_mismatch",
        /// They showed the provider who they are longer ago than was asked for.
        SignInTooOld = "sign_in_too_old",
        /// Nobody has linked the account to a person.
        NobodyLinked = "nobody_linked",
        /// The tenant asks for a second factor.
        MfaNeeded = "mfa_needed",
    }
}

impl SignInRefusal {
    /// What the page says: one sentence about what happened, one about what to do.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotConfigured => "Nobody signs in at this address. Ask your clinic for the right one.",
            Self::Framed => "Signing in takes a page of its own. Open it in a new tab.",
            Self::ReturnRefused => "The link that led here is wrong. Go back and start again.",
            Self::OtherBrowser => {
                "This sign-in was begun in another browser or tab, or took too long. Start again."
            }
            Self::CameTwice => "This sign-in was used already. Start again.",
            Self::ProviderRefused => "Your clinic's sign-in page did not let you in. Start again.",
            Self::ProviderUnavailable => {
                "Your clinic's sign-in page cannot be reached. Try again in a few minutes."
            }
            Self::NobodyLinked => {
                "Your account is not linked to anybody here. Ask your clinic's administrator to link it."
            }
            Self::MfaNeeded => {
                "Your clinic asks for a second factor. Set one up with your account, then start again."
            }
            Self::SignInTooOld => "You have to say again who you are. Start again.",
            Self::CodeRefused
            | Self::IssuerMismatch
            | Self::TokenMalformed
            | Self::AlgorithmRefused
            | Self::KeyUnknown
            | Self::SignatureInvalid
            | Self::AudienceMismatch
            | Self::TokenExpired
            | Self::NonceMismatch => {
                "The answer of your clinic's sign-in page cannot be trusted. Tell your administrator."
            }
        }
    }
}

/// How sign-ins went, since the process began.
#[derive(Debug, Default)]
pub struct SignInCounts {
    done: AtomicU64,
    refused: [AtomicU64; SignInRefusal::ALL.len()],
}

impl SignInCounts {
    /// Somebody signed in.
    pub(crate) fn note_done(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// Somebody did not.
    pub(crate) fn note_refused(&self, refusal: SignInRefusal) {
        if let Some(count) = self.refused.get(refusal as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How often it went how: `signed_in`, or the code of a refusal.
    pub fn by_outcome(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let refused = SignInRefusal::ALL.iter().zip(&self.refused);
        let refused = refused.map(|(refusal, count)| (refusal.as_str(), count.load(Relaxed)));
        std::iter::once(("signed_in", self.done.load(Relaxed))).chain(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_counted_under_its_own_name_and_says_something() {
        let counts = SignInCounts::default();
        counts.note_done();
        SignInRefusal::ALL.iter().for_each(|refusal| counts.note_refused(*refusal));
        assert!(counts.by_outcome().all(|(_, count)| count == 1));
        assert_eq!(counts.by_outcome().count(), SignInRefusal::ALL.len() + 1);
        assert!(SignInRefusal::ALL.iter().all(|refusal| refusal.text().len() > 30));
    }
}
