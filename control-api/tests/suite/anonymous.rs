//! Who cannot show who they are: put down together, slowed down, and in nobody's way.

use axum::http::{StatusCode, header};
use control_api::{
    audit::{CheckpointKeys, CheckpointSigner},
    verify,
};
use media_model::Pii;
use serde_json::{Value, json};

use crate::support::{Fixture, on_both, tenant};

const WRONG: &str = "consilium_clinic.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const CONSULTS: (&str, &str) = ("POST", "/v1/consults");

/// Tenant, surface and detail of what was put down of nobody, the commonest last.
async fn told(f: &Fixture) -> Vec<(String, String, String)> {
    sqlx::query_as(
        "SELECT tenant, surface, detail FROM audit WHERE action = 'anonymous_refused' AND outcome = 'refused'
            AND actor = 'anonymous' ORDER BY length(detail), tenant, detail",
    )
    .fetch_all(&f.raw().await)
    .await
    .expect("rows")
}

fn times(detail: &str) -> u64 {
    let times = detail.split("times:").nth(1).and_then(|rest| rest.split(' ').next());
    times.and_then(|times| times.parse().ok()).expect("a number")
}

/// Whether the whole log verifies.
async fn verifies(f: &Fixture) -> bool {
    for of in ["clinic", "system"] {
        f.api.seal(tenant(of)).await.expect("sealed");
    }
    let signer = CheckpointSigner::generate().expect("a key");
    let lines = f.api.checkpoints(&signer, &mut Default::default()).await.expect("the store works");
    let anchor = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(anchor.path(), lines.join("\n")).expect("written");
    let keys = CheckpointKeys::parse(&signer.public_line()).expect("a key");
    verify(&f.database(), &keys, anchor.path()).await.expect("the log can be read").is_clean()
}

#[tokio::test]
async fn ten_thousand_wrong_keys_leave_a_handful_of_entries_and_lock_nobody_out() {
    on_both(async |mut f| {
        f.api = f.api.clone().with_requests_per_s(1_000_000);
        f.router = f.api.router();
        let right = || f.send_as(CONSULTS, &f.key, json!({}), None, &[]);
        assert_eq!(right().await.0, StatusCode::CREATED);
        let before = f.audit().await.len();
        let mut limited = 0;
        for _ in 0..10_000 {
            let (status, headers, _) = f.send_as(CONSULTS, WRONG, json!({}), None, &[]).await;
            if status == StatusCode::TOO_MANY_REQUESTS {
                assert!(headers.contains_key(header::RETRY_AFTER));
                limited += 1;
            } else {
                assert_eq!(status, StatusCode::UNAUTHORIZED);
            }
        }
        assert!(limited > 5_000, "{limited}");
        assert_eq!(f.api.failures_limited(), limited);
        assert_eq!(right().await.0, StatusCode::CREATED, "the right client of the same address");
        assert_eq!(f.audit().await.len(), before + 1, "the consult's; of the rest none yet");

        assert!(f.api.tell_anonymous().await <= 3);
        let told = told(&f).await;
        assert!(told.iter().all(|(of, surface, _)| of == "clinic" && surface == "api"), "{told:?}");
        assert!(told.iter().all(|(.., detail)| detail.ends_with(" addresses:1")), "{told:?}");
        assert_eq!(told.iter().map(|(.., detail)| times(detail)).sum::<u64>(), 10_000);
        assert!(told.iter().any(|(.., detail)| detail.starts_with("api_key times:")), "{told:?}");
        assert!(told.iter().any(|(.., detail)| detail.starts_with("too_many_failures times:")), "{told:?}");
        assert!(verifies(&f).await);
        let (_, log) = f.send("GET", "/v1/audit", &f.key, String::new()).await;
        let entry = log["entries"].as_array().expect("entries").iter();
        let entry = entry.rev().find(|entry| entry["action"] == "anonymous_refused").expect("the entry");
        assert_eq!(entry["address"], "198.51.100.7", "the only one");
        assert_eq!(f.api.tell_anonymous().await, 0, "once is enough");
    })
    .await;
}

#[tokio::test]
async fn each_door_says_why_and_what_is_nobodys_goes_to_the_system() {
    on_both(async |f| {
        f.key_of("other").await;
        let none: &[(&'static str, &str)] = &[];
        let of_nobody = WRONG.replace("clinic", "made-up");
        let of_other = WRONG.replace("clinic", "other");
        for (key, from) in
            [(WRONG, none), (of_other.as_str(), none), (of_nobody.as_str(), none), ("no.token", none)]
        {
            let (status, ..) = f.send_as(CONSULTS, key, json!({}), None, from).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{key}");
        }
        let code = json!({"code": format!("clinic.{}", "A".repeat(22))});
        let (status, ..) = f.send_as(("POST", "/v1/guest-links/redeem"), "", code, None, none).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (status, _) = f.send("GET", "/v1/sign-in/clinic/callback?state=x", &f.key, String::new()).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "nobody signs in there");
        let (status, _) = f.send("GET", "/v1/session", "x", String::new()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        f.api.turned_away_at_signaling("ticket_invalid", Some(Pii::new([203, 0, 113, 9].into())));
        f.api.tell_anonymous().await;
        let mut expected = [
            ("clinic", "api", "api_key times:1 addresses:1"),
            ("other", "api", "api_key times:1 addresses:1"),
            ("system", "api", "api_key times:1 addresses:1"),
            ("system", "api", "access_token times:1 addresses:1"),
            ("clinic", "api", "guest_link_unknown times:1 addresses:1"),
            ("clinic", "api", "sign_in_not_configured times:1 addresses:0"),
            ("system", "api", "signed_out times:1 addresses:0"),
            ("system", "signaling", "ticket_invalid times:1 addresses:1"),
        ]
        .map(|(of, surface, detail)| (of.to_owned(), surface.to_owned(), detail.to_owned()));
        let mut told = told(&f).await;
        expected.sort();
        told.sort();
        assert_eq!(told, expected);
        assert!(verifies(&f).await);
        let everything = String::from_utf8_lossy(&f.all_bytes().await).into_owned();
        assert!(!everything.contains("203.0.113.9") && !everything.contains("198.51.100.7"));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_put_down_is_put_down_later() {
    on_both(async |f| {
        let refused = f.send_as(CONSULTS, WRONG, json!({}), None, &[]).await;
        assert_eq!((refused.0, &refused.2["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")));
        let rename = |from: &'static str| sqlx::raw_sql(from);
        let raw = f.raw().await;
        rename("ALTER TABLE audit_pending RENAME TO away").execute(&raw).await.expect("the owner may");
        assert_eq!(f.api.tell_anonymous().await, 0);
        rename("ALTER TABLE away RENAME TO audit_pending").execute(&raw).await.expect("the owner may");
        let _: Value = f.send_as(CONSULTS, WRONG, json!({}), None, &[]).await.2;
        assert_eq!(f.api.tell_anonymous().await, 1);
        assert_eq!(told(&f).await[0].2, "api_key times:2 addresses:1");
    })
    .await;
}
