//! How connections were is put down for whoever they were of, however they ended.

mod common;

use std::time::Duration;

use common::{Node, transport};
use media_engine::api::{Event, LeaveReason, Quality};
use media_model::Role;
use signaling::Measured;

const QUALITY: Quality = Quality { expected: 5_000, lost: 12, round_trip: Some(Duration::from_millis(40)) };

#[tokio::test]
async fn who_leaves_and_whose_connection_breaks_has_it_put_down_how_it_was() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let _patient = node.join_with_media("patient", Role::Patient).await;
    node.media.says(Event::Measured(transport(1), QUALITY)).await;
    node.media.says(Event::Left(transport(1), LeaveReason::ConsentExpired)).await;
    node.until("it is put down", |node| node.journal.measured().len() == 1).await;
    // Signaling lets go first and the shard tells afterwards.
    *node.media.measured.lock().expect("not poisoned") = Some(QUALITY);
    doctor.says(r#"{"type":"leave"}"#).await;
    node.until("it is put down", |node| node.journal.measured().len() == 2).await;
    let of = |person: &str, broke| (person.to_owned(), Measured { quality: QUALITY, broke });
    assert_eq!(node.journal.measured(), [of("patient", true), of("doctor", false)]);
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
    assert_eq!(node.journal.measured(), []);
}

#[tokio::test]
async fn a_line_that_does_not_come_back_and_a_page_that_is_loaded_again_count_as_broken() {
    let node = Node::start().await;
    *node.media.measured.lock().expect("not poisoned") = Some(QUALITY);
    let mut doctor = node.connect().await;
    doctor.hello(&node.sign(&node.claims("doctor", Role::Provider))).await;
    let token = doctor.hears("welcome").await["resume_token"].clone();
    doctor.offer(1).await;
    doctor.hears("answer").await;
    node.media.says(Event::Connected(transport(0))).await;
    drop(doctor);
    // Another page: its transport supersedes the one that still stands.
    let mut again = node.connect().await;
    again.resume(&token).await;
    again.hears("welcome").await;
    again.offer(2).await;
    again.hears("answer").await;
    node.media.says(Event::Connected(transport(1))).await;
    node.until("it is put down", |node| node.journal.measured().len() == 1).await;
    assert_eq!(node.journal.measured(), [("doctor".to_owned(), Measured { quality: QUALITY, broke: true })]);
    again.says(r#"{"type":"leave"}"#).await;
    node.until("it is put down", |node| node.journal.measured().len() == 2).await;
    assert!(!node.journal.measured()[1].1.broke, "who leaves means to");
}
