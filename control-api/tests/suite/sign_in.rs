//! People sign in by OpenID Connect, at a provider that can be told to lie.

use std::time::Duration;

use axum::http::{StatusCode, header};
use control_api::{Networks, SignInSettings};
use media_model::Pii;
use serde_json::{Value, json};

use crate::support::{
    Fixture, Kept,
    browser::{Browser, ORIGIN},
    issuer::{CLIENT_ID, CLIENT_SECRET, Habits, Issuer},
    on_both, tenant,
};

pub const EXTERNAL_ID: &str = "ehr-0815-of-rosa";

pub fn settings(issuer: &Issuer) -> SignInSettings {
    SignInSettings {
        issuer: issuer.url.clone(),
        client_id: CLIENT_ID.to_owned(),
        secret: Some(Pii::new(CLIENT_SECRET.to_owned())),
        mfa_required: false,
        mfa_acr: vec!["two".to_owned()],
        idle: Duration::from_secs(15 * 60),
        return_to: None,
    }
}

/// A clinic whose people sign in at a provider, one of whom is linked to `subject-1`.
pub struct Clinic {
    pub f: Fixture,
    pub issuer: Issuer,
    pub person: String,
}

impl Clinic {
    pub async fn open(mut f: Fixture) -> Self {
        let here = Networks::parse(&["127.0.0.0/8"]).expect("a network");
        f.api = f.api.clone().with_sign_in_networks(here);
        f.router = f.api.router();
        let issuer = Issuer::start().await;
        f.api.set_sign_in(tenant("clinic"), &settings(&issuer)).await.expect("settings");
        let (external_id, subject) = (Pii::new(EXTERNAL_ID.to_owned()), Pii::new("subject-1".to_owned()));
        let person = f.api.link_from_shell(tenant("clinic"), external_id, &issuer.url, subject).await;
        let person = person.expect("a person").to_string();
        Self { f, issuer, person }
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.f.router.clone())
    }

    pub async fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        let page = browser.sign_in(&self.issuer).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/v1/signed-in"), "{}", page.text);
        browser
    }

    /// Outcome and detail of the audit log's entries of an action.
    pub async fn audit(&self, action: &str) -> Vec<(String, String)> {
        sqlx::query_as("SELECT outcome, detail FROM audit WHERE action = $1 ORDER BY nr")
            .bind(action)
            .fetch_all(&self.f.raw().await)
            .await
            .expect("rows")
    }

    pub async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.f.raw().await).await.expect("a change");
    }
}

fn granted(detail: &str) -> (String, String) {
    ("granted".into(), detail.into())
}

fn refused(detail: &str) -> (String, String) {
    ("refused".into(), detail.into())
}

#[tokio::test]
async fn somebody_signs_in_is_known_and_signs_out() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut browser = clinic.browser();
        assert_eq!(browser.get("/v1/session").await.code(), "signed_out");
        let location = browser.begin("/v1/sign-in/clinic?return_to=/portal/%3Fa=b").await;
        assert!(location.as_str().starts_with(&format!("{}/authorize?theme=clinic&", clinic.issuer.url)));
        let back = Browser::way_back(&location, &clinic.issuer);
        let page = browser.get(&back).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/portal/?a=b"), "{}", page.text);
        assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-consilium_session"]);

        let session = browser.get("/v1/session").await.json();
        assert_eq!((&session["person"], &session["mfa"]), (&json!(clinic.person), &json!(false)));
        assert_eq!((&session["tenant"], &session["standing"]), (&json!("clinic"), &Value::Null));
        let page = browser.get("/v1/signed-in").await;
        assert!(page.text.contains("You are signed in") && page.text.contains("action=\"/v1/sign-out\""));
        assert_eq!(page.headers[header::X_FRAME_OPTIONS], "DENY");

        let kept = browser.clone();
        assert_eq!(browser.post("/v1/sign-out", "").await.status, StatusCode::NO_CONTENT);
        assert!(browser.cookies.is_empty());
        let mut thief = kept;
        assert_eq!(
            thief.get("/v1/session").await.status,
            StatusCode::UNAUTHORIZED,
            "the cookie is no good any more"
        );
        assert_eq!(clinic.audit("signed_in").await, [granted("one_factor")]);
        assert_eq!(clinic.audit("signed_out").await, [granted("asked_to")]);
    })
    .await;
}

#[tokio::test]
async fn each_way_of_signing_that_is_taken_is_taken() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    for (algorithm, kid) in [
        ("RS256", Some("rs")),
        ("PS256", Some("rs")),
        ("ES256", Some("es")),
        ("EdDSA", Some("ed")),
        ("ES256", None),
    ] {
        clinic.issuer.behave(Habits { algorithm, kid, ..Habits::default() });
        clinic.signed_in().await;
    }
    assert_eq!(*clinic.issuer.keys_asked.lock().expect("not poisoned"), 1, "keys are remembered");
}

/// Tokens that are not what was asked for, and the code of each.
fn lies(issuer: &str) -> Vec<(&'static str, Habits)> {
    let now_s = crate::support::now_s();
    let claims = |claims: Value| Habits { claims, ..Habits::default() };
    let by = |algorithm, kid| Habits { algorithm, kid, ..Habits::default() };
    vec![
        ("nonce_mismatch", claims(json!({"nonce": "another"}))),
        ("nonce_mismatch", claims(json!({"nonce": null}))),
        ("audience_mismatch", claims(json!({"aud": "another"}))),
        ("audience_mismatch", claims(json!({"aud": [CLIENT_ID, "another"]}))),
        ("audience_mismatch", claims(json!({"azp": "another"}))),
        ("audience_mismatch", claims(json!({"aud": ["another"], "azp": CLIENT_ID}))),
        ("issuer_mismatch", claims(json!({"iss": "https://id.example"}))),
        ("issuer_mismatch", claims(json!({"iss": format!("{issuer}/")}))),
        ("token_expired", claims(json!({"exp": now_s - 61}))),
        ("token_expired", claims(json!({"iat": now_s + 120}))),
        ("token_expired", claims(json!({"iat": now_s - 3600}))),
        ("sign_in_too_old", claims(json!({"auth_time": now_s - 16 * 60 - 1}))),
        ("token_malformed", claims(json!({"sub": ""}))),
        ("token_malformed", claims(json!({"sub": null}))),
        ("token_malformed", claims(json!({"exp": null}))),
        ("token_malformed", Habits { header: json!({"crit": ["x"], "x": 1}), ..Habits::default() }),
        ("algorithm_refused", by("none", None)),
        ("algorithm_refused", by("HS256", Some("es"))),
        ("algorithm_refused", by("ES384", Some("es"))),
        ("key_unknown", by("ES256", Some("nobody's"))),
        ("key_unknown", by("ES256", Some("rs"))),
        ("key_unknown", by("RS256", Some("enc"))),
        ("signature_invalid", Habits { with_another_key: true, ..Habits::default() }),
    ]
}

#[tokio::test]
async fn a_token_that_is_not_what_was_asked_for_signs_nobody_in() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut codes = Vec::new();
        for (code, habits) in lies(&clinic.issuer.url) {
            let what = format!("{code} {} {}", habits.algorithm, habits.claims);
            clinic.issuer.behave(habits);
            let mut browser = clinic.browser();
            let page = browser.sign_in(&clinic.issuer).await;
            assert_eq!((page.status, page.code().as_str()), (StatusCode::FORBIDDEN, code), "{what}");
            assert!(browser.cookies.is_empty(), "{what}");
            codes.push(code);
        }
        clinic.f.api.tell_anonymous().await;
        let mut told = clinic.audit("anonymous_refused").await;
        told.sort();
        let mut expected: Vec<_> = codes
            .iter()
            .map(|code| (code, codes.iter().filter(|other| *other == code).count()))
            .map(|(code, times)| refused(&format!("{code} times:{times} addresses:0")))
            .collect();
        expected.sort();
        expected.dedup();
        assert_eq!(told, expected, "all are in the audit log");
        assert!(clinic.audit("signed_in").await.is_empty());
        let counted: u64 = clinic.f.api.sign_in_counts().by_outcome().map(|(_, count)| count).sum();
        assert_eq!(counted, codes.len() as u64);
        clinic.issuer.behave(Habits {
            claims: json!({"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}),
            ..Habits::default()
        });
        clinic.signed_in().await;
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_comes_back_once_to_the_browser_that_began_it() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let (mut one, mut other) = (clinic.browser(), clinic.browser());
        let location = one.begin("/v1/sign-in/clinic").await;
        let back = Browser::way_back(&location, &clinic.issuer);
        let code = |page: &crate::support::browser::Page| (page.status, page.code());
        let elsewhere = (StatusCode::FORBIDDEN, "other_browser".to_owned());
        assert_eq!(code(&other.get(&back).await), elsewhere, "without a cookie");
        other.begin("/v1/sign-in/clinic").await;
        assert_eq!(code(&other.get(&back).await), elsewhere, "with a cookie of its own");
        let before = one.clone();
        assert_eq!(code(&one.clone().get(&back.replace("state=", "state=x")).await), elsewhere);
        assert_eq!(one.get(&back).await.status, StatusCode::SEE_OTHER);
        let again = before.clone().get(&back).await;
        assert_eq!(code(&again), (StatusCode::FORBIDDEN, "came_twice".to_owned()));

        // A code that was used, in a sign-in of one's own.
        let used = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
        let location = other.begin("/v1/sign-in/clinic").await;
        let fresh = Browser::way_back(&location, &clinic.issuer);
        let given = fresh.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
        let page = other.get(&fresh.replace(&format!("code={given}"), &format!("code={used}"))).await;
        assert_eq!(code(&page), (StatusCode::FORBIDDEN, "code_refused".to_owned()));
        assert_eq!(clinic.audit("signed_in").await, [granted("one_factor")]);
        // Who it was nobody knows: that is put down with others.
        clinic.f.api.tell_anonymous().await;
        let mut told = clinic.audit("anonymous_refused").await;
        told.sort();
        let expected = ["came_twice times:1", "code_refused times:1", "other_browser times:3"];
        assert_eq!(told, expected.map(|detail| refused(&format!("{detail} addresses:0"))));
    })
    .await;
}

#[tokio::test]
async fn a_provider_says_by_itself_who_it_is_and_whether_it_let_somebody_in() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    let iss = format!("iss={}", clinic.issuer.url.replace(':', "%3A").replace('/', "%2F"));
    for (from, to, code) in [
        (iss.as_str(), "iss=https://id.example", "issuer_mismatch"),
        (iss.as_str(), "", "issuer_mismatch"),
        ("code=", "error=access_denied&x=", "provider_refused"),
        ("code=", "error=access_denied&code=", "provider_refused"),
        ("code=", "code=a&code=", "other_browser"),
        ("state=", "stat=", "other_browser"),
    ] {
        let mut browser = clinic.browser();
        let location = browser.begin("/v1/sign-in/clinic").await;
        let back = Browser::way_back(&location, &clinic.issuer);
        assert!(back.contains(from), "{back}");
        assert_eq!(browser.get(&back.replacen(from, to, 1)).await.code(), code, "{to}");
    }
}

#[tokio::test]
async fn new_keys_of_a_provider_are_found_and_it_is_not_asked_without_end() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    clinic.signed_in().await;
    *clinic.issuer.first_kid.lock().expect("not poisoned") = "es-2";
    clinic.issuer.behave(Habits { kid: Some("es-2"), ..Habits::default() });
    clinic.signed_in().await;
    assert_eq!(*clinic.issuer.keys_asked.lock().expect("not poisoned"), 2);
    for _ in 0..5 {
        clinic.issuer.behave(Habits { kid: Some("es-3"), ..Habits::default() });
        assert_eq!(clinic.browser().sign_in(&clinic.issuer).await.code(), "key_unknown");
    }
    assert_eq!(*clinic.issuer.keys_asked.lock().expect("not poisoned"), 2, "not asked again so soon");
}

#[tokio::test]
async fn nobody_is_anybody_who_was_not_linked() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        clinic.issuer.behave(Habits { claims: json!({"sub": "subject-2<b>"}), ..Habits::default() });
        let page = clinic.browser().sign_in(&clinic.issuer).await;
        assert_eq!((page.status, page.code().as_str()), (StatusCode::FORBIDDEN, "nobody_linked"));
        assert!(
            page.text.contains("subject-2&lt;b&gt;") && page.text.contains(&clinic.issuer.url),
            "for the administrator"
        );
        // The same subject of another provider is somebody else.
        let second = Issuer::start().await;
        clinic.f.api.set_sign_in(tenant("clinic"), &settings(&second)).await.expect("settings");
        assert_eq!(clinic.browser().sign_in(&second).await.code(), "nobody_linked");
        let bytes = clinic.f.all_bytes().await;
        for secret in ["subject-1", "subject-2", "rosa@", CLIENT_SECRET] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_tenant_may_ask_for_a_second_factor() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    let strict = SignInSettings { mfa_required: true, ..settings(&clinic.issuer) };
    clinic.f.api.set_sign_in(tenant("clinic"), &strict).await.expect("settings");
    let mut browser = clinic.browser();
    let location = browser.begin("/v1/sign-in/clinic").await;
    assert!(location.query_pairs().any(|(name, value)| name == "acr_values" && value == "two"));
    for (claims, mfa) in [
        (json!({}), false),
        (json!({"amr": ["pwd", "otp"]}), true),
        (json!({"amr": ["mfa"]}), true),
        (json!({"amr": "mfa"}), false),
        (json!({"acr": "two", "amr": null}), true),
        (json!({"acr": "one"}), false),
    ] {
        clinic.issuer.behave(Habits { claims: claims.clone(), ..Habits::default() });
        let mut browser = clinic.browser();
        let page = browser.sign_in(&clinic.issuer).await;
        if mfa {
            assert_eq!(browser.get("/v1/session").await.json()["mfa"], true, "{claims}");
        } else {
            assert_eq!(
                (page.status, page.code().as_str()),
                (StatusCode::FORBIDDEN, "mfa_needed"),
                "{claims}"
            );
        }
    }
    assert!(clinic.audit("signed_in").await.contains(&granted("mfa")));
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_nor_signed_in_within_another_page() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    let mut browser = clinic.browser();
    for bad in [
        "//evil.example",
        "https://evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "",
        "x&return_to=/",
    ] {
        let page = browser.get(&format!("/v1/sign-in/clinic?return_to={bad}")).await;
        assert_eq!(
            (page.status, page.code().as_str()),
            (StatusCode::BAD_REQUEST, "return_to_refused"),
            "{bad}"
        );
    }
    for path in ["/v1/sign-in/clinic", "/v1/sign-in/clinic/callback?state=x&code=y"] {
        let page = browser.send("GET", path, "", &[("sec-fetch-dest", "iframe")]).await;
        assert_eq!((page.status, page.code().as_str()), (StatusCode::FORBIDDEN, "framed"));
        assert_eq!(page.headers[header::X_FRAME_OPTIONS], "DENY");
    }
    for nowhere in ["other", "system", "NOBODY", "a%2Fb"] {
        let page = browser.get(&format!("/v1/sign-in/{nowhere}")).await;
        assert_eq!((page.status, page.code().as_str()), (StatusCode::NOT_FOUND, "sign_in_not_configured"));
    }
    let portal = Some("https://portal.clinic.example/".to_owned());
    let elsewhere = SignInSettings { return_to: portal.clone(), ..settings(&clinic.issuer) };
    clinic.f.api.set_sign_in(tenant("clinic"), &elsewhere).await.expect("settings");
    assert_eq!(
        Some(clinic.browser().sign_in(&clinic.issuer).await.location()),
        portal.as_deref(),
        "the operator says so"
    );
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_is_said_so() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    // Port 9 of this machine: nobody listens there.
    let gone = SignInSettings { issuer: "http://127.0.0.1:9".to_owned(), ..settings(&clinic.issuer) };
    clinic.f.api.set_sign_in(tenant("clinic"), &gone).await.expect("settings");
    let page = clinic.browser().get("/v1/sign-in/clinic").await;
    assert_eq!(
        (page.status, page.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable")
    );
    let strict = clinic.f.another_process().await;
    assert!(strict.set_sign_in(tenant("clinic"), &gone).await.is_err(), "this machine is not in the world");
    assert!(clinic.f.api.set_sign_in(tenant("nowhere"), &gone).await.is_err());
    clinic.f.api.remove_sign_in(tenant("clinic")).await.expect("removed");
    assert_eq!(clinic.browser().get("/v1/sign-in/clinic").await.code(), "sign_in_not_configured");
}

#[tokio::test]
async fn a_node_cannot_see_who_is_signed_in_at_another_tenant() {
    let clinic = Clinic::open(Fixture::postgres().await).await;
    let browser = clinic.signed_in().await;
    clinic.f.key_of("other").await;
    let mut moved = browser.clone();
    for value in moved.cookies.values_mut() {
        *value = value.replace("clinic.", "other.");
    }
    assert_eq!(moved.get("/v1/session").await.code(), "signed_out");
    let Kept::Postgres(postgres) = &clinic.f.kept else { unreachable!("asked for") };
    let mut node =
        <sqlx::PgConnection as sqlx::Connection>::connect(postgres.node_url.reveal()).await.expect("a login");
    for table in ["sessions", "identities", "sign_in", "sign_in_states"] {
        for (words, expected) in
            [("SET app.tenant = 'clinic'", 1), ("SET app.tenant = 'other'", 0), ("RESET app.tenant", 0)]
        {
            sqlx::raw_sql(words).execute(&mut node).await.expect("a setting");
            let counting = match table {
                "sessions" => "SELECT count(*) FROM sessions",
                "identities" => "SELECT count(*) FROM identities",
                "sign_in" => "SELECT count(*) FROM sign_in",
                _ => "SELECT count(*) FROM sign_in_states",
            };
            let seen: i64 = sqlx::query_scalar(counting).fetch_one(&mut node).await.expect("a count");
            assert_eq!(seen, expected, "{table} after {words}");
        }
    }
    assert_eq!(ORIGIN, "http://127.0.0.1:8080");
}
