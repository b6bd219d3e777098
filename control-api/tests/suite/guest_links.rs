//! Guest links: sent by mail or SMS, redeemed by a button, as often as it takes.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use control_api::{OwnOrigin, WebOrigin};
use media_model::Role;
use serde_json::{Value, json};
use signaling_protocol::ticket::TicketId;
use tower::ServiceExt as _;

use crate::support::{Fixture, browser::ORIGIN, in_seconds, now_s, on_both, tenant};

const NAME: &str = "Rosa Delgado";

/// An appointment of a patient, a provider and an interpreter; its path.
async fn booked(f: &Fixture) -> String {
    let (_, patient) = f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
    f.consent(patient["id"].as_str().expect("an id")).await;
    let people = json!([
        {"person_id": "ehr-1", "role": "patient"},
        {"person_id": "dr-1", "role": "provider"},
        {"person_id": "int-1", "role": "interpreter"},
    ]);
    let (starts_at, ends_at) = (in_seconds(0), in_seconds(1_800));
    let body = json!({"starts_at": starts_at, "ends_at": ends_at, "people": people});
    let (status, visit) = f.post("/v1/appointments", body).await;
    assert_eq!(status, StatusCode::CREATED, "{visit}");
    format!("/v1/appointments/{}", visit["id"].as_str().expect("an id"))
}

/// A link for the patient.
async fn linked(f: &Fixture, visit: &str) -> Value {
    let body = json!({"role": "patient", "person_id": "ehr-1", "display_name": NAME});
    let (status, link) = f.post(&format!("{visit}/guest-links"), body).await;
    assert_eq!(status, StatusCode::CREATED, "{link}");
    link
}

/// Presses the button, as somebody of whom nothing is known.
async fn redeemed(f: &Fixture, code: &Value) -> (u16, Value) {
    let (status, _, told) = asked(f, "POST", &json!({"code": code}), &[]).await;
    (status.as_u16(), told)
}

/// What is answered there without a key.
async fn asked(
    f: &Fixture,
    method: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri("/v1/guest-links/redeem")
        .header(header::HOST, "127.0.0.1:8080")
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).expect("a request");
    let response = f.router.clone().oneshot(request).await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    (status, headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn code_of(f: &Fixture, code: &Value) -> String {
    let (_, told) = redeemed(f, code).await;
    told["code"].as_str().unwrap_or_default().to_owned()
}

async fn run(f: &Fixture, statement: &'static str) {
    sqlx::query(statement).execute(&f.raw().await).await.expect("the owner may");
}

fn seconds_until(at: &Value) -> u64 {
    let at = at.as_str().expect("a time");
    let at = time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339);
    at.expect("a time").unix_timestamp().unsigned_abs() - now_s()
}

const REST: &str = "UPDATE guest_links SET redeemed_at = redeemed_at - 2000";

#[tokio::test]
async fn a_link_is_redeemed_again_and_again_and_only_its_last_ticket_is_good() {
    on_both(async |f| {
        let visit = booked(&f).await;
        let link = linked(&f, &visit).await;
        let (status, first) = redeemed(&f, &link["code"]).await;
        assert_eq!(status, 201, "{first}");
        let ticket =
            f.verifier.verify(first["ticket"].as_str().expect("a ticket"), now_s()).expect("genuine");
        assert_eq!((ticket.role, ticket.waits), (Role::Patient, true), "whoever has a mail waits");
        assert_eq!(ticket.display_name.reveal(), NAME);
        assert_eq!(link["person"], json!(ticket.person.reveal()));
        run(&f, "UPDATE guest_links SET redeemed_at = redeemed_at + 60000").await;
        assert_eq!(code_of(&f, &link["code"]).await, "too_many_requests", "pressed twice");
        run(&f, "UPDATE guest_links SET redeemed_at = redeemed_at - 62000").await;
        let (status, second) = redeemed(&f, &link["code"]).await;
        assert_eq!(status, 201, "{second}");
        let revoked = || f.orders.revoked.lock().expect("not poisoned").clone();
        let id = |ticket: &Value| ticket["id"].as_str().expect("an id").parse::<TicketId>().expect("an id");
        assert_eq!(revoked(), [id(&first)], "whoever came in before is sent away");

        let path = format!("{visit}/guest-links/{}", link["id"].as_str().expect("an id"));
        let revoke = f.send("DELETE", &path, &f.key, String::new()).await;
        assert_eq!(revoke.0, StatusCode::NO_CONTENT);
        assert_eq!(revoked(), [id(&first), id(&second)]);
        run(&f, REST).await;
        assert_eq!(code_of(&f, &link["code"]).await, "not_found");
        let entries: Vec<(String, Option<String>, String)> = sqlx::query_as(
            "SELECT outcome, detail, person_id FROM audit WHERE action = 'guest_link_redeemed' ORDER BY nr",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        let person = link["person"].as_str().expect("an id").to_owned();
        let refused = |why: &str| ("refused".to_owned(), Some(why.to_owned()), person.clone());
        let granted = || ("granted".to_owned(), None, person.clone());
        assert_eq!(entries, [granted(), refused("too_many_requests"), granted(), refused("not_found")]);

        let bytes = f.all_bytes().await;
        let is_in = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let code = link["code"].as_str().expect("a code");
        assert!(!is_in(NAME) && !is_in(&code["clinic.".len()..]) && is_in(&person));
    })
    .await;
}

#[tokio::test]
async fn a_link_lasts_as_long_as_its_appointment_and_a_while_longer() {
    on_both(async |f| {
        let visit = booked(&f).await;
        let link = linked(&f, &visit).await;
        let lasts_s = seconds_until(&link["expires_at"]);
        assert!((1_780 + 6 * 3_600..=1_800 + 6 * 3_600).contains(&lasts_s), "{lasts_s}");
        let withdrawn = format!("/v1/people/{}/consents/telehealth", link["person"].as_str().expect("an id"));
        f.send("DELETE", &withdrawn, &f.key, String::new()).await;
        assert_eq!(code_of(&f, &link["code"]).await, "consent_missing");
        f.consent(link["person"].as_str().expect("an id")).await;
        run(&f, "UPDATE appointments SET starts_at = starts_at - 23300000, ends_at = ends_at - 23300000")
            .await;
        assert_eq!(redeemed(&f, &link["code"]).await.0, 201, "nearly six hours and a half ago");
        run(&f, REST).await;
        run(&f, "UPDATE appointments SET starts_at = starts_at - 200000, ends_at = ends_at - 200000").await;
        assert_eq!(code_of(&f, &link["code"]).await, "not_found");
        run(&f, "UPDATE appointments SET starts_at = starts_at + 23500000, ends_at = ends_at + 23500000")
            .await;
        f.post(&format!("{visit}/cancel"), json!({})).await;
        assert_eq!(code_of(&f, &link["code"]).await, "consult_ended");
        let body = json!({"role": "observer", "display_name": "A student"});
        let (status, told) = f.post(&format!("{visit}/guest-links"), body).await;
        assert_eq!((status, &told["code"]), (StatusCode::CONFLICT, &json!("consult_ended")));
    })
    .await;
    on_both(async |f| {
        let visit = booked(&f).await;
        let link = linked(&f, &visit).await;
        let (_, appointment) = f.send("GET", &visit, &f.key, String::new()).await;
        let consult = appointment["consult"].as_str().expect("an id");
        f.post(&format!("/v1/consults/{consult}/end"), json!({})).await;
        assert_eq!(code_of(&f, &link["code"]).await, "consult_ended", "though its appointment goes on");
    })
    .await;
}

#[tokio::test]
async fn a_link_is_for_who_is_booked_or_for_a_guest_who_watches_and_never_for_staff() {
    on_both(async |f| {
        let visit = booked(&f).await;
        let links = format!("{visit}/guest-links");
        for (role, person_id, status, code) in [
            ("provider", json!("dr-1"), 422, "field_invalid"),
            ("nurse", json!(null), 422, "field_invalid"),
            ("patient", json!(null), 422, "field_invalid"),
            ("patient", json!("two words"), 422, "field_invalid"),
            ("guardian", json!("int-1"), 403, "not_booked"),
            ("interpreter", json!("int-2"), 403, "not_booked"),
            ("observer", json!("int-1"), 403, "not_booked"),
        ] {
            let body = json!({"role": role, "person_id": person_id, "display_name": NAME});
            let (found, told) = f.post(&links, body).await;
            assert_eq!((found.as_u16(), &told["code"]), (status, &json!(code)), "{role} {person_id}");
        }
        let guest = json!({"role": "observer", "display_name": "A student"});
        let (_, student) = f.post(&links, guest.clone()).await;
        let (status, ticket) = redeemed(&f, &student["code"]).await;
        assert_eq!(status, 201, "{ticket}");
        let erase = format!("/v1/people/{}", student["person"].as_str().expect("an id"));
        f.send("DELETE", &erase, &f.key, String::new()).await;
        run(&f, REST).await;
        assert_eq!(code_of(&f, &student["code"]).await, "not_found", "nobody comes as who was erased");

        let other = f.key_of("other").await;
        let theirs = f.send("POST", &links, &other, guest.to_string()).await;
        assert_eq!(theirs.0, StatusCode::NOT_FOUND, "{}", theirs.1);
        let code = linked(&f, &visit).await["code"].as_str().expect("a code").to_owned();
        for (wrong, status) in [
            (code.replace("clinic.", "other."), 404),
            (code.replace("clinic.", "nowhere."), 404),
            (format!("clinic.{}", "A".repeat(22)), 404),
            (format!("{code}A"), 422),
            (code["clinic.".len()..].to_owned(), 422),
        ] {
            assert_eq!(redeemed(&f, &json!(wrong)).await.0, status, "{wrong}");
        }
        for _ in 2..32 {
            assert_eq!(f.post(&links, guest.clone()).await.0, StatusCode::CREATED);
        }
        assert_eq!(f.post(&links, guest).await.1["code"], "too_many");
    })
    .await;
}

#[tokio::test]
async fn of_two_who_redeem_a_link_at_once_one_has_a_good_ticket() {
    on_both(async |f| {
        let visit = booked(&f).await;
        let link = linked(&f, &visit).await;
        let (one, two) = tokio::join!(redeemed(&f, &link["code"]), redeemed(&f, &link["code"]));
        // The slower one is told to wait, or has taken the other's ticket back.
        let statuses = [one.0, two.0];
        assert!(statuses.contains(&201) && statuses.iter().all(|status| [201, 429].contains(status)));
        let good: (i64,) = sqlx::query_as("SELECT count(*) FROM tickets WHERE revoked_at IS NULL")
            .fetch_one(&f.raw().await)
            .await
            .expect("a row");
        assert_eq!(good, (1,), "{} {}", one.1, two.1);
    })
    .await;
}

#[tokio::test]
async fn a_link_is_redeemed_by_pages_of_this_server_and_of_its_own_tenants_portals() {
    on_both(async |f| {
        f.key_of("other").await;
        for (of, origin) in
            [("clinic", "https://portal.clinic.example"), ("other", "https://portal.other.example")]
        {
            let origin = [origin.parse().expect("an origin")];
            f.api.change_portal_origins(tenant(of), &origin, &[]).await.expect("a list");
        }
        let link = linked(&f, &booked(&f).await).await;
        let body = json!({"code": link["code"]});
        for (origin, status, may_read) in [
            ("https://evil.example", 403, false),
            ("null", 403, false),
            ("https://portal.other.example", 403, true),
            ("https://portal.clinic.example", 201, true),
            (ORIGIN, 429, true),
        ] {
            let (found, headers, told) = asked(&f, "POST", &body, &[("origin", origin)]).await;
            assert_eq!(found.as_u16(), status, "{origin}: {told}");
            let allowed =
                headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).and_then(|value| value.to_str().ok());
            assert_eq!(allowed, may_read.then_some(origin));
            if status == 403 {
                assert_eq!(told["code"], "origin_refused", "{origin}");
            }
        }
        f.api.tell_anonymous().await;
        let refused: Vec<(String, String)> = sqlx::query_as(
            "SELECT tenant, detail FROM audit WHERE action = 'anonymous_refused' ORDER BY tenant",
        )
        .fetch_all(&f.raw().await)
        .await
        .expect("rows");
        let refused: Vec<_> = refused.iter().map(|(of, detail)| (of.as_str(), detail.as_str())).collect();
        let of = |times| format!("origin_refused times:{times} addresses:0");
        assert_eq!(
            refused,
            [("clinic", of(1).as_str()), ("system", of(2).as_str())],
            "also of pages of nobody's"
        );
        let asks = [("origin", "https://portal.clinic.example"), ("access-control-request-method", "POST")];
        let (status, headers, _) = asked(&f, "OPTIONS", &json!(null), &asks).await;
        assert_eq!(
            (status, &headers[header::ACCESS_CONTROL_ALLOW_METHODS]),
            (StatusCode::NO_CONTENT, &"POST".parse().expect("a value"))
        );
        let asks = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
        assert_eq!(asked(&f, "OPTIONS", &json!(null), &asks).await.0, StatusCode::FORBIDDEN);
        assert_eq!(asked(&f, "OPTIONS", &json!(null), &[]).await.0, StatusCode::METHOD_NOT_ALLOWED);
    })
    .await;
}

#[tokio::test]
async fn where_the_operator_says_how_browsers_find_the_node_the_whole_link_is_told() {
    on_both(async |mut f| {
        let visit = booked(&f).await;
        assert_eq!(linked(&f, &visit).await["link"], json!(null));
        let origin = WebOrigin::parse("https://consult.example").expect("an origin");
        f.router = f.api.clone().with_own_origin(OwnOrigin::Configured(origin)).router();
        let link = linked(&f, &visit).await;
        let code = link["code"].as_str().expect("a code");
        assert_eq!(link["link"], json!(format!("https://consult.example/guest#{code}")));
    })
    .await;
}
