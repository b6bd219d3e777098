//! What people of one consult see of each other.

mod common;

use common::{Node, transport};
use media_engine::api::{Event, Layout, LeaveReason, Presence, ReofferReason, SlotAssignment};
use media_model::{ParticipantNumber, Role, SlotIndex, SlotPool, Source};

fn number(number: u32) -> ParticipantNumber {
    ParticipantNumber::new(number).expect("not zero")
}

#[tokio::test]
async fn layouts_carry_names_and_chat_reaches_everyone() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let mut patient = node.join_with_media("patient", Role::Patient).await;
    let slot = SlotIndex { pool: SlotPool::Camera, index: 0 };
    node.media
        .says(Event::Layout(Layout {
            transport: transport(0),
            revision: 1,
            slots: vec![SlotAssignment { slot, publisher: number(2) }],
            participants: vec![Presence { participant: number(2), live: vec![Source::Camera] }],
        }))
        .await;
    let layout = doctor.hears("layout").await;
    assert_eq!(layout["participants"][0]["display_name"], "patient's name");
    assert_eq!(layout["participants"][0]["role"], "patient");
    assert_eq!((&layout["slots"][0]["publisher"], &layout["revision"]), (&2.into(), &1.into()));
    assert_eq!(
        layout["slots"][0]["tracks"],
        serde_json::json!(["microphone"]),
        "published, though no camera is"
    );
    patient.says(r#"{"type":"chat","text":"good morning"}"#).await;
    for peer in [&mut doctor, &mut patient] {
        let chat = peer.hears("chat").await;
        assert_eq!((&chat["from"], &chat["text"]), (&2.into(), &"good morning".into()));
    }
    // Nothing is published from the screen: there is nothing to mute.
    patient.says(r#"{"type":"mute","source":"screen","muted":true}"#).await;
    patient.says(r#"{"type":"mute","source":"microphone","muted":true}"#).await;
    node.until("the mute arrives", |node| node.media.commands().contains(&"mute 1 Microphone true".into()))
        .await;
    assert!(!node.media.commands().iter().any(|command| command.contains("Screen")));
}

#[tokio::test]
async fn whoever_waits_has_no_media_and_no_chat_until_staff_admits_them() {
    let node = Node::start().await;
    let mut doctor = node.join("doctor", Role::Provider).await;
    let mut interpreter = node.join("interpreter", Role::Interpreter).await;
    let mut patient = node.connect().await;
    let ticket = signaling_protocol::ticket::Ticket { waits: true, ..node.claims("patient", Role::Patient) };
    patient.hello(&node.sign(&ticket)).await;
    patient.hears("waiting").await;
    let lobby = doctor.hears("lobby").await;
    assert_eq!(lobby["waiting"][0]["display_name"], "patient's name");
    interpreter.says(r#"{"type":"admit","participant":3}"#).await;
    assert_eq!(interpreter.hears("error").await["code"], "forbidden");
    interpreter.has_noticed_nothing().await;
    doctor.hears("chat").await;
    assert!(node.media.commands().is_empty());
    doctor.says(r#"{"type":"admit","participant":3}"#).await;
    assert_eq!(doctor.hears("lobby").await["waiting"], serde_json::json!([]));
    assert_eq!(patient.hears("welcome").await["participant"], 3);
    patient.offer(1).await;
    patient.hears("answer").await;
    assert_eq!(node.media.commands(), ["join 0 as 3 admitted true"]);
    let admitted = format!("3 {:?}", signaling::What::Admitted { by: number(1) });
    let refused = format!("2 {:?}", signaling::What::Forbade(signaling::Forbidden::Admission, 1));
    let entries = node.journal.entries();
    assert!(entries.ends_with(&["3 Waited".into(), refused, admitted]), "{entries:?}");
}

#[tokio::test]
async fn whoever_gives_up_waiting_may_come_again_with_the_same_ticket() {
    let node = Node::start().await;
    let ticket = signaling_protocol::ticket::Ticket { waits: true, ..node.claims("patient", Role::Patient) };
    for _ in 0..2 {
        let mut patient = node.connect().await;
        patient.hello(&node.sign(&ticket)).await;
        patient.hears("waiting").await;
        drop(patient);
        node.until("the lobby is empty", |node| node.signaling.headcount().waiting == 0).await;
    }
    assert_eq!(node.signaling.headcount().participants, 0);
}

#[tokio::test]
async fn a_ticket_that_names_another_node_opens_here_too() {
    let node = Node::start().await;
    let claims = node.claims("patient", Role::Patient);
    let ticket = signaling_protocol::ticket::Ticket { node: Some("another".into()), ..claims };
    let mut patient = node.connect().await;
    patient.hello(&node.sign(&ticket)).await;
    assert_eq!(patient.hears("welcome").await["type"], "welcome");
}

#[tokio::test]
async fn a_resume_token_supersedes_the_earlier_connection_and_works_once() {
    let node = Node::start().await;
    let mut first = node.connect().await;
    first.hello(&node.ticket("patient", Role::Patient)).await;
    let welcome = first.hears("welcome").await;
    first.offer(1).await;
    first.hears("answer").await;
    let mut second = node.connect().await;
    second.resume(&welcome["resume_token"]).await;
    let resumed = second.hears("welcome").await;
    assert_eq!(resumed["participant"], welcome["participant"]);
    assert_eq!(first.hears("leave").await["reason"], "replaced");
    assert_eq!(first.is_closed().await, 4001);
    second.has_noticed_nothing().await;
    let mut thief = node.connect().await;
    thief.resume(&welcome["resume_token"]).await;
    assert_eq!(thief.is_refused("ticket_in_use").await, 4409);
    second.has_noticed_nothing().await;
    assert_eq!(node.journal.entries().len(), 2, "joined once, refused once: {:?}", node.journal.entries());
}

#[tokio::test]
async fn a_welcome_that_is_lost_locks_nobody_out() {
    let node = Node::start().await;
    let ticket = node.ticket("patient", Role::Patient);
    let mut lost = node.connect().await;
    lost.hello(&ticket).await;
    lost.hears("welcome").await;
    let mut other = node.connect().await;
    other.hello(&ticket).await;
    other.is_refused("ticket_in_use").await;
    drop(lost);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let mut first = node.connect().await;
    first.hello(&ticket).await;
    let welcome = first.hears("welcome").await;
    first.has_noticed_nothing().await;
    for _ in 0..2 {
        let mut lost = node.connect().await;
        lost.resume(&welcome["resume_token"]).await;
        lost.hears("welcome").await;
    }
    let mut back = node.connect().await;
    back.resume(&welcome["resume_token"]).await;
    back.hears("welcome").await;
    back.offer(1).await;
    back.hears("answer").await;
    for late in [true, false] {
        let mut peer = node.connect().await;
        if late {
            peer.resume(&welcome["resume_token"]).await;
        } else {
            peer.hello(&ticket).await;
        }
        assert_eq!(peer.is_refused("ticket_in_use").await, 4409, "used up by the offer");
    }
}

#[tokio::test]
async fn a_journal_that_fails_locks_nobody_out() {
    let node = Node::start().await;
    let mut doctor = node.connect().await;
    doctor.hello(&node.ticket("doctor", Role::Provider)).await;
    let welcome = doctor.hears("welcome").await;
    doctor.says(r#"{"type":"leave"}"#).await;
    doctor.is_closed().await;
    node.journal.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut doctor = node.connect().await;
    doctor.resume(&welcome["resume_token"]).await;
    doctor.is_refused("internal").await;
    node.journal.is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    let mut doctor = node.connect().await;
    doctor.resume(&welcome["resume_token"]).await;
    doctor.hears("welcome").await;

    let ticket = signaling_protocol::ticket::Ticket { waits: true, ..node.claims("patient", Role::Patient) };
    let ticket = node.sign(&ticket);
    for is_down in [true, false] {
        let mut patient = node.connect().await;
        patient.hello(&ticket).await;
        patient.hears("waiting").await;
        doctor.hears("lobby").await;
        node.journal.is_down.store(is_down, std::sync::atomic::Ordering::SeqCst);
        doctor.says(r#"{"type":"admit","participant":2}"#).await;
        doctor.hears("lobby").await;
        if is_down {
            patient.is_refused("internal").await;
            assert_eq!(node.signaling.headcount().participants, 1, "not let in without an entry");
        } else {
            patient.hears("welcome").await;
        }
        node.journal.is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_reloaded_page_takes_over_once_its_media_is_connected() {
    let node = Node::start().await;
    let mut peer = node.join_with_media("patient", Role::Patient).await;
    node.media.says(Event::Connected(transport(0))).await;
    node.media.says(Event::ReofferNeeded(transport(0), ReofferReason::Codec)).await;
    assert_eq!(peer.hears("reoffer").await["reason"], "codec");
    peer.offer(2).await;
    peer.hears("answer").await;
    node.media.says(Event::Connected(transport(1))).await;
    node.until("the old one leaves", |node| node.media.commands().last() == Some(&"leave 0".into())).await;
    let expected = ["join 0 as 1 admitted true", "join 1 as 1 admitted true", "leave 0"];
    assert_eq!(node.media.commands(), expected);
}

#[tokio::test]
async fn a_broken_websocket_alone_keeps_the_transport() {
    let node = Node::start().await;
    let mut first = node.connect().await;
    first.hello(&node.ticket("patient", Role::Patient)).await;
    let welcome = first.hears("welcome").await;
    first.offer(1).await;
    first.hears("answer").await;
    let participants = vec![Presence { participant: number(1), live: vec![Source::Microphone] }];
    let layout = Layout { transport: transport(0), revision: 7, slots: Vec::new(), participants };
    node.media.says(Event::Layout(layout)).await;
    first.hears("layout").await;
    drop(first);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let mut second = node.connect().await;
    second.resume(&welcome["resume_token"]).await;
    second.hears("welcome").await;
    for has_seen_it in [false, true] {
        second.offer(1).await;
        second.hears("answer").await;
        if !has_seen_it {
            let layout = second.hears("layout").await;
            assert_eq!(
                (&layout["revision"], &layout["participants"][0]["participant"]),
                (&7.into(), &1.into())
            );
        }
    }
    second.has_noticed_nothing().await;
    let again = "renegotiate 0 ice false";
    assert_eq!(node.media.commands(), ["join 0 as 1 admitted true", again, again]);
}

#[tokio::test]
async fn whoever_leaves_is_gone_at_once_and_keeps_the_number() {
    let node = Node::start().await;
    let mut doctor = node.join("doctor", Role::Provider).await;
    let mut patient = node.join_with_media("patient", Role::Patient).await;
    patient.says(r#"{"type":"leave"}"#).await;
    assert_eq!(patient.is_closed().await, 1000);
    node.until("the transport leaves", |node| node.media.commands().contains(&"leave 0".into())).await;
    assert_eq!(node.signaling.headcount().participants, 1);
    node.join("interpreter", Role::Interpreter).await;
    let mut again = node.connect().await;
    again.hello(&node.ticket("patient", Role::Patient)).await;
    assert_eq!(again.hears("welcome").await["participant"], 2);
    doctor.has_noticed_nothing().await;
}

#[tokio::test]
async fn a_client_that_runs_short_of_slots_is_asked_for_more_within_bounds() {
    let node = Node::start().await;
    let mut peer = node.join_with_media("doctor", Role::Provider).await;
    node.media
        .says(Event::ReofferNeeded(transport(0), ReofferReason::Slots { camera: 200, screen: 0 }))
        .await;
    let reoffer = peer.hears("reoffer").await;
    assert_eq!(reoffer["reason"], "slots");
    assert_eq!(reoffer["slots"], serde_json::json!({"camera": 16, "screen": 1}));
}

#[tokio::test]
async fn media_that_cannot_be_set_up_is_named() {
    let node = Node::start().await;
    let mut peer = node.join_with_media("doctor", Role::Provider).await;
    node.media.says(Event::Left(transport(0), LeaveReason::DtlsFailed)).await;
    assert_eq!(peer.hears("leave").await["reason"], "media_lost");
    assert_eq!(peer.is_closed().await, 4002);
}

#[tokio::test]
async fn whoever_loses_their_transport_is_asked_for_another_and_the_second_loss_ends_it() {
    let node = Node::start().await;
    let mut peer = node.join_with_media("doctor", Role::Provider).await;
    node.media.says(Event::Connected(transport(0))).await;
    for lost in 0..2 {
        node.media.says(Event::Left(transport(lost), LeaveReason::ShardFailed)).await;
        let reoffer = peer.hears("reoffer").await;
        assert_eq!((&reoffer["reason"], &reoffer["ice_restart"]), (&"path".into(), &true.into()));
        peer.offer(1).await;
        peer.hears("answer").await;
        if lost == 0 {
            node.media.says(Event::Connected(transport(1))).await;
        }
    }
    let joins = [0, 1, 2].map(|id| format!("join {id} as 1 admitted true"));
    assert_eq!(node.media.commands(), joins, "each on a transport of its own");
    assert_eq!(node.signaling.headcount().participants, 1);
    node.media.says(Event::Left(transport(2), LeaveReason::ConnectTimeout)).await;
    assert_eq!(peer.hears("leave").await["reason"], "media_lost");
}

#[tokio::test]
async fn a_revoked_ticket_ends_its_holder_both_ways_and_an_ended_consult_everyone() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let claims = node.claims("patient", Role::Patient);
    let mut patient = node.connect().await;
    patient.hello(&node.sign(&claims)).await;
    let welcome = patient.hears("welcome").await;
    patient.offer(1).await;
    patient.hears("answer").await;
    node.signaling.revoke_ticket(claims.id);
    assert_eq!(node.media.commands().last(), Some(&"leave 1".into()), "at once");
    assert_eq!(patient.is_refused("ticket_revoked").await, 4405);
    let mut back = node.connect().await;
    back.resume(&welcome["resume_token"]).await;
    assert_eq!(back.is_refused("ticket_revoked").await, 4405);
    doctor.has_noticed_nothing().await;
    node.signaling.end_consult(common::CONSULT);
    assert_eq!(doctor.hears("leave").await["reason"], "consult_ended");
    assert!(node.media.commands().ends_with(&["leave 0".into(), "end".into()]));
    let mut late = node.connect().await;
    late.hello(&node.ticket("late", Role::Nurse)).await;
    assert_eq!(late.is_refused("ticket_revoked").await, 4405);
}

#[tokio::test]
async fn a_shutdown_says_goodbye_to_everyone_and_is_written_down() {
    let node = Node::start().await;
    let mut doctor = node.join_with_media("doctor", Role::Provider).await;
    let mut stranger = node.connect().await;
    let goodbye = node.signaling.shutdown();
    let heard = async {
        for peer in [&mut doctor, &mut stranger] {
            assert_eq!(peer.hears("leave").await["reason"], "server_shutdown");
            assert_eq!(peer.is_closed().await, 1001);
        }
        drop((doctor, stranger));
    };
    tokio::join!(goodbye, heard);
    assert_eq!(node.media.commands().last(), Some(&"leave 0".into()));
    assert_eq!(node.journal.entries().last(), Some(&"1 Left(Shutdown)".into()));
}

#[tokio::test]
async fn whoever_takes_over_with_another_ticket_is_written_down() {
    let node = Node::start().await;
    let mut old = node.join_with_media("doctor", Role::Provider).await;
    let mut new = node.join("doctor", Role::Provider).await;
    assert_eq!(old.hears("leave").await["reason"], "replaced");
    new.says(r#"{"type":"leave"}"#).await;
    node.until("all is written", |node| node.journal.entries().len() == 4).await;
    let expected = ["1 Joined(WebSocket)", "1 Joined(WebSocket)", "1 Left(Replaced)", "1 Left(Left)"];
    assert_eq!(node.journal.entries(), expected);
    assert_eq!(node.signaling.counters().replaced.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_departure_outlasts_a_journal_that_fails_for_a_moment() {
    let node = Node::start().await;
    let mut doctor = node.join("doctor", Role::Provider).await;
    node.journal.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    doctor.says(r#"{"type":"leave"}"#).await;
    doctor.is_closed().await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    node.journal.is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    node.until("it is written", |node| node.journal.entries().contains(&"1 Left(Left)".into())).await;
    assert_eq!(node.signaling.counters().journal_lost.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_ticket_that_comes_too_late_is_written_down_and_not_without_end() {
    let node = Node::start().await;
    let late = signaling_protocol::ticket::Ticket {
        issued_at_unix_s: 1_000,
        expires_at_unix_s: 2_000,
        ..node.claims("doctor", Role::Provider)
    };
    let late = node.sign(&late);
    let most = usize::try_from(signaling::limits::LATE_ENTRIES_BURST_MAX).expect("small") + 10;
    for _ in 0..2 * most {
        let mut peer = node.connect().await;
        peer.hello(&late).await;
        peer.is_refused("ticket_expired").await;
    }
    let counted = |node: &Node| node.journal.turned_away.load(std::sync::atomic::Ordering::SeqCst) as usize;
    node.until("each is written down, or counted", |node| {
        node.journal.entries().len() + counted(node) == 2 * most
    })
    .await;
    let entries = node.journal.entries();
    assert!((1..=most).contains(&entries.len()), "{}", entries.len());
    let by = (Some(media_model::TenantId::SYSTEM), "doctor".to_owned());
    assert!(node.journal.people().iter().all(|person| *person == by), "a genuine ticket says whose it is");
    assert!(entries.iter().all(|entry| entry == "0 Refused(TicketExpired)"), "{entries:?}");
}
