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
    for person in [PATIENT, PROVIDER, NURSE, INTERPRETER] {
        tickets.push(back_end.ticket(&consult, person).await);
    }
    let join = async |index: usize| {
        let plan = Plan::publisher(u32::try_from(index).expect("small") + 1, 3);
        Participant::join(node.address(), &tickets[index].token, plan).await
    };
    let (patient, mut provider, mut nurse) = (join(0).await, join(1).await, join(2).await);

    place.shut_nodes_out(true).await;
    // Anybody who has used a ticket can say so again and again.
    let offer = Peer::new(&Plan::publisher(9, 0)).await.offer().await;
    let spooled = async || Metrics::of(node.address()).await.value("consilium_audit_spool_entries");
    let mut before = -1.0;
    while spooled().await > before {
        before = spooled().await;
        for _ in 0..400 {
            let answer = whip::post(node.address(), "/v1/whip", &tickets[0].token, &offer).await;
            assert_eq!(answer.status, 409, "{answer:?}");
        }
        tokio::time::sleep(Duration::from_millis(if before < 1_000.0 { 3_000 } else { 500 })).await;
    }
    // To the last entry: many that come together may find no room where one does.
    loop {
        before = spooled().await;
        let answer = whip::post(node.address(), "/v1/whip", &tickets[0].token, &offer).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        let grows = async {
            while spooled().await <= before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(Duration::from_millis(2_500), grows).await.is_err() {
            break;
        }
    }
    let refused = tries_to_come(&node, &tickets[3].token).await;
    assert_eq!(refused, Some(("internal".into(), 4500)), "nobody comes unseen");
    provider.expect_publishers(&[patient.number, nurse.number]).await;
    provider.expect_media().await;

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
    let node = place.serve();
    let sent_out = tries_to_come(&node, &tickets[0].token).await;
    assert_eq!(sent_out, Some(("ticket_revoked".into(), 4405)));
    place.shut_nodes_out(false).await;
    within_patience("an empty spool", async {
        while Metrics::of(node.address()).await.value("consilium_audit_spool_entries") > 0.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let told = sqlx::query_as::<_, (String, String)>(
        "SELECT detail, actor FROM audit WHERE consult_id = $1 AND action = 'left' ORDER BY nr",
    );
    let mut told = told.bind(&consult).fetch_all(&place.raw().await).await.expect("the entries");
    told.sort();
    let by = format!("participant:{}", provider.number);
    let expected = [("left", "participant"), ("node_lost", "participant"), ("removed", by.as_str())];
    assert_eq!(told, expected.map(|(detail, actor)| (detail.to_owned(), actor.to_owned())));
    place.verify(Some("0 unsealed")).await;
}
