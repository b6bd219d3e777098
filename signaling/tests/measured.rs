//! How connections were is put down for whoever they were of, however they ended.

mod common;

use std::time::Duration;

use common::{Node, transport};
use media_engine::api::{Event, LeaveReason, Quality};
use media_model::Role;
use signaling::{Measured, What};

const QUALITY: Quality = Quality { expected: 5_000, lost: 12, round_trip: Some(Duration::from_millis(40)) };

/// What was put down, and of whose doing.
fn measured(node: &Node) -> Vec<(String, Measured)> {
    let people = node.journal.people().into_iter().map(|(_, person)| person);
    let found = |(person, what)| match what {
        What::Measured(measured) => Some((person, measured)),
        _ => None,
    };
    people.zip(node.journal.calls().into_iter().map(|(what, _)| what)).filter_map(found).collect()
}

#[tokio::test]
async fn who_leaves_and_whose_connection_breaks_has_it_put_down_how_it_was() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let _patient = node.join_with_media("patient", Role::Patient).await;
    node.media.says(Event::Measured(transport(1), QUALITY)).await;
    node.media.says(Event::Left(transport(1), LeaveReason::ConsentExpired)).await;
    node.until("it is put down", |node| measured(node).len() == 1).await;
    // Signaling lets go first and the shard tells afterwards.
    *node.media.measured.lock().expect("not poisoned") = Some(QUALITY);
    doctor.says(r#"{"type":"leave"}"#).await;
    node.until("it is put down", |node| measured(node).len() == 2).await;
    let of = |person: &str, broke| (person.to_owned(), Measured { quality: QUALITY, broke });
    assert_eq!(measured(&node), [of("patient", true), of("doctor", false)]);
}

#[tokio::test]
async fn what_was_never_a_connection_has_nothing_put_down() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    doctor.says(r#"{"type":"leave"}"#).await;
    node.until("they are gone", |node| node.signaling.headcount().participants == 0).await;
    // A shard that speaks of transports nobody knows says nothing of anybody.
    node.media.says(Event::Measured(transport(7), QUALITY)).await;
    node.media.says(Event::Left(transport(7), LeaveReason::ConsentExpired)).await;
    let _next = node.join_with_media("patient", Role::Patient).await;
    assert_eq!(measured(&node), []);
}
