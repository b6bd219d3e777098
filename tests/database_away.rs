//! The database goes away and comes back: consults go on, and the audit log and the chat have all of it in the end.
//!
//! Beside `kills.rs`, which has a server of its own that it kills.

#[path = "kills/away.rs"]
mod away;
#[path = "kills/place.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod place;
mod support;

use std::time::Duration;

use place::Place;
use serde_json::json;
use support::{
    control::{BackEnd, PATIENT, PROVIDER},
    metrics::Metrics,
    signal::Signal,
    within_patience,
};

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_while_the_database_is_away_is_in_the_audit_log_when_it_is_back() {
    let place = Place::postgres().await;
    let node = place.serve();
    let back_end = BackEnd::with_key(node.address(), &place.key);
    let consult = back_end.consult().await;
    let tickets = [back_end.ticket(&consult, PATIENT).await, back_end.ticket(&consult, PROVIDER).await];
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
    let spooled = async || Metrics::of(node.address()).await.value("consilium_audit_spool_entries");
    within_patience("all entries in the spool", async {
        while spooled().await < 4.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let refused = back_end.call("POST", "/v1/consults", &json!({})).await;
    assert_eq!(refused.status, 503, "nothing else is done without the database: {refused:?}");

    // Killed as it is: what waits is on its disk.
    drop(node);
    place.shut_nodes_out(false).await;
    let node = place.serve();
    within_patience("an empty spool", async {
        while Metrics::of(node.address()).await.value("consilium_audit_spool_entries") > 0.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let told = sqlx::query_scalar::<_, String>(
        "SELECT CASE action WHEN 'left' THEN detail ELSE action END FROM audit
         WHERE consult_id = $1 AND surface = 'signaling' ORDER BY at, nr",
    );
    let mut told = told.bind(&consult).fetch_all(&place.raw().await).await.expect("the entries");
    let lost =
        told.iter().position(|what| what == "node_lost").expect("the provider was in when it was killed");
    told.remove(lost);
    assert_eq!(told, ["joined", "joined", "write_chat", "write_chat", "left"]);
    let back_end = BackEnd::with_key(node.address(), &place.key);
    let chat = back_end.call("GET", &format!("/v1/consults/{consult}/chat"), &json!({})).await.json();
    let lines: Vec<_> = chat["lines"].as_array().expect("lines").iter().map(|line| &line["text"]).collect();
    assert_eq!(lines, ["does it still hurt?", "only when I laugh"], "each once, in order");
    place.verify(Some("0 unsealed")).await;
}
