//! Nodes on one database believe each other's tickets and tokens, until a key is taken back.

#[path = "kills/place.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod place;
mod support;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use place::Place;
use serde_json::{Value, json};
use support::{
    control::{BackEnd, INTERPRETER, PATIENT, PROVIDER},
    http,
    node::Node,
    signal::{Heard, Signal},
    within_patience,
};

/// What the door of a node says to a ticket.
async fn said(node: &Node, ticket: &str) -> String {
    let mut somebody = Signal::open(node.address()).await;
    somebody.hello(ticket).await;
    let Heard::Message(message) = somebody.hear().await else { panic!("closed without a word") };
    let what = if message["type"] == "error" { &message["code"] } else { &message["type"] };
    what.as_str().expect("a word").to_owned()
}

/// The `kid` of a token.
fn kid_of(token: &str) -> String {
    let header =
        token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok()).expect("a header");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

/// A second node on the database, with a folder of its own and the first one's master keys.
fn another_node(place: &Place) -> Node {
    let (folder, data) = (place.folder.path(), place.folder.path().join("another"));
    let text = std::fs::read_to_string(folder.join("consilium.toml")).expect("the first one's");
    let master = folder.join("data/keys/master.keys");
    let file = folder.join("another.toml");
    std::fs::write(&file, format!("master_keys_file = {master:?}\n{text}")).expect("a file");
    let arguments =
        ["serve".as_ref(), "--config".as_ref(), file.as_os_str(), "--data".as_ref(), data.as_os_str()];
    Node::serve(arguments, &data)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_signs_is_good_on_another_until_its_key_is_taken_back() {
    let place = Place::postgres().await;
    let (one, other) = (place.serve(), another_node(&place));
    let there = BackEnd::with_key(one.address(), &place.key);
    let consult = there.consult().await;
    let ticket = there.ticket(&consult, PATIENT).await.token;
    within_patience("the other node to know the key", async {
        while said(&other, &ticket).await == "ticket_invalid" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    let tickets =
        [there.ticket(&consult, PROVIDER).await.token, there.ticket(&consult, INTERPRETER).await.token];
    assert_eq!(said(&other, &tickets[0]).await, "welcome");

    // An access token of the one calls the other.
    let clients = place.run(&["client", "list", "--tenant", "clinic", "--config"]);
    let client = clients.split('\t').next().expect("an id");
    let form = format!("grant_type=client_credentials&client_id=clinic.{client}&client_secret={}", place.key);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = http::request(one.address(), "POST", "/v1/oauth2/token", &headers, &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    let elsewhere = BackEnd::with_key(other.address(), &token);
    assert_eq!(elsewhere.call("POST", "/v1/consults", &json!({})).await.status, 201);

    let listed = place.run(&["signing-key", "list", "--config"]);
    assert_eq!(listed.lines().count(), 6, "three of each node: {listed}");
    let kid = kid_of(&tickets[1]);
    assert!(listed.lines().any(|line| line.starts_with(&format!("ticket\t{kid}\t"))), "{listed}");
    place.run(&["signing-key", "revoke", "--kid", &kid, "--config"]);
    within_patience("nobody to believe the key", async {
        while said(&one, &tickets[1]).await != "ticket_invalid"
            || said(&other, &tickets[1]).await != "ticket_invalid"
        {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    let again = there.ticket(&consult, INTERPRETER).await.token;
    assert_ne!(kid_of(&again), kid);
    assert_eq!(said(&one, &again).await, "welcome");
}
