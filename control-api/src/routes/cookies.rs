//! Cookies of browsers that sign in. The prefix `__Host-` has the browser hold them to this host, the whole of it, and TLS
//! (draft-ietf-httpbis-rfc6265bis §4.1.3.2); Chromium and Firefox take `http://localhost` and `http://127.0.0.1` for as good.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::auth::SessionCookie;

/// Who is signed in.
const SESSION: &str = "__Host-consilium_session";
/// A sign-in on its way.
pub(super) const SIGN_IN: &str = "__Host-consilium_sign_in";

/// By which cookie a request says who is signed in.
pub(super) fn session(headers: &HeaderMap) -> Option<SessionCookie> {
    SessionCookie::parse(value(headers, SESSION)?)
}

/// A cookie's value. One that comes twice is none: who knows which is meant.
pub(super) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(of, _)| *of == name).map(|(_, value)| value);
    let found = values.next()?;
    values.next().is_none().then_some(found)
}

/// Keeps who is signed in, for as long as the browser runs.
pub(super) fn keep_session(cookie: &SessionCookie) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{SESSION}={}; {ATTRIBUTES}", cookie.reveal())).ok()
}

/// Forgets who is signed in.
pub(super) fn forget_session() -> HeaderValue {
    const FORGET: &str = "__Host-consilium_session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax";
    HeaderValue::from_static(FORGET)
}

/// Keeps a sign-in on its way.
pub(super) fn keep_sign_in(value: &str, lifetime: Duration) -> Option<HeaderValue> {
    let text = format!("{SIGN_IN}={value}; Max-Age={}; {ATTRIBUTES}", lifetime.as_secs());
    HeaderValue::from_str(&text).ok()
}

/// Forgets it.
pub(super) fn forget_sign_in() -> HeaderValue {
    const FORGET: &str = "__Host-consilium_sign_in=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax";
    HeaderValue::from_static(FORGET)
}

/// For no script, and for no request that a page of somebody else's makes, except that it leads here.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_only_where_it_comes_once() {
        let of = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (header::COOKIE, line.parse().expect("a value")));
            value(&HeaderMap::from_iter(lines), SIGN_IN).map(str::to_owned)
        };
        assert_eq!(of(&["a=1; __Host-consilium_sign_in=x=y; b=2"]).as_deref(), Some("x=y"));
        // HTTP/2 may have a line for each (RFC 9113 §8.2.3); `append` would keep both, `from_iter` keeps the last.
        assert_eq!(of(&["__Host-consilium_sign_in=x"]).as_deref(), Some("x"));
        for none in [
            &[][..],
            &["consilium_sign_in=x"],
            &["x__Host-consilium_sign_in=x"],
            &["__Host-consilium_sign_in"],
        ] {
            assert_eq!(of(none), None, "{none:?}");
        }
        assert_eq!(of(&["__Host-consilium_sign_in=x; __Host-consilium_sign_in=y"]), None);
    }

    #[test]
    fn what_is_kept_is_for_this_host_and_no_script() {
        let cookie = SessionCookie::generate("clinic".parse().expect("a tenant"));
        let kept = keep_session(&cookie).expect("a header");
        let kept = kept.to_str().expect("text");
        assert!(kept.starts_with("__Host-consilium_session=clinic."));
        for line in [kept, forget_session().to_str().expect("text"), forget_sign_in().to_str().expect("text")]
        {
            assert!(line.ends_with(ATTRIBUTES) && !line.contains("Domain"), "{line}");
        }
        let read = session(&HeaderMap::from_iter([(
            header::COOKIE,
            kept.split(';').next().expect("a pair").parse().expect("a value"),
        )]));
        assert_eq!(read.map(|read| read.hash()), Some(cookie.hash()));
    }
}
