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

async fn wait_for(node: &Node, wanted: impl Fn(&Entry) -> bool) {
    for _ in 0..200 {
        if entries(node.data()).await.iter().any(&wanted) {
            return;
        }
        for_ms(50).await;
    }
    panic!("not in {:#?}", entries(node.data()).await);
}

fn now_ms() -> u128 {
    std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()
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
    let (of_ticket, of_device) = (format!("ticket:{}", ticket.id), format!("ticket:{}", device.id));
    let expected = [
        line("consult_created", "granted", "", ""),
        line("ticket_minted", "granted", p, &of_ticket),
        line("joined", "granted", p, "websocket"),
        line("joined", "refused", p, "ticket_in_use"),
        line("left", "granted", p, "left"),
        line("ticket_minted", "granted", d, &of_device),
        line("joined", "granted", d, "whip"),
        line("ticket_revoked", "granted", d, &of_device),
        line("left", "granted", d, "revoked"),
        line("consult_ended", "granted", "", ""),
    ];
    assert_eq!(story(&all, &consult), expected);
    let joined = all.iter().find(|entry| entry.action == "joined").expect("joined");
    assert_eq!((joined.participant, joined.role.as_deref()), (Some(number), Some("patient")));
    let seen: Vec<_> =
        all.iter().filter(|entry| ["joined", "left"].contains(&entry.action.as_str())).collect();
    for entry in &seen {
        assert_eq!(entry.patient.as_deref(), Some(p), "whose visit it was: {entry:?}");
        assert!(entry.address.is_some() && entry.request.is_some(), "from where: {entry:?}");
    }
    assert_eq!(seen[0].request, seen[2].request, "who came by it has left by it");
    assert_ne!(seen[0].request, seen[1].request);
    assert!(seen[2].duration_us > Some(0) && seen[0].duration_us.is_none(), "how long they were there");
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

#[tokio::test(flavor = "multi_thread")]
async fn who_was_here_when_the_node_was_killed_has_left_when_it_starts_again() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let node = Node::dev_in(folder.path());
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let (patient, provider) =
        (back_end.ticket(&consult, PATIENT).await, back_end.ticket(&consult, PROVIDER).await);
    let mut gone = Signal::open(node.address()).await;
    gone.hello(&patient.token).await;
    gone.expect("welcome").await;
    gone.say(&serde_json::json!({ "type": "leave" })).await;
    assert_eq!(gone.expect_close().await, 1000);
    wait_for_last(&node, "left", "granted").await;
    let mut here = Signal::open(node.address()).await;
    here.hello(&provider.token).await;
    here.expect("welcome").await;
    let (p, d) = (back_end.id_of(PATIENT).await, back_end.id_of(PROVIDER).await);
    for_ms(1_500).await;
    drop(node);
    let killed_at = i64::try_from(now_ms()).expect("a time");

    let node = Node::dev_in(folder.path());
    wait_for(&node, |entry| entry.detail.as_deref() == Some("node_lost")).await;
    let all = entries(folder.path()).await;
    let story = story(&all, &consult);
    let expected = [
        line("joined", "granted", &p, "websocket"),
        line("left", "granted", &p, "left"),
        line("joined", "granted", &d, "websocket"),
        line("left", "granted", &d, "node_lost"),
    ];
    assert!(story.ends_with(&expected), "{story:#?}");
    let is_presence = |action: &str| ["joined", "left"].contains(&action);
    let of_provider: Vec<_> =
        all.iter().filter(|e| e.person.as_deref() == Some(&*d) && is_presence(&e.action)).collect();
    let [.., joined, left] = of_provider.as_slice() else { panic!("{of_provider:?}") };
    assert_eq!((&joined.request, joined.participant), (&left.request, left.participant));
    assert!((joined.at_ms..=killed_at).contains(&left.at_ms), "when it was known to live last: {left:?}");
    // Both times are cut to milliseconds, which adds one at most.
    let between_us = (left.at_ms - joined.at_ms) * 1_000;
    let off_us = left.duration_us.map(|us| (us - between_us).abs());
    assert!(off_us.is_some_and(|off| off < 1_000), "{left:?} after {joined:?}");
    drop(node);

    let node = Node::dev_in(folder.path());
    for_ms(2_000).await;
    let again = entries(folder.path()).await;
    assert_eq!(again.iter().filter(|e| e.detail.as_deref() == Some("node_lost")).count(), 1, "once");
    drop(node);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_sent_out_is_gone_and_so_is_their_ticket() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let tickets = [back_end.ticket(&consult, PATIENT).await, back_end.ticket(&consult, PROVIDER).await];
    let mut patient = Participant::join(node.address(), &tickets[0].token, Plan::publisher(1, 1)).await;
    let mut provider = Participant::join(node.address(), &tickets[1].token, Plan::publisher(2, 1)).await;
    provider.expect_publishers(&[patient.number]).await;
    provider.expect_media().await;
    let remove = |number: u32| serde_json::json!({ "type": "remove", "participant": number });
    patient.signal.say(&remove(provider.number)).await;
    assert_eq!(patient.expect("error").await["code"], "forbidden");
    wait_for_last(&node, "remove", "refused").await;
    provider.signal.say(&remove(patient.number)).await;
    assert_eq!(patient.expect("leave").await["reason"], "removed");
    assert_eq!(patient.signal.expect_close().await, 4003);
    provider.expect_publishers(&[]).await;
    wait_for_last(&node, "left", "granted").await;
    let left = entries(node.data()).await.pop().expect("an entry");
    let by = format!("participant:{}", provider.number);
    assert_eq!((left.actor, left.detail.as_deref()), (by, Some("removed")));
    for credential in [("ticket", &tickets[0].token), ("resume_token", &patient.resume_token)] {
        let mut back = Signal::open(node.address()).await;
        back.say(&serde_json::json!({ "type": "hello", credential.0: credential.1 })).await;
        assert_eq!(back.expect_fatal().await, ("ticket_revoked".into(), 4405), "{}", credential.0);
    }
    let revoked = support::audit::revoked_tickets(node.data()).await;
    assert_eq!(revoked, [tickets[0].id.clone()], "the control API knows");
}
