//! A browser, as far as the server sees one: it keeps cookies, and says from which page it asks.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use serde_json::Value;
use tower::ServiceExt as _;
use url::Url;

use super::{Fixture, issuer::Issuer, now_s};

/// Where the server is, as far as browsers know.
pub const ORIGIN: &str = "http://127.0.0.1:8080";

#[derive(Clone)]
pub struct Browser {
    router: Router,
    pub cookies: BTreeMap<String, String>,
}

/// A browser in which somebody is signed in, with one factor or with two.
pub async fn signed_in(f: &Fixture, tenant: &str, person: &str, has_two_factors: bool) -> Browser {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let cookie = format!("{tenant}.{:0>43}", NUMBER.fetch_add(1, Ordering::Relaxed));
    sqlx::query(
        "INSERT INTO sessions (tenant, cookie_hash, person, mfa, signed_in_at, seen_at, idle_ms, expires_at)
         VALUES ($1, $2, $3, $4, $5, $5, 3600000, $5 + 3600000)",
    )
    .bind(tenant)
    .bind(digest(&SHA256, cookie.as_bytes()).as_ref())
    .bind(person)
    .bind(i64::from(has_two_factors))
    .bind(i64::try_from(now_s()).expect("a time") * 1_000)
    .execute(&f.raw().await)
    .await
    .expect("the owner may");
    let mut browser = Browser::new(f.router.clone());
    browser.cookies.insert("__Host-consilium_session".to_owned(), cookie);
    browser
}

/// What the server answered.
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Page {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The code of a refusal, be it of a page or of an answer to a program.
    pub fn code(&self) -> String {
        let of_page =
            self.headers.get("x-consilium-code").map(|code| code.to_str().expect("text").to_owned());
        of_page.unwrap_or_else(|| self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().expect("text")
    }
}

impl Browser {
    pub fn new(router: Router) -> Self {
        Self { router, cookies: BTreeMap::new() }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, "", &[]).await
    }

    /// As a script on the server's own page does.
    pub async fn post(&mut self, path: &str, body: &str) -> Page {
        self.send("POST", path, body, &[("origin", ORIGIN)]).await
    }

    pub async fn send(&mut self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8080");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        for line in headers.get_all(header::SET_COOKIE) {
            self.keep(line.to_str().expect("text"));
        }
        let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        Page { status, headers, text: String::from_utf8(bytes.to_vec()).expect("text") }
    }

    fn keep(&mut self, line: &str) {
        assert!(
            line.starts_with("__Host-") && line.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"),
            "{line}"
        );
        let (name, value) = line.split(';').next().expect("a pair").split_once('=').expect("a pair");
        if line.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Begins a sign-in: the provider's page that the browser is sent to.
    pub async fn begin(&mut self, path: &str) -> Url {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        page.location().parse().expect("a URL")
    }

    /// Where the provider sends the browser back to, with a code.
    pub fn way_back(location: &Url, issuer: &Issuer) -> String {
        let query: BTreeMap<_, _> = location.query_pairs().into_owned().collect();
        let mut back: Url = query["redirect_uri"].parse().expect("a URL");
        back.query_pairs_mut()
            .append_pair("code", &issuer.code_for(location))
            .append_pair("state", &query["state"])
            .append_pair("iss", &issuer.url);
        back.as_str().strip_prefix(ORIGIN).expect("the server's own").to_owned()
    }

    /// Signs in, or tries to.
    pub async fn sign_in(&mut self, issuer: &Issuer) -> Page {
        let location = self.begin("/v1/sign-in/clinic").await;
        self.get(&Self::way_back(&location, issuer)).await
    }
}
