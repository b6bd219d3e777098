//! What whoever is welcomed gets for the control API.

mod common;

use common::{CONSULT, Node, Peer};
use media_model::{BreakGlassId, Role};
use serde_json::Value;
use signaling_protocol::ticket::{Glass, Ticket};

/// Comes in with a ticket; what they are welcomed with.
async fn welcomed(node: &Node, ticket: &Ticket) -> (Peer, Value) {
    let mut peer = node.connect().await;
    peer.hello(&node.sign(ticket)).await;
    let welcome = peer.hears("welcome").await;
    (peer, welcome)
}

#[tokio::test]
async fn whoever_is_welcomed_gets_a_token_that_names_their_visit_and_their_ticket_also_when_they_come_back() {
    let node = Node::start().await;
    let ticket = node.claims("patient", Role::Patient);
    let expected = format!("{} {CONSULT} {} patient patient", ticket.tenant, ticket.id);
    let (_peer, welcome) = welcomed(&node, &ticket).await;
    assert_eq!(welcome["api_token"], expected);
    let mut again = node.connect().await;
    again.resume(&welcome["resume_token"]).await;
    assert_eq!(
        again.hears("welcome").await["api_token"],
        expected,
        "the ticket that they came in with first"
    );
}

#[tokio::test]
async fn nobody_gets_one_who_waits_whom_the_control_api_does_not_know_or_who_broke_a_glass() {
    let node = Node::start().await;
    let (_doctor, _) = welcomed(&node, &node.claims("doctor", Role::Provider)).await;
    let mut peer = node.connect().await;
    let waits = Ticket { waits: true, ..node.claims("patient", Role::Patient) };
    peer.hello(&node.sign(&waits)).await;
    assert_eq!(peer.hears("waiting").await.get("api_token"), None);
    let (_peer, welcome) = welcomed(&node, &node.claims("made-up", Role::Observer)).await;
    assert_eq!(welcome.get("api_token"), None);
    let glass = Glass { id: BreakGlassId::from_bytes([7; 16]), until_unix_s: u64::MAX };
    let broken = Ticket { break_glass: Some(glass), ..node.claims("nurse", Role::Nurse) };
    let (_peer, welcome) = welcomed(&node, &broken).await;
    assert_eq!(welcome.get("api_token"), None);
}
