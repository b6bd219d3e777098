//! Tokens of visits: what they open, as whom, and what ends them.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use control_api::{AccessSigner, AccessToken, AccessTokenId, VisitSigner, VisitToken, permissions::Scopes};
use media_model::Role;
use serde_json::{Value, json};
use signaling_protocol::ticket::{Ticket, TicketSigner};

use crate::{
    chat::by_signaling,
    matrix::{appointment, known},
    support::{Fixture, now_s, on_both},
};

/// A consult to which a patient, a doctor and an observer have tickets.
pub struct Visit {
    pub consult: String,
    pub chat: String,
    pub tickets: [Ticket; 3],
}

impl Visit {
    /// Booked, with one person in each role.
    async fn book(f: &Fixture) -> Self {
        f.consent(&known(f, "patient").await).await;
        let visit = appointment(f, 60).await;
        Self::of(f, visit["consult"].as_str().expect("an id").to_owned()).await
    }

    /// Without an appointment.
    pub async fn begin(f: &Fixture) -> Self {
        let consult = f.consult(json!({})).await;
        Self::of(f, consult).await
    }

    async fn of(f: &Fixture, consult: String) -> Self {
        let tickets = [
            f.ticket(&f.key, &consult, "patient", Role::Patient).await,
            f.ticket(&f.key, &consult, "provider", Role::Provider).await,
            f.ticket(&f.key, &consult, "observer", Role::Observer).await,
        ];
        Self { chat: format!("/v1/consults/{consult}/chat"), consult, tickets }
    }

    pub fn tokens(&self, f: &Fixture) -> [String; 3] {
        self.tickets.each_ref().map(|ticket| f.welcome(ticket))
    }

    pub async fn read(&self, f: &Fixture, token: &str) -> (StatusCode, Value) {
        f.send("GET", &self.chat, token, String::new()).await
    }

    pub async fn write(&self, f: &Fixture, token: &str, text: &str) -> (StatusCode, Value) {
        f.send("POST", &self.chat, token, json!({"text": text}).to_string()).await
    }
}

pub fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["code"].as_str().unwrap_or_default())
}

/// What the audit log has of acts by tokens of visits: act, outcome, actor, who vouches, person, role, detail.
pub async fn acts(f: &Fixture) -> Vec<[String; 7]> {
    type Row = (String, String, String, String, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT action, outcome, actor, asserted_by, person_id, role, detail FROM audit
         WHERE asserted_by LIKE 'ticket:%' ORDER BY nr",
    )
    .fetch_all(&f.raw().await)
    .await
    .expect("rows");
    rows.into_iter()
        .map(|(act, outcome, actor, by, person, role, detail)| {
            [
                act,
                outcome,
                actor,
                by,
                person.unwrap_or_default(),
                role.unwrap_or_default(),
                detail.unwrap_or_default(),
            ]
        })
        .collect()
}

/// The entry that an act by a ticket's token has.
pub fn entry(ticket: &Ticket, act: &str, outcome: &str, detail: &str) -> [String; 7] {
    let person = ticket.person.reveal();
    let (actor, by) = (format!("person:{person}"), format!("ticket:{}", ticket.id));
    [act, outcome, &actor, &by, person, ticket.role.as_str(), detail].map(str::to_owned)
}

#[tokio::test]
async fn who_is_in_a_visit_reads_and_writes_its_chat_as_themselves() {
    on_both(async |f| {
        for visit in [Visit::book(&f).await, Visit::begin(&f).await] {
            let before = acts(&f).await.len();
            by_signaling(&f, &visit.consult, "provider", Role::Provider, "what hurts?").await;
            let [patient, provider, observer] = visit.tokens(&f);
            let [of_patient, of_provider, of_observer] = &visit.tickets;
            *f.orders.came.lock().expect("not poisoned") = vec![of_provider.person.reveal().clone()];
            let told = visit.write(&f, &patient, "my knee").await;
            assert_eq!(told.0, StatusCode::CREATED, "{told:?}");
            assert_eq!(told.1["person"], *of_patient.person.reveal());
            let said = f.orders.said.lock().expect("not poisoned").pop();
            assert_eq!(said, Some((of_patient.person.reveal().clone(), "my knee".to_owned())));
            let (status, read) = visit.read(&f, &provider).await;
            assert_eq!(status, StatusCode::OK, "{read}");
            let line = |at: usize| [&read["lines"][at]["text"], &read["lines"][at]["participant"]];
            assert_eq!(line(0), [&json!("what hurts?"), &json!(1)]);
            assert_eq!(line(1), [&json!("my knee"), &Value::Null], "has not come to the consult");
            assert_eq!(read["lines"][1]["id"], told.1["id"]);
            assert_eq!(visit.read(&f, &observer).await.0, StatusCode::OK);
            assert_eq!(code(&visit.write(&f, &observer, "may I?").await), (403, "role_forbids"));
            assert_eq!(
                acts(&f).await[before..],
                [
                    entry(of_patient, "write_chat", "granted", ""),
                    entry(of_provider, "read_chat", "granted", ""),
                    entry(of_observer, "read_chat", "granted", ""),
                    entry(of_observer, "write_chat", "refused", "role_forbids"),
                ]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_else_is_opened_and_no_other_way_in_is_handed_out() {
    on_both(async |f| {
        let (visit, other) = (Visit::begin(&f).await, Visit::begin(&f).await);
        let [_, provider, _] = visit.tokens(&f);
        let [_, of_provider, _] = &visit.tickets;
        assert_eq!(code(&other.read(&f, &provider).await), (403, "other_visit"));
        let nowhere = format!("/v1/consults/{}/chat", "0".repeat(32));
        let unknown = f.send("GET", &nowhere, &provider, String::new()).await;
        assert_eq!(code(&unknown), (403, "other_visit"), "nobody is told by it what is there");
        let own_record = format!("/v1/people/{}", of_provider.person.reveal());
        let refused = f.send("GET", &own_record, &provider, String::new()).await;
        assert_eq!(code(&refused), (403, "other_visit"));
        let join = format!("/v1/consults/{}/join", visit.consult);
        let refused = f.send("POST", &join, &provider, json!({"display_name": "Me"}).to_string()).await;
        assert_eq!(code(&refused), (403, "not_by_visit"));
        let end = format!("/v1/consults/{}/end", visit.consult);
        let refused = f.send("POST", &end, &provider, String::new()).await;
        assert_eq!(code(&refused), (403, "not_by_visit"), "who may give out tickets may not do that by one");
        let (status, _, told) = f
            .send_as(
                ("GET", &visit.chat),
                &provider,
                json!({}),
                None,
                &[("on-behalf-of", of_provider.person.reveal())],
            )
            .await;
        assert_eq!(code(&(status, told)), (403, "person_unknown"), "nobody acts for another by it");
        let expected = [
            ("read_chat", "other_visit"),
            ("read_chat", "other_visit"),
            ("read_person", "other_visit"),
            ("join", "not_by_visit"),
            ("end_consult", "not_by_visit"),
            ("read_chat", "person_unknown"),
        ];
        let expected = expected.map(|(act, why)| entry(of_provider, act, "refused", why));
        assert_eq!(acts(&f).await, expected);
    })
    .await;
}

#[tokio::test]
async fn an_act_with_a_key_is_done_once_and_told_again_while_the_token_is_good() {
    on_both(async |f| {
        let visit = Visit::begin(&f).await;
        let [patient, provider, _] = visit.tokens(&f);
        let write = async |token: &str| {
            let body = json!({"text": "hello"});
            let (status, _, told) = f.send_as(("POST", &visit.chat), token, body, Some("once"), &[]).await;
            (status, told)
        };
        let first = write(&patient).await;
        assert_eq!(first.0, StatusCode::CREATED);
        assert_eq!(
            write(&f.welcome(&visit.tickets[0])).await,
            first,
            "also by the token of the next welcome"
        );
        assert_ne!(write(&provider).await.1["number"], first.1["number"], "somebody else's key is another");
        let ticket = format!("/v1/consults/{}/tickets/{}", visit.consult, visit.tickets[0].id);
        assert_eq!(f.send("DELETE", &ticket, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        assert_eq!(code(&write(&patient).await), (401, "visit_over"));
    })
    .await;
}

/// A compact JWS with another `typ` in its header.
fn with_typ(token: &str, typ: &str) -> String {
    let (header, rest) = token.split_once('.').expect("a token");
    let header = BASE64URL.decode(header).expect("base64url");
    let mut header: Value = serde_json::from_slice(&header).expect("JSON");
    header["typ"] = typ.into();
    format!("{}.{rest}", BASE64URL.encode(header.to_string()))
}

/// With one character of its claims or signature turned into another.
fn tampered(token: &str, part: usize) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    let middle = parts[part].len() / 2;
    let other = if parts[part].as_bytes()[middle] == b'A' { "B" } else { "A" };
    parts[part].replace_range(middle..=middle, other);
    parts.join(".")
}

#[tokio::test]
async fn what_is_not_a_token_of_a_visit_or_not_any_more_opens_nothing() {
    on_both(async |f| {
        let visit = Visit::begin(&f).await;
        let ticket = &visit.tickets[0];
        let (token, good) = (f.visit_token(ticket), f.welcome(ticket));
        let past = |by_s: u64| VisitToken {
            issued_at_unix_s: token.issued_at_unix_s - by_s,
            expires_at_unix_s: token.expires_at_unix_s - by_s,
            ..token.clone()
        };
        let access = AccessToken {
            id: AccessTokenId::from_bytes([1; 16]),
            tenant: token.tenant,
            client: "test-00000000".into(),
            scopes: Scopes::all(),
            issued_at_unix_s: now_s(),
            expires_at_unix_s: now_s() + 600,
        };
        let keys = (f.signers.0.to_pkcs8().expect("a key"), f.signers.1.to_pkcs8().expect("a key"));
        let by_access_key = VisitSigner::from_pkcs8(&keys.0).expect("a key");
        let by_visit_key = AccessSigner::from_pkcs8(&keys.1).expect("a key");
        let tickets_by_visit_key = TicketSigner::from_pkcs8(&keys.1).expect("a key");
        let false_ones = [
            ("expired", f.signers.1.sign(&past(4 * 3_600))),
            ("of another key", VisitSigner::generate().expect("a key").sign(&token)),
            ("under the key of access tokens", by_access_key.sign(&token)),
            ("an access token under the key of visits", by_visit_key.sign(&access)),
            ("an access token that says it is a visit's", with_typ(&f.signers.0.sign(&access), VISIT)),
            ("a visit's that says it is an access token", with_typ(&good, "at+jwt")),
            ("a ticket", tickets_by_visit_key.sign(ticket)),
            ("a ticket that says it is a visit's", with_typ(&tickets_by_visit_key.sign(ticket), VISIT)),
            ("of no kind", with_typ(&good, "JWT")),
            ("of almost its kind", with_typ(&good, "Consilium-Visit+JWT")),
            ("with other claims", tampered(&good, 1)),
            ("with another signature", tampered(&good, 2)),
            ("cut off", good[..good.len() - 10].to_owned()),
            ("without a signature", good.rsplit_once('.').expect("three parts").0.to_owned() + "."),
        ];
        assert_eq!(visit.read(&f, &f.signers.1.sign(&past(4 * 3_600 - 60))).await.0, StatusCode::OK);
        for (what, text) in &false_ones {
            assert_eq!(code(&visit.read(&f, text).await), (401, "unauthorized"), "{what}");
        }
        assert_eq!(visit.read(&f, &good).await.0, StatusCode::OK);
        f.api.tell_anonymous().await;
        let told: Vec<(String,)> =
            sqlx::query_as("SELECT detail FROM audit WHERE action = 'anonymous_refused' ORDER BY detail")
                .fetch_all(&f.raw().await)
                .await
                .expect("rows");
        assert!(told.iter().any(|(detail,)| detail.starts_with("visit_token times:")), "{told:?}");
    })
    .await;
}

/// `typ` of a visit's token.
const VISIT: &str = "consilium-visit+jwt";

/// Lets so many milliseconds pass for a consult that has ended.
pub async fn long_ago(f: &Fixture, consult: &str, ms: i64) {
    for (statement, column) in [
        ("UPDATE consults SET ended_at = ended_at - $2 WHERE id = $1", "ended_at"),
        ("UPDATE tickets SET revoked_at = revoked_at - $2 WHERE consult_id = $1", "revoked_at"),
    ] {
        let done = sqlx::query(statement).bind(consult).bind(ms).execute(&f.raw().await).await;
        assert!(done.expect("the owner may").rows_affected() > 0, "{column}");
    }
}

#[tokio::test]
async fn a_token_ends_with_its_ticket_with_its_person_and_soon_after_its_consult() {
    on_both(async |f| {
        let visit = Visit::begin(&f).await;
        let [patient, provider, observer] = visit.tokens(&f);
        let [of_patient, of_provider, of_observer] = &visit.tickets;
        let take_back = async |ticket: &Ticket| {
            let path = format!("/v1/consults/{}/tickets/{}", visit.consult, ticket.id);
            assert_eq!(f.send("DELETE", &path, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        };
        let is_over = async |token: &str| code(&visit.read(&f, token).await) == (401, "visit_over");
        take_back(of_observer).await;
        assert!(is_over(&observer).await, "the ticket was taken back");
        // What a node has heard of and its database not yet.
        f.orders.known_revoked.lock().expect("not poisoned").push(of_patient.id);
        assert!(is_over(&patient).await, "the node knows");
        f.orders.known_revoked.lock().expect("not poisoned").clear();
        assert!(!is_over(&patient).await);
        let as_staff = VisitToken { role: Role::Provider, ..f.visit_token(of_patient) };
        assert!(is_over(&f.signers.1.sign(&as_staff)).await, "nobody came in so");

        let end = format!("/v1/consults/{}/end", visit.consult);
        assert_eq!(f.send("POST", &end, &f.key, String::new()).await.0, StatusCode::OK);
        assert!(is_over(&observer).await && !is_over(&patient).await && !is_over(&provider).await);
        assert_eq!(code(&visit.write(&f, &patient, "wait").await), (409, "consult_ended"));
        take_back(of_patient).await;
        assert!(is_over(&patient).await, "also after the end");
        long_ago(&f, &visit.consult, 14 * 60_000).await;
        assert!(!is_over(&provider).await);
        long_ago(&f, &visit.consult, 60_000).await;
        assert!(is_over(&provider).await, "a quarter of an hour after the end");

        let next = Visit::begin(&f).await;
        let [patient, ..] = next.tokens(&f);
        let person = format!("/v1/people/{}", next.tickets[0].person.reveal());
        assert_eq!(f.send("DELETE", &person, &f.key, String::new()).await.0, StatusCode::NO_CONTENT);
        assert_eq!(code(&next.read(&f, &patient).await), (401, "visit_over"));

        f.api.tell_anonymous().await;
        let over = |ticket: &Ticket, why: &str| entry(ticket, "read_chat", "refused", why);
        let mut as_staff = over(of_patient, "ticket_unknown");
        as_staff[5] = "provider".into();
        let refused: Vec<_> = acts(&f).await.into_iter().filter(|entry| entry[1] == "refused").collect();
        let expected = [
            over(of_observer, "ticket_revoked"),
            over(of_patient, "ticket_revoked"),
            as_staff,
            over(of_provider, "consult_ended"),
            over(&next.tickets[0], "person_erased"),
        ];
        assert_eq!(refused[..expected.len()], expected, "the first of each at once");
        let mut again = refused[expected.len()..].to_vec();
        again.sort_by_key(|entry| entry[3] != format!("ticket:{}", of_observer.id));
        let once_more = [of_observer, of_patient].map(|ticket| over(ticket, "ticket_revoked times:1"));
        assert_eq!(again, once_more, "and then how often");
    })
    .await;
}
