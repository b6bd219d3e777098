//! Lines of chat: kept first, in order, and then passed on; whatever becomes of them, nothing else waits.

mod common;

use std::sync::{Arc, atomic::Ordering::SeqCst};

use common::{Node, Peer};
use media_model::{Pii, Role};
use serde_json::json;
use signaling_protocol::server::LineId;
use tokio::sync::Semaphore;

async fn write(peer: &mut Peer, text: &str) {
    peer.says(&json!({"type": "chat", "text": text}).to_string()).await;
}

/// The error that leaves the connection open.
async fn objects(peer: &mut Peer) -> String {
    let error = peer.hears("error").await;
    assert_eq!(error["fatal"], false, "{error}");
    error["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn a_line_that_cannot_be_kept_reaches_nobody_and_its_author_is_told() {
    let node = Node::start().await;
    let mut doctor = node.join("doctor", Role::Provider).await;
    let mut patient = node.join("patient", Role::Patient).await;
    node.journal.is_down.store(true, SeqCst);
    write(&mut patient, "lost").await;
    assert_eq!(objects(&mut patient).await, "chat_not_kept");
    node.journal.is_down.store(false, SeqCst);
    write(&mut patient, "kept").await;
    for peer in [&mut doctor, &mut patient] {
        assert_eq!(peer.hears("chat").await["text"], "kept", "and nothing before it");
    }
    assert_eq!(node.journal.lines(), ["2 kept"]);
    assert_eq!(node.signaling.counters().chat_lines.load(SeqCst), 1);
}

#[tokio::test]
async fn while_lines_wait_to_be_kept_everything_else_goes_on_and_their_order_stays() {
    let node = Node::start().await;
    let mut doctor = node.join("doctor", Role::Provider).await;
    let mut patient = node.join_with_media("patient", Role::Patient).await;
    let mut nurse = node.join("nurse", Role::Nurse).await;
    let gate = Arc::new(Semaphore::new(0));
    *node.journal.lines_may_pass.lock().expect("not poisoned") = Some(Arc::clone(&gate));
    for line in 0..9 {
        write(&mut patient, &format!("line {line}")).await;
    }
    assert_eq!(objects(&mut patient).await, "chat_busy", "of one person eight wait at most");
    write(&mut doctor, "and mine").await;
    // Muting, joining and leaving do not stand behind them.
    patient.says(r#"{"type":"mute","source":"microphone","muted":true}"#).await;
    node.until("the mute arrives", |node| node.media.commands().contains(&"mute 0 Microphone true".into()))
        .await;
    node.join("interpreter", Role::Interpreter).await;
    nurse.says(r#"{"type":"leave"}"#).await;
    assert_eq!(nurse.is_closed().await, 1000);
    node.until("the departure is kept", |node| node.journal.entries().iter().any(|e| e == "3 Left(Left)"))
        .await;
    assert!(node.journal.lines().is_empty());
    gate.add_permits(100);
    for peer in [&mut doctor, &mut patient] {
        for line in 0..8 {
            assert_eq!(peer.hears("chat").await["text"], format!("line {line}"));
        }
        assert_eq!(peer.hears("chat").await["text"], "and mine");
    }
    assert_eq!(node.journal.lines().len(), 9);
}

#[tokio::test]
async fn who_only_watches_reads_and_does_not_write() {
    let node = Node::start().await;
    let mut student = node.join("student", Role::Observer).await;
    let mut patient = node.join("patient", Role::Patient).await;
    write(&mut student, "may I?").await;
    for _ in 0..3 {
        assert_eq!(objects(&mut student).await, "forbidden");
        write(&mut student, "and now?").await;
    }
    assert_eq!(objects(&mut student).await, "forbidden");
    let is_noted = |entry: &String| entry == "1 Forbade(Chat, 1)";
    node.until("it is put down", |node| node.journal.entries().iter().any(is_noted)).await;
    write(&mut patient, "hello").await;
    assert_eq!(student.hears("chat").await["text"], "hello");
    assert_eq!(node.journal.lines(), ["2 hello"]);
    let noted = node.journal.entries().iter().filter(|entry| is_noted(entry)).count();
    assert_eq!(noted, 1, "once in a while, however often it is tried");
}

#[tokio::test]
async fn who_waits_neither_writes_nor_reads() {
    let node = Node::start().await;
    let mut doctor = node.join("doctor", Role::Provider).await;
    let mut patient = node.connect().await;
    let ticket = signaling_protocol::ticket::Ticket { waits: true, ..node.claims("patient", Role::Patient) };
    patient.hello(&node.sign(&ticket)).await;
    patient.hears("waiting").await;
    doctor.hears("lobby").await;
    write(&mut doctor, "about the patient").await;
    doctor.hears("chat").await;
    write(&mut patient, "hello").await;
    assert_eq!(patient.is_refused("message_unexpected").await, 4406);
    assert_eq!(node.journal.lines(), ["1 about the patient"]);
}

#[tokio::test]
async fn a_line_that_was_written_elsewhere_is_passed_on_under_the_number_of_who_has_come() {
    let node = Node::start().await;
    let mut doctor = node.join("doctor", Role::Provider).await;
    let (text, at) = (Pii::new("by the portal".to_owned()), std::time::UNIX_EPOCH);
    for (person, line) in [("stranger", 7), ("doctor", 8)] {
        let (line, person) = (LineId::from_bytes([line; 16]), Pii::new(person.to_owned()));
        node.signaling.pass_on_chat(common::CONSULT, line, &person, &text, at);
    }
    let chat = doctor.hears("chat").await;
    assert_eq!(
        (&chat["id"], &chat["from"], &chat["text"], &chat["at_ms"]),
        (&"08".repeat(16).into(), &1.into(), &"by the portal".into(), &0.into())
    );
}
