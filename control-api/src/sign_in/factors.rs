//! Whether there was a second factor, by what the provider says of the sign-in (RFC 8176, OpenID Connect Core §2).

use std::collections::BTreeSet;

/// Something that somebody knows, has or is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Factor {
    Knows,
    Has,
    Is,
}

/// Which kind of factor a method is. What says nothing about who signed in, such as where they were (`geo`, `wia`), or that
/// somebody was there (`user`), is none; neither is a method that nobody here knows.
fn factor_of(method: &str) -> Option<Factor> {
    Some(match method {
        "pwd" | "pin" | "kba" => Factor::Knows,
        "otp" | "hwk" | "swk" | "sc" | "sms" | "tel" | "pop" => Factor::Has,
        "face" | "fpt" | "iris" | "retina" | "vbm" => Factor::Is,
        _ => return None,
    })
}

/// Whether the provider vouches for more than one factor: it says so (`mfa`), it names methods of two kinds, or its `acr` is one
/// that the tenant takes for that. A single method is not enough, however strong: a key that anybody may hold who finds it
/// is one factor.
pub(super) fn has_second_factor(amr: &[String], acr: Option<&str>, mfa_acr: &[String]) -> bool {
    let kinds: BTreeSet<_> = amr.iter().filter_map(|method| factor_of(method)).collect();
    kinds.len() >= 2
        || amr.iter().any(|method| method == "mfa")
        || acr.is_some_and(|acr| mfa_acr.iter().any(|taken| taken == acr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_kinds_of_factors_are_a_second_factor_and_two_of_one_kind_are_not() {
        let says = |amr: &[&str], acr: Option<&str>| {
            let amr: Vec<String> = amr.iter().map(|method| (*method).to_owned()).collect();
            has_second_factor(&amr, acr, &["phr".to_owned(), "urn:clinic:two".to_owned()])
        };
        for amr in [&["mfa"][..], &["pwd", "otp"], &["hwk", "pin"], &["swk", "fpt"], &["pwd", "face"]] {
            assert!(says(amr, None), "{amr:?}");
        }
        for amr in [
            &[][..],
            &["pwd"],
            &["otp"],
            &["hwk"],
            &["pwd", "pin"],
            &["otp", "sms"],
            &["pwd", "geo"],
            &["pwd", "user"],
            &["MFA"],
            &["pwd", "anything"],
        ] {
            assert!(!says(amr, None), "{amr:?}");
            assert!(!says(amr, Some("0")), "{amr:?}");
        }
        assert!(says(&[], Some("phr")) && says(&["pwd"], Some("urn:clinic:two")));
    }
}
