//! Who is signed in, what they may send, and when it ends.

use axum::http::{StatusCode, header};
use control_api::SignInSettings;
use media_model::Pii;
use serde_json::json;

use crate::{
    sign_in::{Clinic, EXTERNAL_ID, settings},
    support::{Fixture, browser::ORIGIN, issuer::Habits, on_both, tenant},
};

#[tokio::test]
async fn who_does_nothing_is_logged_off_and_asking_who_one_is_is_nothing() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut browser = clinic.signed_in().await;
        clinic.run("UPDATE sessions SET seen_at = seen_at - 60000").await;
        let before = browser.get("/v1/session").await.json();
        assert_eq!(browser.get("/v1/session").await.json(), before, "asking moves nothing");
        browser.get(&format!("/v1/people/{}/identities", clinic.person)).await;
        let after = browser.get("/v1/session").await.json();
        assert!(after["idle_at"].as_str() > before["idle_at"].as_str(), "{before} {after}");

        clinic.run("UPDATE sessions SET seen_at = seen_at - 15 * 60000").await;
        let page = browser.get("/v1/session").await;
        assert_eq!((page.status, page.code().as_str()), (StatusCode::UNAUTHORIZED, "signed_out"));
        assert_eq!(clinic.audit("signed_out").await, [("granted".to_owned(), "idle".to_owned())]);

        clinic.signed_in().await;
        clinic.signed_in().await;
        assert_eq!(clinic.f.api.log_off_idle().await.expect("the store works"), 0);
        clinic.run("UPDATE sessions SET seen_at = seen_at - 15 * 60000").await;
        assert_eq!(
            clinic.f.api.log_off_idle().await.expect("the store works"),
            2,
            "also where no request comes"
        );
        assert_eq!(clinic.audit("signed_out").await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn nobody_stays_signed_in_for_longer_than_half_a_day() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    let mut browser = clinic.signed_in().await;
    clinic.run("UPDATE sessions SET expires_at = expires_at - 12 * 3600000").await;
    assert_eq!(browser.get(&format!("/v1/people/{}", clinic.person)).await.code(), "signed_out");
    assert_eq!(clinic.audit("signed_out").await, [("granted".to_owned(), "expired".to_owned())]);
}

#[tokio::test]
async fn signing_in_again_ends_what_was_before_under_another_cookie() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut browser = clinic.signed_in().await;
        let mut before = browser.clone();
        assert_eq!(browser.sign_in(&clinic.issuer).await.status, StatusCode::SEE_OTHER);
        assert_ne!(browser.cookies, before.cookies);
        assert_eq!(before.get("/v1/session").await.code(), "signed_out");
        assert_eq!(browser.get("/v1/session").await.status, StatusCode::OK);
        assert_eq!(clinic.audit("signed_out").await, [("granted".to_owned(), "signed_in_again".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn only_pages_of_this_server_change_anything_for_who_is_signed_in() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut browser = clinic.signed_in().await;
        let body = json!({"external_id": "ehr-1"}).to_string();
        for headers in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", "https://127.0.0.1:8080")],
            &[("origin", ORIGIN), ("origin", ORIGIN)],
        ] {
            let page = browser.send("POST", "/v1/people", &body, headers).await;
            assert_eq!(
                (page.status, page.code().as_str()),
                (StatusCode::FORBIDDEN, "origin_refused"),
                "{headers:?}"
            );
            let page = browser.send("POST", "/v1/sign-out", "", headers).await;
            assert_eq!(page.code(), "origin_refused");
        }
        let refused = ("refused".to_owned(), "origin_refused".to_owned());
        assert_eq!(clinic.audit("manage_people").await.iter().filter(|entry| **entry == refused).count(), 5);
        let page = browser.send("POST", "/v1/people", &body, &[("origin", ORIGIN)]).await;
        assert_ne!(page.code(), "origin_refused");

        // Where a request says by another way who asks, the cookie is not looked at.
        let key = format!("Bearer {}", clinic.f.key);
        let page = browser.send("POST", "/v1/people", &body, &[("authorization", &key)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        for wrong in ["Bearer x", "Basic eDp5", ""] {
            let page = browser
                .send("GET", &format!("/v1/people/{}", clinic.person), "", &[("authorization", wrong)])
                .await;
            assert_eq!(page.code(), "unauthorized", "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_form_signs_out_and_ends_on_a_page() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    let mut browser = clinic.signed_in().await;
    let form = [("origin", ORIGIN), ("sec-fetch-dest", "document")];
    let page = browser.send("POST", "/v1/sign-out", "", &form).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/v1/signed-out?tenant=clinic"));
    assert!(browser.cookies.is_empty());
    let page = browser.get("/v1/signed-out?tenant=clinic").await;
    assert!(page.text.contains("You are signed out") && page.text.contains("href=\"/v1/sign-in/clinic\""));
    let page = browser.get("/v1/signed-out?tenant=%22%3E%3Cscript").await;
    assert!(!page.text.contains("script"), "{}", page.text);
    assert!(browser.get("/v1/signed-in").await.text.contains("You are signed out"));
    let again = browser.send("POST", "/v1/sign-out", "", &form).await;
    assert_eq!((again.status, again.location()), (StatusCode::SEE_OTHER, "/v1/signed-out"));
}

#[tokio::test]
async fn who_was_erased_or_unlinked_is_signed_out_and_cannot_sign_in() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut browser = clinic.signed_in().await;
        let path = format!("/v1/people/{}", clinic.person);
        let (_, listed) =
            clinic.f.send("GET", &format!("{path}/identities"), &clinic.f.key, String::new()).await;
        let identity = listed["identities"][0]["id"].as_str().expect("an id").to_owned();
        let (status, _) = clinic
            .f
            .send("DELETE", &format!("{path}/identities/{identity}"), &clinic.f.key, String::new())
            .await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        assert_eq!(browser.get("/v1/session").await.code(), "signed_out");
        let ended = |why: &str| ("granted".to_owned(), why.to_owned());
        assert_eq!(clinic.audit("signed_out").await, [ended("unlinked")]);
        assert_eq!(clinic.browser().sign_in(&clinic.issuer).await.code(), "nobody_linked");

        let account = json!({"issuer": clinic.issuer.url, "subject": "subject-1"});
        let (status, _) = clinic.f.post(&format!("{path}/identities"), account.clone()).await;
        assert_eq!(status, StatusCode::CREATED);
        let mut browser = clinic.signed_in().await;
        assert_eq!(
            clinic.f.send("DELETE", &path, &clinic.f.key, String::new()).await.0,
            StatusCode::NO_CONTENT
        );
        assert_eq!(browser.get("/v1/session").await.code(), "signed_out");
        assert_eq!(clinic.audit("signed_out").await, [ended("unlinked"), ended("erased")]);
        assert_eq!(clinic.browser().sign_in(&clinic.issuer).await.code(), "nobody_linked");
        let (status, _) = clinic.f.post(&format!("{path}/identities"), account).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "nobody is linked who was erased");
    })
    .await;
}

#[tokio::test]
async fn an_account_is_one_persons_and_no_back_end_links_one_to_an_admin() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let (_, person) = clinic.f.post("/v1/people", json!({"external_id": "ehr-2"})).await;
        let path = format!("/v1/people/{}/identities", person["id"].as_str().expect("an id"));
        let link = async |issuer: &str, subject: &str| {
            let (status, body) = clinic.f.post(&path, json!({"issuer": issuer, "subject": subject})).await;
            (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
        };
        let issuer = clinic.issuer.url.as_str();
        assert_eq!(link(issuer, "subject-1").await, (409, "linked_already".to_owned()), "somebody else's");
        assert_eq!(link("https://id.example", "subject-2").await, (422, "field_invalid".to_owned()));
        assert_eq!(link(issuer, "").await, (422, "field_invalid".to_owned()));
        assert_eq!(link(issuer, "subject-2").await, (201, String::new()));
        assert_eq!(link(issuer, "subject-2").await, (409, "linked_already".to_owned()));
        let change = control_api::RoleChange {
            tenant_role: Some(Some(control_api::permissions::TenantRole::Auditor)),
            standing: None,
        };
        let external_id = Pii::new("ehr-2".to_owned());
        clinic.f.api.set_roles_from_shell(tenant("clinic"), external_id, change).await.expect("a role");
        assert_eq!(link(issuer, "subject-3").await, (403, "not_for_clients".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn asking_for_a_second_factor_ends_what_had_one() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut one = clinic.signed_in().await;
        let mut both = clinic.browser();
        clinic.issuer.behave(Habits { claims: json!({"amr": ["mfa"]}), ..Habits::default() });
        assert_eq!(both.sign_in(&clinic.issuer).await.status, StatusCode::SEE_OTHER);
        let same = settings(&clinic.issuer);
        clinic.f.api.set_sign_in(tenant("clinic"), &same).await.expect("settings");
        assert_eq!(one.get("/v1/session").await.status, StatusCode::OK, "nothing was asked for");
        let stricter = SignInSettings { mfa_required: true, ..same };
        clinic.f.api.set_sign_in(tenant("clinic"), &stricter).await.expect("settings");
        let ended = [("granted".to_owned(), "mfa_required".to_owned())];
        assert_eq!(clinic.audit("signed_out").await, ended);
        assert_eq!(one.get("/v1/session").await.code(), "signed_out");
        assert_eq!(both.get("/v1/session").await.status, StatusCode::OK);

        // A sign-in that was on its way meanwhile.
        clinic.run("UPDATE sessions SET mfa = 0").await;
        assert_eq!(both.get("/v1/session").await.code(), "signed_out");
        assert_eq!(clinic.audit("signed_out").await, [ended.clone(), ended].concat());
    })
    .await;
}

#[tokio::test]
async fn another_provider_ends_what_the_one_before_vouched_for() {
    let clinic = Clinic::open(Fixture::sqlite().await).await;
    let mut browser = clinic.signed_in().await;
    let same = settings(&clinic.issuer);
    clinic.f.api.set_sign_in(tenant("clinic"), &same).await.expect("settings");
    assert_eq!(browser.get("/v1/session").await.status, StatusCode::OK);
    let other = SignInSettings { issuer: "https://id.example".to_owned(), ..same };
    clinic.f.api.set_sign_in(tenant("clinic"), &other).await.expect("settings");
    let page = browser.get("/v1/session").await;
    assert_eq!(page.code(), "signed_out");
    let ended = clinic.audit("signed_out").await;
    assert_eq!(ended, [("granted".to_owned(), "other_provider".to_owned())]);
    assert!(page.headers.contains_key(header::WWW_AUTHENTICATE));
    let linked = clinic
        .f
        .api
        .link_from_shell(
            tenant("clinic"),
            Pii::new(EXTERNAL_ID.into()),
            &clinic.issuer.url,
            Pii::new("x".into()),
        )
        .await;
    assert!(linked.is_err(), "people sign in elsewhere now");
}
