//! Who was given a ticket, who came, who was turned away and who left stands in the audit table.

mod support;

use support::{
    audit::{Entry, entries},
    control::{BackEnd, PATIENT, PROVIDER},
    for_ms,
    node::Node,
    participant::Participant,
    peer::Plan,
    signal::Signal,
    whip::Session,
};

/// The entries of a consult as (action, outcome, person, detail).
fn story(entries: &[Entry], consult: &str) -> Vec<(String, String, String, String)> {
    let of_consult = entries.iter().filter(|entry| entry.consult.as_deref() == Some(consult));
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    of_consult.map(|e| (e.action.clone(), e.outcome.clone(), text(&e.person), text(&e.detail))).collect()
}

fn line(action: &str, outcome: &str, person: &str, detail: &str) -> (String, String, String, String) {
    (action.into(), outcome.into(), person.into(), detail.into())
}

/// Waits until the newest entry is this one: departures are written soon, not at once.
async fn wait_for_last(node: &Node, action: &str, outcome: &str) {
    for _ in 0..200 {
        let last = entries(node.data()).await.pop();
        if last.is_some_and(|entry| entry.action == action && entry.outcome == outcome) {
            return;
        }
        for_ms(50).await;
    }
    panic!("no {action} {outcome} at the end of {:#?}", entries(node.data()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_coming_and_going_is_kept_in_order() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let ticket = back_end.ticket(&consult, PATIENT).await;
    let patient = Participant::join(node.address(), &ticket.token, Plan::publisher(1, 1)).await;
    let number = i64::from(patient.number);
    let mut second = Signal::open(node.address()).await;
    second.hello(&ticket.token).await;
    assert_eq!(second.expect_fatal().await, ("ticket_in_use".into(), 4409));
    wait_for_last(&node, "joined", "refused").await;
    patient.leave().await;
    wait_for_last(&node, "left", "granted").await;

    let device = back_end.ticket(&consult, PROVIDER).await;
    let _session = Session::publish(node.address(), &device.token, 2).await;
    back_end.revoke(&consult, &device).await;
    wait_for_last(&node, "left", "granted").await;
    back_end.end(&consult).await;

    let all = entries(node.data()).await;
    let (p, d) = (back_end.id_of(PATIENT).await, back_end.id_of(PROVIDER).await);
    let (p, d) = (p.as_str(), d.as_str());
    let expected = [
        line("consult_created", "granted", "", ""),
        line("ticket_minted", "granted", p, ""),
        line("joined", "granted", p, "websocket"),
        line("joined", "refused", "", "ticket_in_use"),
        line("left", "granted", p, "left"),
        line("ticket_minted", "granted", d, ""),
        line("joined", "granted", d, "whip"),
        line("ticket_revoked", "granted", "", ""),
        line("left", "granted", d, "revoked"),
        line("consult_ended", "granted", "", ""),
    ];
    assert_eq!(story(&all, &consult), expected);
    let joined = all.iter().find(|entry| entry.action == "joined").expect("joined");
    assert_eq!((joined.participant, joined.role.as_deref()), (Some(number), Some("patient")));
    let minted = all.iter().find(|entry| entry.action == "ticket_minted").expect("minted");
    assert!(minted.actor.starts_with("api_client:dev-"), "{minted:?}");
    let text = format!("{all:?}");
    assert!(!text.contains("Testname") && !text.contains("eyJ"), "no names, no tickets");
    assert!(!text.contains(PATIENT.id) && !text.contains(PROVIDER.id), "no ids of the EHR's");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_here_when_the_node_goes_down_has_left() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let node = Node::dev_in(folder.path());
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let ticket = back_end.ticket(&consult, PATIENT).await;
    let _patient = Participant::join(node.address(), &ticket.token, Plan::publisher(1, 1)).await;
    let patient = back_end.id_of(PATIENT).await;
    assert!(node.stop().status.success());
    let story = story(&entries(folder.path()).await, &consult);
    assert_eq!(story.last(), Some(&line("left", "granted", &patient, "shutdown")), "{story:?}");
}
