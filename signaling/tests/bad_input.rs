//! Whatever a client does wrong gets its own code, and the others notice nothing.

mod common;

use common::{Node, unix_s};
use media_model::Role;
use signaling_protocol::error::ErrorCode;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_wrong_an_expired_and_a_revoked_ticket_are_told_apart() {
    let node = Node::start().await;
    let mut bystander = node.join("doctor", Role::Provider).await;
    let expired = node.sign(&signaling_protocol::ticket::Ticket {
        issued_at_unix_s: unix_s() - 900,
        expires_at_unix_s: unix_s() - 300,
        ..node.claims("patient", Role::Patient)
    });
    let revoked = node.claims("patient", Role::Patient);
    node.signaling.revoke_ticket(revoked.id);
    for (ticket, code) in [
        ("rubbish".to_owned(), ErrorCode::TicketInvalid),
        (expired, ErrorCode::TicketExpired),
        (node.sign(&revoked), ErrorCode::TicketRevoked),
    ] {
        let mut peer = node.connect().await;
        peer.hello(&ticket).await;
        assert_eq!(peer.is_refused(code.as_str()).await, code.close_code());
    }
    bystander.has_noticed_nothing().await;
    assert_eq!(node.signaling.headcount().participants, 1);
    let counted = node.signaling.counters().errors().filter(|(_, count)| *count == 1).count();
    assert_eq!(counted, 3);
}

#[tokio::test]
async fn messages_that_make_no_sense_end_the_connection_that_sent_them() {
    let node = Node::start().await;
    let mut bystander = node.join("doctor", Role::Provider).await;
    let large = "x".repeat(300 * 1024);
    for (text, code) in [
        ("{not json", ErrorCode::MessageMalformed),
        (r#"{"type":"dance"}"#, ErrorCode::MessageUnknown),
        (r#"{"type":"offer","sdp":"v=0"}"#, ErrorCode::MessageUnexpected),
        (large.as_str(), ErrorCode::MessageTooLarge),
    ] {
        let mut peer = node.connect().await;
        peer.says(text).await;
        assert_eq!(peer.is_refused(code.as_str()).await, code.close_code());
    }
    let mut peer = node.connect().await;
    peer.sends(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(peer.is_refused("message_malformed").await, 4400);
    bystander.has_noticed_nothing().await;
}

#[tokio::test]
async fn an_offer_that_is_no_sdp_ends_a_connection_without_media_only() {
    let node = Node::start().await;
    let bad = r#"{"type":"offer","sdp":"hello"}"#;
    let mut fresh = node.join("patient", Role::Patient).await;
    fresh.says(bad).await;
    assert_eq!(fresh.is_refused("offer_invalid").await, 4422);
    let mut running = node.join_with_media("doctor", Role::Provider).await;
    running.says(bad).await;
    let error = running.hears("error").await;
    assert_eq!((error["code"].as_str(), error["fatal"].as_bool()), (Some("offer_invalid"), Some(false)));
    running.has_noticed_nothing().await;
    assert_eq!(node.media.commands(), ["join 0 as 2 admitted true"]);
}

#[tokio::test]
async fn a_flood_ends_the_connection_and_reaches_nobody_for_long() {
    let node = Node::start().await;
    let mut bystander = node.join("doctor", Role::Provider).await;
    let mut flood = node.join("patient", Role::Patient).await;
    for _ in 0..200 {
        flood.says(r#"{"type":"mute","source":"camera","muted":true}"#).await;
    }
    assert_eq!(flood.is_refused("too_many_messages").await, 4429);
    bystander.has_noticed_nothing().await;
}

#[tokio::test]
async fn a_second_tab_with_the_same_ticket_is_refused_and_the_first_stays() {
    let node = Node::start().await;
    let ticket = node.ticket("patient", Role::Patient);
    let mut first = node.connect().await;
    first.hello(&ticket).await;
    first.hears("welcome").await;
    let mut second = node.connect().await;
    second.hello(&ticket).await;
    assert_eq!(second.is_refused("ticket_in_use").await, 4409);
    first.has_noticed_nothing().await;
}

#[tokio::test]
async fn nobody_comes_in_unwritten() {
    let node = Node::start().await;
    let ticket = node.ticket("patient", Role::Patient);
    node.journal.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut peer = node.connect().await;
    peer.hello(&ticket).await;
    assert_eq!(peer.is_refused("internal").await, 4500);
    assert_eq!(node.signaling.headcount().participants, 0);
    node.journal.is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    let mut again = node.connect().await;
    again.hello(&ticket).await;
    again.hears("welcome").await;
    assert_eq!(node.journal.entries(), ["1 Joined(WebSocket)"]);
}

#[tokio::test]
async fn a_page_of_another_origin_and_another_subprotocol_are_turned_away() {
    let node = Node::start().await;
    let upgrade = [
        ("connection", "close, upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let foreign = [&upgrade[..], &[("origin", "https://evil.example")]].concat();
    let response = node.http("GET", "/v1/signal", &foreign, "").await;
    assert!(response.starts_with("HTTP/1.1 403") && response.contains("origin_refused"), "{response}");
    let response = node.http("GET", "/v1/signal", &upgrade, "").await;
    assert!(response.starts_with("HTTP/1.1 400") && response.contains("subprotocol_missing"), "{response}");
}
