//! The list of break-glasses: what an auditor sees of it, and that other tenants see nothing.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    break_glass::{Clinic, MINUTE_MS},
    support::{
        browser::{Browser, signed_in},
        on_both,
    },
};

async fn listed(browser: &mut Browser, query: &str) -> (Vec<String>, Value) {
    let page = browser.get(&format!("/v1/break-glass{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let told = page.json();
    let ids = told["break_glasses"].as_array().expect("a list").iter();
    (ids.map(|glass| glass["id"].as_str().expect("an id").to_owned()).collect(), told["last"].clone())
}

#[tokio::test]
async fn all_are_listed_the_newest_first_in_parts_and_by_their_state() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut nurse = clinic.browser(&clinic.nurse).await;
        let mut auditor = clinic.browser(&clinic.auditor).await;
        assert_eq!(listed(&mut auditor, "").await, (vec![], Value::Null));
        let run_out = clinic.broken(&mut nurse).await;
        clinic.let_pass(30 * MINUTE_MS).await;
        let closed = clinic.broken(&mut nurse).await;
        clinic.let_pass(30 * MINUTE_MS).await;
        let open = clinic.broken(&mut nurse).await;
        auditor.post(&format!("/v1/break-glass/{closed}/close"), "").await;
        let newest_first = [&open, &closed, &run_out].map(String::clone);
        assert_eq!(listed(&mut auditor, "").await, (newest_first.to_vec(), json!(run_out)));
        let (first, last) = listed(&mut auditor, "?limit=2").await;
        assert_eq!((&first[..], &last), (&newest_first[..2], &json!(closed)));
        let (rest, _) = listed(&mut auditor, &format!("?limit=2&after={closed}")).await;
        assert_eq!(rest, newest_first[2..]);
        for (state, id) in [("open", &open), ("run_out", &run_out), ("closed", &closed)] {
            assert_eq!(listed(&mut auditor, &format!("?state={state}")).await.0, [id.as_str()], "{state}");
        }
        for (wrong, status) in [
            ("limit=0", 422),
            ("limit=101", 422),
            ("state=shut", 422),
            ("after=x", 422),
            ("limit=1&limit=2", 422),
            ("after=00000000000000000000000000000000", 404),
        ] {
            let page = auditor.get(&format!("/v1/break-glass?{wrong}")).await;
            assert_eq!(page.status.as_u16(), status, "{wrong}");
        }
        let reads = clinic.f.audit().await.into_iter().filter(|(_, act, ..)| act == "see_break_glass");
        assert_eq!(reads.count(), 7, "every list that was told is in the log");

        let other = clinic.f.key_of("other").await;
        let (status, theirs) = clinic.f.send("GET", "/v1/break-glass", &other, String::new()).await;
        assert_eq!((status, &theirs["break_glasses"]), (StatusCode::OK, &json!([])));
        let one = format!("/v1/break-glass/{open}");
        assert_eq!(clinic.f.send("GET", &one, &other, String::new()).await.0, StatusCode::NOT_FOUND);
        let body = json!({"external_id": "ehr-1"}).to_string();
        let (_, stranger) = clinic.f.send("POST", "/v1/people", &other, body).await;
        let raw = clinic.f.raw().await;
        let nurses = "UPDATE people SET standing = 'nurse' WHERE tenant = 'other'";
        sqlx::query(nurses).execute(&raw).await.expect("the owner may");
        let stranger = stranger["id"].as_str().expect("an id");
        let mut stranger = signed_in(&clinic.f, "other", stranger, true).await;
        let page = stranger.post("/v1/break-glass", &clinic.body()).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "there is no such patient: {}", page.text);
    })
    .await;
}
