//! Break-glass over HTTP: what it opens, for how long, and that nobody does it unseen.

use axum::http::StatusCode;
use control_api::{RoleChange, permissions::TenantRole};
use media_model::{Pii, Role};
use serde_json::{Value, json};

use crate::support::{
    Fixture,
    browser::{Browser, ORIGIN, signed_in},
    in_seconds, now_s, on_both, tenant,
};

const REASON: &str = "unconscious, allergies unknown";
pub const MINUTE_MS: i64 = 60_000;

/// A clinic with a patient who was seen by a provider, and people who had no part in that.
pub struct Clinic {
    pub f: Fixture,
    pub patient: String,
    pub visit: String,
    pub chat: String,
    pub nurse: String,
    pub auditor: String,
}

impl Clinic {
    pub async fn open(f: Fixture) -> Self {
        let (_, patient) = f.post("/v1/people", json!({"external_id": "ehr-1"})).await;
        let patient = patient["id"].as_str().expect("an id").to_owned();
        f.consent(&patient).await;
        let people = json!([
            {"person_id": "ehr-1", "role": "patient"},
            {"person_id": "dr-1", "role": "provider"},
        ]);
        let (starts_at, ends_at) = (in_seconds(0), in_seconds(1_800));
        let body = json!({"starts_at": starts_at, "ends_at": ends_at, "people": people, "reason": "cough"});
        let (status, visit) = f.post("/v1/appointments", body).await;
        assert_eq!(status, StatusCode::CREATED, "{visit}");
        let chat = format!("/v1/consults/{}/chat", visit["consult"].as_str().expect("an id"));
        let visit = format!("/v1/appointments/{}", visit["id"].as_str().expect("an id"));
        f.post(&format!("{visit}/start"), json!({})).await;
        assert_eq!(f.post(&format!("{visit}/end"), json!({})).await.0, StatusCode::OK);
        let nurse = person(&f, "nurse-1", Some(Role::Nurse), None).await;
        let auditor = person(&f, "audit-1", None, Some(TenantRole::Auditor)).await;
        Self { f, patient, visit, chat, nurse, auditor }
    }

    /// The consult of an appointment in an hour, of the patient's with somebody.
    async fn consult_with(&self, staff: &str, role: Role) -> String {
        let people = json!([{"person_id": "ehr-1", "role": "patient"}, {"person_id": staff, "role": role}]);
        let (starts_at, ends_at) = (in_seconds(3_600), in_seconds(5_400));
        let body = json!({"starts_at": starts_at, "ends_at": ends_at, "people": people});
        let (_, visit) = self.f.post("/v1/appointments", body).await;
        visit["consult"].as_str().expect("an id").to_owned()
    }

    pub async fn browser(&self, person: &str) -> Browser {
        signed_in(&self.f, "clinic", person, true).await
    }

    /// Breaks the glass for the patient; its id.
    pub async fn broken(&self, browser: &mut Browser) -> String {
        let page = browser.post("/v1/break-glass", &self.body()).await;
        assert_eq!(page.status, StatusCode::CREATED, "{}", page.text);
        page.json()["id"].as_str().expect("an id").to_owned()
    }

    pub fn body(&self) -> String {
        json!({"patient": self.patient, "reason": REASON}).to_string()
    }

    /// Everything that a broken glass opens.
    fn doors(&self) -> [String; 6] {
        let (visit, person) = (&self.visit, format!("/v1/people/{}", self.patient));
        let consents = format!("{person}/consents");
        let (reason, summary) = (format!("{visit}/reason"), format!("{visit}/summary"));
        [visit.clone(), reason, summary, person, consents, self.chat.clone()]
    }

    /// How each of them answers.
    async fn knock(&self, browser: &mut Browser) -> Vec<String> {
        let mut answers = Vec::new();
        for door in self.doors() {
            let page = browser.get(&door).await;
            let code = page.code();
            answers.push(if code.is_empty() { page.status.as_u16().to_string() } else { code });
        }
        answers
    }

    pub async fn let_pass(&self, ms: i64) {
        sqlx::query("UPDATE break_glasses SET opened_at = opened_at - $1, expires_at = expires_at - $1")
            .bind(ms)
            .execute(&self.f.raw().await)
            .await
            .expect("the owner may");
    }

    /// What the audit log has of an actor with this detail.
    async fn acts_of(&self, person: &str, detail: &str) -> Vec<String> {
        let acts: Vec<(String,)> =
            sqlx::query_as("SELECT action FROM audit WHERE actor = $1 AND detail = $2 ORDER BY nr")
                .bind(format!("person:{person}"))
                .bind(detail)
                .fetch_all(&self.f.raw().await)
                .await
                .expect("rows");
        acts.into_iter().map(|(act,)| act).collect()
    }
}

async fn person(
    f: &Fixture,
    external_id: &str,
    standing: Option<Role>,
    tenant_role: Option<TenantRole>,
) -> String {
    let change = RoleChange { standing: Some(standing), tenant_role: Some(tenant_role) };
    let id = f.api.set_roles_from_shell(tenant("clinic"), Pii::new(external_id.to_owned()), change).await;
    id.expect("somebody").to_string()
}

fn all(code: &str) -> Vec<String> {
    vec![code.to_owned(); 6]
}

#[tokio::test]
async fn a_broken_glass_opens_one_door_for_an_hour_and_each_look_names_it() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut nurse = clinic.browser(&clinic.nurse).await;
        assert_eq!(clinic.knock(&mut nurse).await, all("not_concerned"));
        let glass = clinic.broken(&mut nurse).await;
        assert_eq!(clinic.knock(&mut nurse).await, all("200"));
        assert_eq!(nurse.get(&clinic.doors()[1]).await.json(), json!({"reason": "cough"}));
        let consents = nurse.get(&clinic.doors()[4]).await.json();
        assert_eq!(consents["consents"][0]["kind"], "telehealth", "{consents}");

        let named = clinic.acts_of(&clinic.nurse, &format!("break_glass:{glass}")).await;
        let looks =
            ["read_appointment", "read_reason", "read_notes", "person_read", "read_consents", "read_chat"];
        assert_eq!(named[..7], [&["open_break_glass"][..], &looks[..]].concat());

        let other = person(&clinic.f, "ehr-2", None, None).await;
        assert_eq!(nurse.get(&format!("/v1/people/{other}")).await.code(), "not_concerned");
        assert_eq!(nurse.post(&format!("{}/cancel", clinic.visit), "").await.code(), "not_concerned");
        let mut with_one_factor = signed_in(&clinic.f, "clinic", &clinic.nurse, false).await;
        assert_eq!(clinic.knock(&mut with_one_factor).await, all("mfa_needed"));
        let colleague = person(&clinic.f, "nurse-2", Some(Role::Nurse), None).await;
        let mut colleague = clinic.browser(&colleague).await;
        assert_eq!(clinic.knock(&mut colleague).await, all("not_concerned"));
        for door in clinic.doors() {
            let headers = [("on-behalf-of", clinic.nurse.as_str())];
            let (status, _, told) =
                clinic.f.send_as(("GET", &door), &clinic.f.key, json!(null), None, &headers).await;
            assert_eq!((status, &told["code"]), (StatusCode::FORBIDDEN, &json!("not_concerned")), "{door}");
        }

        clinic.let_pass(59 * MINUTE_MS).await;
        assert_eq!(clinic.knock(&mut nurse).await, all("200"));
        clinic.let_pass(MINUTE_MS).await;
        assert_eq!(clinic.knock(&mut nurse).await, all("not_concerned"));
        // Who is no clinician any more has broken nothing.
        clinic.broken(&mut nurse).await;
        assert_eq!(clinic.knock(&mut nurse).await, all("200"));
        person(&clinic.f, "nurse-1", None, None).await;
        assert_eq!(clinic.knock(&mut nurse).await, all("not_concerned"));
    })
    .await;
}

#[tokio::test]
async fn an_auditor_who_did_not_break_it_looks_into_it_and_shuts_it_at_once() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let mut nurse = clinic.browser(&clinic.nurse).await;
        let glass = clinic.broken(&mut nurse).await;
        let path = format!("/v1/break-glass/{glass}");
        let close = format!("{path}/close");
        let mut auditor = clinic.browser(&clinic.auditor).await;
        let told = auditor.get(&path).await.json();
        let who = (&told["person"], &told["patient"], &told["reason"], &told["state"]);
        let expected = (&json!(clinic.nurse), &json!(clinic.patient), &json!(REASON), &json!("open"));
        assert_eq!(who, expected, "{told}");

        // Opener and auditor in one person.
        person(&clinic.f, "nurse-1", Some(Role::Nurse), Some(TenantRole::Auditor)).await;
        assert_eq!(nurse.post(&close, "").await.code(), "not_on_oneself");
        person(&clinic.f, "nurse-1", Some(Role::Nurse), None).await;
        assert_eq!(nurse.post(&close, "").await.code(), "role_forbids");
        let mut with_one_factor = signed_in(&clinic.f, "clinic", &clinic.auditor, false).await;
        assert_eq!(with_one_factor.post(&close, "").await.code(), "mfa_needed");
        let (status, told) = clinic.f.post(&close, json!({})).await;
        assert_eq!((status, &told["code"]), (StatusCode::FORBIDDEN, &json!("not_for_clients")));
        assert_eq!(clinic.knock(&mut nurse).await, all("200"));

        let page = auditor.post(&close, "").await;
        assert_eq!((page.status, &page.json()["closed_by"]), (StatusCode::OK, &json!(clinic.auditor)));
        assert_eq!(clinic.knock(&mut nurse).await, all("not_concerned"));
        let again = auditor.post(&close, "").await;
        assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "closed_already"));
        let none = format!("/v1/break-glass/{}", "0".repeat(32));
        assert_eq!(auditor.get(&none).await.status, StatusCode::NOT_FOUND);
        assert_eq!(auditor.post(&format!("{none}/close"), "").await.status, StatusCode::NOT_FOUND);
        let named = clinic.acts_of(&clinic.auditor, &format!("break_glass:{glass}")).await;
        assert_eq!(named, ["see_break_glass", "close_break_glass"]);
        // One that has run out is looked into as well.
        let later = clinic.broken(&mut nurse).await;
        clinic.let_pass(60 * MINUTE_MS).await;
        let closed = auditor.post(&format!("/v1/break-glass/{later}/close"), "").await;
        assert_eq!((closed.status, &closed.json()["state"]), (StatusCode::OK, &json!("closed")));
    })
    .await;
}

#[tokio::test]
async fn a_broken_glass_opens_a_live_consult_until_it_is_closed_and_never_unseen() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let door = format!("/v1/consults/{}/join", clinic.consult_with("dr-1", Role::Provider).await);
        let body = json!({"display_name": "Nurse Testname"}).to_string();
        let mut nurse = clinic.browser(&clinic.nurse).await;
        assert_eq!(nurse.post(&door, &body).await.code(), "not_concerned");
        let glass = clinic.broken(&mut nurse).await;
        clinic.let_pass(58 * MINUTE_MS).await;
        let joined = nurse.post(&door, &body).await;
        assert_eq!(joined.status, StatusCode::CREATED, "{}", joined.text);
        let token = joined.json()["ticket"].as_str().expect("a ticket").to_owned();
        let ticket = clinic.f.verifier.verify(&token, now_s()).expect("genuine");
        let broken = ticket.break_glass.expect("the ticket says so");
        assert_eq!((broken.id.to_string(), ticket.role, ticket.waits), (glass.clone(), Role::Nurse, false));
        assert!(
            ticket.expires_at_unix_s <= broken.until_unix_s,
            "it opens for no longer than what was broken"
        );
        assert!((now_s() + 60..=now_s() + 120).contains(&broken.until_unix_s));
        let named = clinic.acts_of(&clinic.nurse, &format!("break_glass:{glass}")).await;
        assert_eq!(named, ["open_break_glass", "ticket_minted"]);

        let mut with_one_factor = signed_in(&clinic.f, "clinic", &clinic.nurse, false).await;
        assert_eq!(with_one_factor.post(&door, &body).await.code(), "mfa_needed");
        let headers = [("on-behalf-of", clinic.nurse.as_str())];
        let asked = serde_json::from_str(&body).expect("JSON");
        let (status, _, told) = clinic.f.send_as(("POST", &door), &clinic.f.key, asked, None, &headers).await;
        assert_eq!((status, &told["code"]), (StatusCode::FORBIDDEN, &json!("not_concerned")), "{told}");

        let mut auditor = clinic.browser(&clinic.auditor).await;
        auditor.post(&format!("/v1/break-glass/{glass}/close"), "").await;
        assert_eq!(*clinic.f.orders.revoked.lock().expect("not poisoned"), [ticket.id], "they leave at once");
        assert_eq!(nurse.post(&door, &body).await.code(), "not_concerned");
    })
    .await;
}

#[tokio::test]
async fn who_has_a_part_in_a_visit_takes_their_own_ticket_in_their_own_role() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let consult = clinic.consult_with("nurse-1", Role::Nurse).await;
        let door = format!("/v1/consults/{consult}/join");
        let body = json!({"display_name": "Somebody"}).to_string();
        let mut nurse = clinic.browser(&clinic.nurse).await;
        // Though they have broken the glass as well: nobody is shown as what they need not be.
        clinic.broken(&mut nurse).await;
        for (person, role) in [(&clinic.nurse, Role::Nurse), (&clinic.patient, Role::Patient)] {
            let joined = clinic.browser(person).await.post(&door, &body).await;
            assert_eq!(joined.status, StatusCode::CREATED, "{}", joined.text);
            let token = joined.json()["ticket"].as_str().expect("a ticket").to_owned();
            let ticket = clinic.f.verifier.verify(&token, now_s()).expect("genuine");
            assert_eq!((ticket.role, ticket.break_glass), (role, None));
            assert_eq!(ticket.person.reveal(), person);
        }
        for wrong in [r#"{"display_name": ""}"#, r#"{"display_name": "A", "expires_in_s": 0}"#] {
            assert_eq!(nurse.post(&door, wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        }
        assert_eq!(clinic.f.post(&format!("/v1/consults/{consult}/end"), json!({})).await.0, StatusCode::OK);
        assert_eq!(nurse.post(&door, &body).await.code(), "consult_ended");
    })
    .await;
}

#[tokio::test]
async fn the_clinics_systems_are_told_at_once_and_nobody_the_reason() {
    on_both(async |f| {
        let clinic = Clinic::open(f).await;
        let hook = json!({"url": "https://siem.example/hooks", "events": ["break_glass.opened", "break_glass.closed"]});
        assert_eq!(clinic.f.post("/v1/webhooks", hook).await.0, StatusCode::CREATED);
        let mut nurse = clinic.browser(&clinic.nurse).await;
        let headers = [("origin", ORIGIN), ("idempotency-key", "once")];
        let first = nurse.send("POST", "/v1/break-glass", &clinic.body(), &headers).await;
        let again = nurse.send("POST", "/v1/break-glass", &clinic.body(), &headers).await;
        assert_eq!((first.status, &first.text), (StatusCode::CREATED, &again.text), "it is done once");
        let glass = first.json()["id"].as_str().expect("an id").to_owned();
        let mut auditor = clinic.browser(&clinic.auditor).await;
        auditor.post(&format!("/v1/break-glass/{glass}/close"), "").await;

        let told: Vec<(String,)> = sqlx::query_as("SELECT body FROM webhook_outbox ORDER BY created_at, kind DESC")
            .fetch_all(&clinic.f.raw().await)
            .await
            .expect("rows");
        let told: Vec<Value> = told.iter().map(|(body,)| serde_json::from_str(body).expect("JSON")).collect();
        let data = |by: &str| json!({"break_glass": glass, "patient": clinic.patient, "person": by});
        let expected = [("break_glass.opened", data(&clinic.nurse)), ("break_glass.closed", data(&clinic.auditor))];
        let told: Vec<_> = told.iter().map(|message| (&message["type"], &message["data"])).collect();
        let expected: Vec<_> = expected.map(|(kind, data)| (json!(kind), data)).into();
        assert_eq!(told, expected.iter().map(|(kind, data)| (kind, data)).collect::<Vec<_>>());
        let bytes = clinic.f.all_bytes().await;
        let is_in = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!is_in("allergies") && is_in(&glass), "the reason is sealed");

        for (body, status) in [
            (json!({"patient": clinic.patient, "reason": "because"}), 422),
            (json!({"patient": "ehr-1", "reason": REASON}), 422),
            (json!({"patient": clinic.patient}), 400),
            (json!({"patient": "0".repeat(32), "reason": REASON}), 404),
            (json!({"patient": clinic.nurse, "reason": REASON}), 403),
        ] {
            let page = nurse.post("/v1/break-glass", &body.to_string()).await;
            assert_eq!(page.status.as_u16(), status, "{body}: {}", page.text);
        }
        let erase = format!("/v1/people/{}", clinic.patient);
        assert_eq!(clinic.f.send("DELETE", &erase, &clinic.f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        let left = auditor.get(&format!("/v1/break-glass/{glass}")).await.json();
        assert_eq!((&left["reason"], &left["patient"]), (&Value::Null, &json!(clinic.patient)), "{left}");
        assert_eq!(nurse.post("/v1/break-glass", &clinic.body()).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}
