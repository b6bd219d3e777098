//! Pages that people see who sign in. They have no script, load nothing from elsewhere, and stand in nobody else's page.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use media_model::TenantId;

use super::{page::escaped, session::SIGN_OUT};
use crate::{
    app::{
        sessions::Current,
        sign_in::{Account, NotSignedIn},
    },
    permissions::TenantRole,
    sign_in::SignInRefusal,
};

const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What every answer to a browser that signs in carries.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer` browsers say `Origin: null` of a form, which then cannot be told from somebody else's.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Adds the headers of answers to a browser that signs in.
pub(super) fn guarded(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the answer would stand within another page, as far as the browser says (Fetch Metadata).
pub(super) fn is_framed(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_some_and(|place| place != "document")
}

fn page(status: StatusCode, title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <link rel=\"stylesheet\" href=\"/v1/docs/page.css\">\n<main class=\"card\">\n<h1>{title}</h1>\n{content}</main>\n\
         </html>\n"
    );
    guarded((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

/// Why somebody was not signed in, and what to do. Its code is for whoever they ask for help.
pub(super) fn refusal(tenant: Option<TenantId>, why: &NotSignedIn) -> Response {
    let (refusal, account) = match why {
        NotSignedIn::Failed(problem) => return guarded(problem.into_response()),
        NotSignedIn::Refused(refusal, account) => (*refusal, account),
    };
    let mut content = format!("<p>{}</p>\n", refusal.text());
    if let Some(account) = account {
        let Account { issuer, subject } = account.reveal();
        let (issuer, subject) = (escaped(issuer), escaped(subject));
        content.push_str(&format!("<dl><dt>Issuer<dd>{issuer}<dt>Subject<dd>{subject}</dl>\n"));
    }
    if let Some(tenant) = tenant.filter(|_| refusal != SignInRefusal::NotConfigured) {
        content
            .push_str(&format!("<p><a class=\"button\" href=\"/v1/sign-in/{tenant}\">Start again</a></p>\n"));
    }
    content.push_str(&format!("<p><small>{refusal}</small></p>\n"));
    let mut response = page(status_of(refusal), "You are not signed in", &content);
    if let Ok(code) = HeaderValue::from_str(refusal.as_str()) {
        response.headers_mut().insert("x-consilium-code", code);
    }
    response
}

/// With which status a refusal is answered.
pub(super) const fn status_of(refusal: SignInRefusal) -> StatusCode {
    match refusal {
        SignInRefusal::NotConfigured => StatusCode::NOT_FOUND,
        SignInRefusal::ReturnRefused => StatusCode::BAD_REQUEST,
        SignInRefusal::ProviderUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    }
}

/// Who is signed in, and the way out.
pub(super) fn signed_in(current: &Current) -> Response {
    let person = current.person;
    let roles: Vec<&str> =
        [person.standing.map(media_model::Role::as_str), person.tenant_role.map(TenantRole::as_str)]
            .into_iter()
            .flatten()
            .collect();
    let roles = if roles.is_empty() { "nothing yet".to_owned() } else { roles.join(", ") };
    let factor = if person.mfa { "with a second factor" } else { "with one factor" };
    let content = format!(
        "<dl><dt>Clinic<dd>{}<dt>You are known as<dd>{roles}<dt>You signed in<dd>{factor}\
         <dt>You are signed out<dd>in {} min, if you do nothing</dl>\n\
         <form method=\"post\" action=\"{SIGN_OUT}\"><button>Sign out</button></form>\n",
        current.tenant, current.idle_in_min,
    );
    page(StatusCode::OK, "You are signed in", &content)
}

/// That nobody is signed in.
pub(super) fn signed_out(tenant: Option<TenantId>) -> Response {
    let mut content = String::from("<p>You can close this page.</p>\n");
    if let Some(tenant) = tenant {
        content.push_str(&format!("<p><a class=\"button\" href=\"/v1/sign-in/{tenant}\">Sign in</a></p>\n"));
    }
    page(StatusCode::OK, "You are signed out", &content)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use media_model::Pii;

    use super::*;

    #[tokio::test]
    async fn a_page_shows_an_account_as_text_and_stands_in_nobody_elses_page() {
        let account =
            Account { issuer: "https://id.example".into(), subject: "<script>alert(1)</script>".into() };
        let why = NotSignedIn::Refused(SignInRefusal::NobodyLinked, Some(Pii::new(account)));
        let response = refusal(None, &why);
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()[header::X_FRAME_OPTIONS], "DENY");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"));
        let bytes = to_bytes(response.into_body(), 1 << 16).await.expect("a body");
        let html = std::str::from_utf8(&bytes).expect("text");
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
        assert!(!html.contains("src=") && html.contains("nobody_linked"));
    }
}
