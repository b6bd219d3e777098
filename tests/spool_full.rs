//! The database is away for so long that the node's spool is full: nobody comes in any more, those who are in go on, and
//! whoever leaves or is sent out is still put down.
//!
//! Beside `kills.rs`, which has a server of its own that it kills.

#[path = "kills/away.rs"]
mod away;
#[path = "kills/place.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod place;
mod support;

use std::{fs, time::Duration};

use place::Place;
use serde_json::json;
use support::{
    control::{BackEnd, INTERPRETER, NURSE, PATIENT, PROVIDER},
    metrics::Metrics,
    node::Node,
    participant::Participant,
    peer::{Peer, Plan},
    signal::{Heard, Signal},
    whip, within_patience,
};

/// The error with which somebody is turned away, or none.
async fn tries_to_come(node: &Node, ticket: &str) -> Option<(String, u16)> {
    let mut signal = Signal::open(node.address()).await;
    signal.hello(ticket).await;
    let Heard::Message(heard) = signal.hear().await else { panic!("closed without a word") };
    if heard["type"] == "welcome" {
        return None;
    }
    let code = heard["code"].as_str().expect("a code").to_owned();
    Some((code, signal.expect_close().await))
}

async fn spooled(node: &Node) -> f64 {
    Metrics::of(node.address()).await.value("consilium_audit_spool_entries")
}

/// Has somebody who has used their ticket say so until nothing more is put down; how many entries there are then.
async fn fill(node: &Node, used: &str) -> f64 {
    let offer = Peer::new(&Plan::publisher(9, 0)).await.offer().await;
    let again = async || {
        let answer = whip::post(node.address(), "/v1/whip", used, &offer).await;
        assert_eq!(answer.status, 409, "{answer:?}");
    };
    let mut before = -1.0;
    while spooled(node).await > before {
        before = spooled(node).await;
        for _ in 0..400 {
            again().await;
        }
        tokio::time::sleep(Duration::from_millis(if before < 1_000.0 { 3_000 } else { 500 })).await;
    }
    // To the last entry: many that come together may find no room where one does.
    loop {
        before = spooled(node).await;
        again().await;
        let grows = async {
            while spooled(node).await <= before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(Duration::from_millis(2_500), grows).await.is_err() {
            return before;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_turns_newcomers_away_and_keeps_every_departure() {
    let place = Place::postgres().await;
    let configuration = place.folder.path().join("consilium.toml");
    let text = fs::read_to_string(&configuration).expect("the file");
    fs::write(&configuration, format!("spool_mib = 1\n{text}")).expect("the file");
    let node = place.serve();
    let back_end = BackEnd::with_key(node.address(), &place.key);
    let consult = back_end.consult().await;
    let mut tickets = Vec::new();
    for person in [PATIENT, PROVIDER, NURSE].into_iter().chain([INTERPRETER; 12]) {
        tickets.push(back_end.ticket(&consult, person).await);
    }
    let join = async |index: usize| {
        let plan = Plan::publisher(u32::try_from(index).expect("small") + 1, 3);
        Participant::join(node.address(), &tickets[index].token, plan).await
    };
    let (patient, mut provider, mut nurse) = (join(0).await, join(1).await, join(2).await);

    place.shut_nodes_out(true).await;
    let full = fill(&node, &tickets[0].token).await;
    assert!(full > 1_000.0, "a spool of a MiB has room for {full} entries");
    // What newcomers would put down is shorter than what fills it: a few may find room yet.
    let mut admitted = 0;
    for ticket in &tickets[3..] {
        match tries_to_come(&node, &ticket.token).await {
            None => admitted += 1,
            Some(refused) => {
                assert_eq!(refused, ("internal".into(), 4500), "nobody comes unseen");
                break;
            }
        }
    }
    assert!(admitted < tickets.len() - 3, "at last nobody comes in");
    provider.expect_media().await;

    let spooled = async || spooled(&node).await;
    let full = spooled().await;
    provider.signal.say(&json!({ "type": "remove", "participant": patient.number })).await;
    nurse.signal.say(&json!({ "type": "leave" })).await;
    within_patience("both departures in the spool", async {
        while spooled().await < full + 2.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // Killed as it is: what waits is on its disk, and so is what was taken back.
    drop(node);
    place.shut_nodes_out(false).await;
    let node = place.serve();
    let sent_out = tries_to_come(&node, &tickets[0].token).await;
    assert_eq!(sent_out, Some(("ticket_revoked".into(), 4405)));
    handed_in(&node).await;
    expect_departures(&place, &consult, provider.number, admitted).await;
    place.verify(Some("0 unsealed")).await;
}

async fn handed_in(node: &Node) {
    within_patience("an empty spool", async {
        while spooled(node).await > 0.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// Everybody's going is in the audit log: of who was sent out, of who left, of who was in, and of newcomers.
async fn expect_departures(place: &Place, consult: &str, provider: u32, newcomers: usize) {
    let told = sqlx::query_as::<_, (String, String)>(
        "SELECT detail, actor FROM audit WHERE consult_id = $1 AND action = 'left' ORDER BY nr",
    );
    let mut told = told.bind(consult).fetch_all(&place.raw().await).await.expect("the entries");
    let by = format!("participant:{provider}");
    assert_eq!(told.len(), 3 + newcomers, "{told:?}");
    for (detail, actor) in [("left", "participant"), ("node_lost", "participant"), ("removed", by.as_str())] {
        let at = told.iter().position(|one| (one.0.as_str(), one.1.as_str()) == (detail, actor));
        told.remove(at.unwrap_or_else(|| panic!("{detail} by {actor}: {told:?}")));
    }
}
