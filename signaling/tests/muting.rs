//! Staff mutes others: who is told, who may not, and what is put down.

mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::Node;
use media_model::{ParticipantNumber, Role};

#[tokio::test]
async fn staff_mutes_others_who_are_told_and_turn_it_on_again_themselves() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let mut patient = node.join_with_media("patient", Role::Patient).await;
    let mut interpreter = node.join_with_media("interpreter", Role::Interpreter).await;
    doctor.says(r#"{"type":"mute_other","participant":2,"source":"microphone"}"#).await;
    let muted = patient.hears("muted").await;
    assert_eq!((&muted["source"], &muted["by"]), (&"microphone".into(), &1.into()));
    patient.says(r#"{"type":"mute","source":"microphone","muted":false}"#).await;
    let is_unmuted = |node: &Node| node.media.commands().contains(&"mute 1 Microphone false".into());
    node.until("it is on again", is_unmuted).await;
    // What nobody publishes and who is not there cannot be muted, which is no fault of anybody's.
    doctor.says(r#"{"type":"mute_other","participant":2,"source":"screen"}"#).await;
    doctor.says(r#"{"type":"mute_other","participant":9,"source":"microphone"}"#).await;
    for (who, whom) in [(&mut interpreter, 2), (&mut patient, 1), (&mut doctor, 1)] {
        who.says(&format!(r#"{{"type":"mute_other","participant":{whom},"source":"microphone"}}"#)).await;
        assert_eq!(who.hears("error").await["code"], "forbidden", "nor does anybody mute themselves so");
    }
    let mutes = |line: &String| line.starts_with("mute");
    let told: Vec<_> = node.media.commands().into_iter().filter(mutes).collect();
    assert_eq!(told, ["mute 1 Microphone true", "mute 1 Microphone false"]);
    node.until("it is put down", |node| node.journal.entries().len() >= 7).await;
    let entries: Vec<_> = node.journal.entries().into_iter().filter(|entry| entry.contains("Mut")).collect();
    let muted =
        format!("2 Muted {{ by: {:?}, source: Microphone }}", ParticipantNumber::new(1).expect("not zero"));
    assert_eq!(entries[0], muted);
    assert_eq!(entries[1..], [3, 2, 1].map(|who| format!("{who} Forbade(Muting, 1)")));
}

#[tokio::test]
async fn nobody_is_muted_of_whom_it_cannot_be_written_down() {
    let node = Node::start().await;
    let mut nurse = node.join("nurse", Role::Nurse).await;
    let _patient = node.join_with_media("patient", Role::Patient).await;
    node.journal.is_down.store(true, SeqCst);
    nurse.says(r#"{"type":"mute_other","participant":2,"source":"microphone"}"#).await;
    let error = nurse.hears("error").await;
    assert_eq!((&error["code"], &error["fatal"]), (&"internal".into(), &false.into()));
    assert!(!node.media.commands().iter().any(|command| command.starts_with("mute")));
}

#[tokio::test]
async fn who_was_muted_while_the_line_was_broken_comes_back_muted_and_is_told() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let mut patient = node.connect().await;
    patient.hello(&node.ticket("patient", Role::Patient)).await;
    let mut welcome = patient.hears("welcome").await;
    patient.offer(1).await;
    patient.hears("answer").await;
    drop(patient);
    doctor.says(r#"{"type":"mute_other","participant":2,"source":"microphone"}"#).await;
    node.until("it is muted", |node| node.media.commands().contains(&"mute 1 Microphone true".into())).await;
    // The page lives and goes on with its transport; then it is loaded again.
    for certificate in [1, 2] {
        let mut patient = node.connect().await;
        patient.resume(&welcome["resume_token"]).await;
        welcome = patient.hears("welcome").await;
        patient.offer(certificate).await;
        let heard = [patient.hears_any().await, patient.hears_any().await];
        let muted = heard.iter().find(|heard| heard["type"] == "muted").expect("told");
        assert_eq!((&muted["source"], &muted["by"]), (&"microphone".into(), &1.into()));
        assert!(heard.iter().any(|heard| heard["type"] == "answer"));
        if certificate == 2 {
            patient.says(r#"{"type":"mute","source":"microphone","muted":false}"#).await;
            node.until("it is on again", |node| {
                node.media.commands().contains(&"mute 2 Microphone false".into())
            })
            .await;
            patient.offer(certificate).await;
            patient.hears("answer").await;
        }
    }
    let of_patient = |line: &String| line.contains("muted") || line.starts_with("renegotiate");
    let told: Vec<_> = node.media.commands().into_iter().filter(of_patient).collect();
    let expected = [
        "renegotiate 1 ice false muted [Microphone]",
        "join 2 as 2 admitted true muted [Microphone]",
        "renegotiate 2 ice false",
    ];
    assert_eq!(told, expected);
}
