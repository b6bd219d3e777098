//! Which pages may call, and for whom.

mod common;

use common::{Node, OF_CLINIC, OF_OTHER, sdp};
use media_model::Role;
use signaling_protocol::ticket::Ticket;

fn of_clinic(node: &Node, person: &str) -> String {
    let tenant = "clinic".parse().expect("a tenant");
    node.sign(&Ticket { tenant, ..node.claims(person, Role::Patient) })
}

fn refused(node: &Node) -> u64 {
    node.signaling.counters().origins_refused.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_tenants_page_comes_in_with_that_tenants_tickets_and_no_other() {
    let node = Node::start().await;
    let ticket = of_clinic(&node, "patient");
    let mut foreign = node.connect_from(Some(OF_OTHER)).await;
    foreign.hello(&ticket).await;
    assert_eq!(foreign.is_refused("forbidden").await, 4403);
    assert_eq!(refused(&node), 1);
    node.until("that is written down", |node| node.journal.entries() == ["0 Refused(Forbidden)"]).await;
    let mut own = node.connect_from(Some(OF_CLINIC)).await;
    own.hello(&ticket).await;
    let token = own.hears("welcome").await["resume_token"].clone();
    let mut foreign = node.connect_from(Some(OF_OTHER)).await;
    foreign.resume(&token).await;
    assert_eq!(foreign.is_refused("forbidden").await, 4403);
    own.has_noticed_nothing().await;
    let mut again = node.connect_from(Some(OF_CLINIC)).await;
    again.resume(&token).await;
    again.hears("welcome").await;
    assert_eq!(refused(&node), 2);
}

#[tokio::test]
async fn whip_is_answered_to_a_tenants_page_alone_and_its_browser_is_told_so() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", of_clinic(&node, "camera"));
    let post = async |origin: &str| {
        let headers =
            [("content-type", "application/sdp"), ("authorization", bearer.as_str()), ("origin", origin)];
        node.http("POST", "/v1/whip", &headers, &sdp(1, "sendonly")).await
    };
    let stranger = post("https://evil.example").await;
    assert!(stranger.starts_with("HTTP/1.1 403") && stranger.contains("origin_refused"), "{stranger}");
    assert!(!stranger.contains("access-control-allow-origin"), "{stranger}");
    let foreign = post(OF_OTHER).await;
    assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("\"forbidden\""), "{foreign}");
    assert_eq!(refused(&node), 2);
    assert!(node.media.commands().is_empty());
    let own = post(OF_CLINIC).await;
    assert!(own.starts_with("HTTP/1.1 201"), "{own}");
    assert!(own.contains(&format!("access-control-allow-origin: {OF_CLINIC}\r\n")), "{own}");
    let asked = [("origin", OF_CLINIC), ("access-control-request-method", "POST")];
    let preflight = node.http("OPTIONS", "/v1/whip", &asked, "").await;
    assert!(preflight.starts_with("HTTP/1.1 204"), "{preflight}");
    assert!(preflight.contains("access-control-allow-headers: Authorization"), "{preflight}");
}
