//! A guest link against the real server: each time it is redeemed, whoever came in by it before is gone, and waits again.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{
    control::{BackEnd, PATIENT, PROVIDER},
    http,
    node::Node,
    signal::Signal,
};

/// How long a link rests after it was redeemed.
const REST: Duration = Duration::from_millis(2_100);

/// Presses the button and comes: without a key, by the code alone.
async fn come(node: &Node, code: &Value) -> Signal {
    let headers = [("Content-Type", "application/json")];
    let body = json!({"code": code}).to_string();
    let answer = http::request(node.address(), "POST", "/v1/guest-links/redeem", &headers, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut signal = Signal::open(node.address()).await;
    signal.hello(answer.json()["ticket"].as_str().expect("a ticket")).await;
    signal.expect("waiting").await;
    signal
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_redeems_a_link_again_ends_the_earlier_connection_and_waits_again() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let appointment = back_end.appointment().await;
    let consult = appointment["consult"].as_str().expect("an id");
    let links = format!("/v1/appointments/{}/guest-links", appointment["id"].as_str().expect("an id"));
    let body = json!({"role": PATIENT.role, "person_id": PATIENT.id, "display_name": PATIENT.name});
    let link = back_end.call("POST", &links, &body).await.json();

    let mut provider = Signal::open(node.address()).await;
    provider.hello(&back_end.ticket(consult, PROVIDER).await.token).await;
    provider.expect("welcome").await;
    let mut at_home = come(&node, &link["code"]).await;
    let mut lobby = provider.expect("lobby").await;
    while lobby["waiting"].as_array().is_none_or(Vec::is_empty) {
        lobby = provider.expect("lobby").await;
    }
    provider.say(&json!({"type": "admit", "participant": lobby["waiting"][0]["participant"]})).await;
    at_home.expect("welcome").await;

    tokio::time::sleep(REST).await;
    let mut on_the_way = come(&node, &link["code"]).await;
    assert_eq!(at_home.expect_fatal().await, ("ticket_revoked".into(), 4405));

    let revoke = format!("{links}/{}", link["id"].as_str().expect("an id"));
    assert_eq!(back_end.call("DELETE", &revoke, &json!({})).await.status, 204);
    assert_eq!(on_the_way.expect_fatal().await, ("ticket_revoked".into(), 4405));
    assert!(!node.stop().log.contains(link["code"].as_str().expect("a code")), "the code is in no log");
}
