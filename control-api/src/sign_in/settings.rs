//! Where a tenant's people sign in, and what is asked of it.

use std::time::Duration;

use media_model::Pii;
use url::Url;

use super::target::ProviderUrl;
use crate::{
    Networks,
    limits::{
        CLIENT_ID_BYTES_MAX, CLIENT_SECRET_BYTES_MAX, MFA_ACR_VALUES_MAX, PROVIDER_URL_BYTES_MAX,
        SESSION_IDLE_MAX, SESSION_IDLE_MIN,
    },
};

/// Where a tenant's people sign in.
#[derive(Debug, Clone)]
pub struct SignInSettings {
    /// The provider, as it calls itself.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// How we show the provider who we are; `None` where it knows us as a public client.
    pub secret: Option<Pii<String>>,
    /// Whether nobody is signed in without a second factor.
    pub mfa_required: bool,
    /// `acr` values that say that there was a second factor, besides what `amr` says.
    pub mfa_acr: Vec<String>,
    /// After how long somebody who does nothing is logged off, in whole seconds.
    pub idle: Duration,
    /// Where people go who did not say; `None` for a page that says that they are signed in.
    pub return_to: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignIn {
    /// The issuer is not a URL that may be asked.
    #[error(
        "an issuer is an https URL of the world, or of sign_in_networks; http only on this machine where those allow it"
    )]
    Issuer,
    /// The client's id cannot be one.
    #[error("a client's id is 1 to {CLIENT_ID_BYTES_MAX} printable ASCII characters")]
    ClientId,
    /// The client's secret cannot be one.
    #[error("a client's secret is 1 to {CLIENT_SECRET_BYTES_MAX} printable ASCII characters")]
    Secret,
    /// An `acr` value cannot be one.
    #[error("acr values are at most {MFA_ACR_VALUES_MAX}, of printable ASCII characters without spaces")]
    Acr,
    /// The time is out of bounds.
    #[error("people are logged off after 1 to 120 idle minutes")]
    Idle,
    /// Where people go is no web page.
    #[error("people go to an http or https URL, or a path of this server that begins with /")]
    ReturnTo,
}

impl SignInSettings {
    /// Whether these can be used, where a provider may be in these networks besides the world.
    pub(crate) fn check(&self, allowed: &Networks) -> Result<(), InvalidSignIn> {
        let is_text = |text: &str, bytes_max: usize| {
            (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let issuer = ProviderUrl::parse(&self.issuer, allowed).ok_or(InvalidSignIn::Issuer)?;
        if issuer.url().query().is_some() {
            return Err(InvalidSignIn::Issuer);
        }
        if !is_text(&self.client_id, CLIENT_ID_BYTES_MAX) {
            return Err(InvalidSignIn::ClientId);
        }
        if self.secret.as_ref().is_some_and(|secret| !is_text(secret.reveal(), CLIENT_SECRET_BYTES_MAX)) {
            return Err(InvalidSignIn::Secret);
        }
        if self.mfa_acr.len() > MFA_ACR_VALUES_MAX || !self.mfa_acr.iter().all(|acr| is_text(acr, 200)) {
            return Err(InvalidSignIn::Acr);
        }
        if !(SESSION_IDLE_MIN..=SESSION_IDLE_MAX).contains(&self.idle) || self.idle.subsec_nanos() != 0 {
            return Err(InvalidSignIn::Idle);
        }
        if !self.return_to.as_deref().is_none_or(is_page) {
            return Err(InvalidSignIn::ReturnTo);
        }
        Ok(())
    }
}

fn is_page(text: &str) -> bool {
    if super::ReturnPath::parse(text).is_some() {
        return true;
    }
    let is_ascii = text.len() <= PROVIDER_URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_ascii && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_taken_within_their_bounds() {
        let good = SignInSettings {
            issuer: "https://id.clinic.example/realms/one".to_owned(),
            client_id: "consilium".to_owned(),
            secret: Some(Pii::new("s3cret".to_owned())),
            mfa_required: true,
            mfa_acr: vec!["phr".to_owned()],
            idle: Duration::from_secs(15 * 60),
            return_to: Some("https://portal.clinic.example/".to_owned()),
        };
        let none = Networks::default();
        assert_eq!(good.check(&none), Ok(()));
        let bad = |change: fn(&mut SignInSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            settings.check(&none)
        };
        assert_eq!(bad(|s| s.issuer = "http://id.example".into()), Err(InvalidSignIn::Issuer));
        assert_eq!(bad(|s| s.issuer.push_str("?x=1")), Err(InvalidSignIn::Issuer));
        assert_eq!(bad(|s| s.client_id.clear()), Err(InvalidSignIn::ClientId));
        assert_eq!(bad(|s| s.secret = Some(Pii::new("two\nlines".into()))), Err(InvalidSignIn::Secret));
        assert_eq!(bad(|s| s.mfa_acr = vec!["a b".into()]), Err(InvalidSignIn::Acr));
        assert_eq!(bad(|s| s.idle = Duration::ZERO), Err(InvalidSignIn::Idle));
        assert_eq!(bad(|s| s.idle = Duration::from_secs(7201)), Err(InvalidSignIn::Idle));
        assert_eq!(bad(|s| s.return_to = Some("javascript:alert(1)".into())), Err(InvalidSignIn::ReturnTo));
    }
}
