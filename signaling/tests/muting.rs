//! Staff mutes others: who is told, who may not, and what is put down.

mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::{Node, Peer, transport};
use media_engine::api::Event;
use media_model::{ParticipantNumber, Role};

const MUTE_OTHER: &str = r#"{"type":"mute_other","participant":2,"source":"microphone"}"#;
/// What a page says by itself when it has opened its microphone.
const ON: &str = r#"{"type":"mute","source":"microphone","muted":false}"#;
/// What it says when its person, told that number 1 has muted them, wants to speak.
const UNMUTE: &str = r#"{"type":"mute","source":"microphone","muted":false,"muted_by":1}"#;

#[tokio::test]
async fn staff_mutes_others_who_are_told_and_turn_it_on_again_themselves() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let mut patient = node.join_with_media("patient", Role::Patient).await;
    let mut interpreter = node.join_with_media("interpreter", Role::Interpreter).await;
    doctor.says(MUTE_OTHER).await;
    let muted = patient.hears("muted").await;
    assert_eq!((&muted["source"], &muted["by"]), (&"microphone".into(), &1.into()));
    patient.says(UNMUTE).await;
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
    doctor.says(MUTE_OTHER).await;
    node.until("it is muted", |node| node.media.commands().contains(&"mute 1 Microphone true".into())).await;
    // The page lives and goes on with its transport; then it is loaded again.
    for certificate in [1, 2] {
        let mut patient = node.connect().await;
        patient.resume(&welcome["resume_token"]).await;
        welcome = patient.hears("welcome").await;
        patient.offer(certificate).await;
        is_told_before_the_answer(&mut patient).await;
        if certificate == 2 {
            patient.says(UNMUTE).await;
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

#[tokio::test]
async fn who_was_muted_and_loads_the_page_again_is_told_with_the_first_offer_and_only_then() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let mut patient = node.join("patient", Role::Patient).await;
    patient.offer(1).await;
    patient.hears("answer").await;
    doctor.says(MUTE_OTHER).await;
    patient.hears("muted").await;
    // Whether the page has its microphone already or not.
    for (certificate, muted) in [(2, true), (3, false)] {
        let mut again = node.connect().await;
        again.hello(&node.ticket("patient", Role::Patient)).await;
        again.hears("welcome").await;
        again.offer_muted(certificate, muted).await;
        is_told_before_the_answer(&mut again).await;
        again.offer_muted(certificate, true).await;
        again.hears("answer").await;
        again.has_noticed_nothing().await;
        again.offer_muted(certificate, false).await;
        is_told_before_the_answer(&mut again).await;
        patient = again;
    }
    let of_patient = |line: &String| line.contains(" as 2 ") || line.starts_with("renegotiate");
    let agreed: Vec<_> = node.media.commands().into_iter().filter(of_patient).skip(1).collect();
    assert_eq!(agreed.len(), 6);
    assert!(agreed.iter().all(|line| line.ends_with("muted [Microphone]")), "{agreed:?}");
    patient.says(UNMUTE).await;
    node.until("it is on again", |node| node.media.commands().contains(&"mute 3 Microphone false".into()))
        .await;
    let mut again = node.connect().await;
    again.hello(&node.ticket("patient", Role::Patient)).await;
    again.hears("welcome").await;
    again.offer(4).await;
    again.hears("answer").await;
    again.has_noticed_nothing().await;
}

#[tokio::test]
async fn a_page_that_turns_on_by_itself_before_it_has_heard_stays_muted() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let _first = node.join_with_media("patient", Role::Patient).await;
    node.media.says(Event::Connected(transport(1))).await;
    // Loaded again: nobody has taken the first page's media away yet, the new one has no microphone yet.
    let mut patient = node.join("patient", Role::Patient).await;
    patient.offer_muted(2, true).await;
    patient.hears("answer").await;
    doctor.says(MUTE_OTHER).await;
    node.until("it is muted", |node| node.media.commands().contains(&"mute 2 Microphone true".into())).await;
    // It crosses with what the page is told.
    patient.says(ON).await;
    for _ in 0..2 {
        assert_eq!(patient.hears("muted").await["by"], 1, "once when it was done, once as the answer");
    }
    // Another's mute than the one that holds is not what the person was told of either.
    patient.says(&UNMUTE.replace('1', "3")).await;
    patient.hears("muted").await;
    let is_on = |line: &String| line.ends_with("Microphone false");
    assert!(!node.media.commands().iter().any(is_on), "{:?}", node.media.commands());
    patient.says(UNMUTE).await;
    node.until("it is on again", |node| node.media.commands().iter().any(is_on)).await;
    // From now on it is as if nobody had muted it.
    patient.says(&ON.replace("false", "true")).await;
    patient.says(ON).await;
    patient.has_noticed_nothing().await;
    assert_eq!(
        node.media.commands().iter().filter(|line| is_on(line)).count(),
        4,
        "of both transports, twice"
    );
}

#[tokio::test]
async fn a_camera_is_told_of_likewise_and_each_source_is_turned_on_for_itself() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let mut patient = node.join("patient", Role::Patient).await;
    patient.offer_both(1, false).await;
    patient.hears("answer").await;
    for source in ["microphone", "camera"] {
        doctor.says(&MUTE_OTHER.replace("microphone", source)).await;
        assert_eq!(patient.hears("muted").await["source"], source);
    }
    let mut patient = node.join("patient", Role::Patient).await;
    patient.offer_both(2, true).await;
    let told = [patient.hears("muted").await, patient.hears("muted").await];
    patient.hears("answer").await;
    assert_eq!(told.map(|muted| muted["source"].clone()), ["microphone", "camera"]);
    patient.says(&UNMUTE.replace("microphone", "camera")).await;
    patient.says(ON).await;
    assert_eq!(patient.hears("muted").await["source"], "microphone");
    let on: Vec<_> = node.media.commands().into_iter().filter(|line| line.ends_with("false")).collect();
    assert_eq!(on, ["mute 2 Camera false"]);
}

/// `muted`, and only then the answer: a page that has its microphone turns it on once it is answered.
async fn is_told_before_the_answer(patient: &mut Peer) {
    let muted = patient.hears("muted").await;
    assert_eq!((&muted["source"], &muted["by"]), (&"microphone".into(), &1.into()));
    patient.hears("answer").await;
}
