//! The database goes away and comes back: consults go on, and the audit log and the chat have all of it in the end.
//!
//! A node that is started meanwhile lets people in all the same.
//!
//! Beside `kills.rs`, which has a server of its own that it kills.

#[path = "kills/away.rs"]
mod away;
#[path = "kills/gateway.rs"]
mod gateway;
#[path = "kills/place.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod place;
mod support;

use std::time::Duration;

use place::Place;
use serde_json::{Value, json};
use support::{
    control::{BackEnd, INTERPRETER, PATIENT, PROVIDER, Ticket},
    http,
    metrics::Metrics,
    node::Node,
    participant::Participant,
    peer::Plan,
    signal::Signal,
    within_patience,
};

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_while_the_database_is_away_is_in_the_audit_log_when_it_is_back() {
    let place = Place::postgres().await;
    let node = place.serve();
    let back_end = BackEnd::with_key(node.address(), &place.key);
    let consult = back_end.consult().await;
    let tickets = [
        back_end.ticket(&consult, PATIENT).await,
        back_end.ticket(&consult, PROVIDER).await,
        back_end.ticket(&consult, INTERPRETER).await,
    ];
    let mut patient = Signal::open(node.address()).await;
    patient.hello(&tickets[0].token).await;
    patient.expect("welcome").await;

    place.shut_nodes_out(true).await;
    let mut provider = Signal::open(node.address()).await;
    provider.hello(&tickets[1].token).await;
    provider.expect("welcome").await;
    for text in ["does it still hurt?", "only when I laugh"] {
        patient.say(&json!({ "type": "chat", "text": text })).await;
        assert_eq!(provider.expect("chat").await["text"], text, "it is kept, if not in the database");
    }
    let spool = std::fs::read(place.folder.path().join("data/spool.log")).expect("the spool");
    assert!(!spool.windows(5).any(|bytes| bytes == b"laugh"), "sealed");
    patient.say(&json!({ "type": "leave" })).await;
    assert_eq!(patient.expect_close().await, 1000);
    until_spooled(&node, "all entries in the spool", |entries| entries >= 4.0).await;
    let refused = back_end.call("POST", "/v1/consults", &json!({})).await;
    assert_eq!(refused.status, 503, "nothing else is done without the database: {refused:?}");

    // Killed as it is, and started while nothing answers: what waits is on its disk, and so is whose tickets are good.
    drop(node);
    place.shut_nodes_out(false).await;
    let gateway = place.behind_a_gateway();
    let node = place.serve();
    lets_in_who_has_a_ticket(&node, &place.key, &tickets).await;
    gateway.open();
    within_patience("a node that is ready", async {
        while http::get(node.address(), "/readyz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    until_spooled(&node, "an empty spool", |entries| entries == 0.0).await;
    let told = sqlx::query_scalar::<_, String>(
        "SELECT CASE action WHEN 'left' THEN detail ELSE action END FROM audit
         WHERE consult_id = $1 AND surface = 'signaling' AND outcome = 'granted' ORDER BY at, nr",
    );
    let mut told = told.bind(&consult).fetch_all(&place.raw().await).await.expect("the entries");
    let lost =
        told.iter().position(|what| what == "node_lost").expect("the provider was in when it was killed");
    told.remove(lost);
    assert_eq!(told, ["joined", "joined", "write_chat", "write_chat", "left", "joined", "left"]);
    let back_end = BackEnd::with_key(node.address(), &place.key);
    let chat = back_end.call("GET", &format!("/v1/consults/{consult}/chat"), &json!({})).await.json();
    let lines: Vec<_> = chat["lines"].as_array().expect("lines").iter().map(|line| &line["text"]).collect();
    assert_eq!(lines, ["does it still hurt?", "only when I laugh"], "each once, in order");
    place.verify(Some("0 unsealed")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_well_people_were_connected_when_the_database_was_away_is_in_the_summary() {
    let place = Place::postgres().await;
    let node = place.serve();
    let back_end = BackEnd::with_key(node.address(), &place.key);
    let booked = back_end.appointment().await;
    let path = |what| format!("/v1/appointments/{}/{what}", booked["id"].as_str().expect("an id"));
    let started = back_end.call("POST", &path("start"), &json!({})).await;
    assert_eq!(started.status, 200, "{started:?}");
    let consult = booked["consult"].as_str().expect("an id");
    let come = async |person, mark| {
        let ticket = back_end.ticket(consult, person).await;
        Participant::join(node.address(), &ticket.token, Plan::publisher(mark, 1)).await
    };
    let (mut patient, mut provider) = (come(PATIENT, 1).await, come(PROVIDER, 2).await);
    patient.expect_publishers(&[provider.number]).await;
    provider.expect_publishers(&[patient.number]).await;

    place.shut_nodes_out(true).await;
    patient.expect_media().await;
    provider.expect_media().await;
    // Both sides have told each other how it goes a few times.
    tokio::time::sleep(Duration::from_secs(3)).await;
    patient.leave().await;
    provider.leave().await;
    until_spooled(&node, "who left, and how well they were connected", |entries| entries >= 4.0).await;
    place.shut_nodes_out(false).await;
    until_spooled(&node, "an empty spool", |entries| entries == 0.0).await;

    let ended = back_end.call("POST", &path("end"), &json!({})).await;
    assert_eq!(ended.status, 200, "{ended:?}");
    let told = ended.json();
    let quality = told["quality"].as_array().expect("a list");
    let mut whose: Vec<_> =
        quality.iter().map(|quality| quality["person"].as_str().expect("an id")).collect();
    let mut people = [back_end.id_of(PATIENT).await, back_end.id_of(PROVIDER).await];
    whose.sort_unstable();
    people.sort_unstable();
    assert_eq!(whose, people);
    let is_good =
        |quality: &Value| (&quality["loss_permille"], &quality["interruptions"]) == (&json!(0), &json!(0));
    assert!(quality.iter().all(is_good), "{told}");
    assert_eq!(told["grade"], "good");
}

async fn until_spooled(node: &Node, what: &str, is_so: impl Fn(f64) -> bool) {
    within_patience(what, async {
        while !is_so(Metrics::of(node.address()).await.value("consilium_audit_spool_entries")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A node that has not found its database yet: the interpreter comes and goes, the patient's ticket has opened before.
async fn lets_in_who_has_a_ticket(node: &Node, key: &str, tickets: &[Ticket; 3]) {
    let mut interpreter = Signal::open(node.address()).await;
    interpreter.hello(&tickets[2].token).await;
    interpreter.expect("welcome").await;
    let mut again = Signal::open(node.address()).await;
    again.hello(&tickets[0].token).await;
    assert_eq!(again.expect_fatal().await.0, "ticket_in_use", "nor was it forgotten which have opened");
    let back_end = BackEnd::with_key(node.address(), key);
    let refused = back_end.call("POST", "/v1/consults", &json!({})).await;
    assert_eq!(refused.problem(), (503, "store_unavailable".to_owned()));
    assert_eq!(http::get(node.address(), "/readyz").await.status, 503);
    interpreter.say(&json!({ "type": "leave" })).await;
    assert_eq!(interpreter.expect_close().await, 1000);
}
