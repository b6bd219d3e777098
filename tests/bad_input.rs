//! Bad input and trouble: everyone who does something wrong is told exactly what, it is counted, the log says it without
//! personal data, and the others notice nothing.

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use media_model::{ConsultId, Pii, Role, TenantId};
use serde_json::json;
use signaling_protocol::{
    limits::MESSAGE_BYTES_MAX,
    ticket::{Ticket, TicketId, TicketSigner},
};
use support::{
    control::{BackEnd, INTERPRETER, NURSE, PATIENT, PROVIDER},
    metrics::Metrics,
    node::Node,
    participant::Participant,
    peer::{Plan, RTC_CONNECTED},
    signal::{Heard, Signal},
    witnesses::Witnesses,
};
use tokio_tungstenite::tungstenite::Message;

/// A ticket that the node itself might have minted two hours ago, for one hour.
fn expired_ticket(node: &Node, consult: &str) -> String {
    let key = std::fs::read(node.data().join("keys/ticket.ed25519.p8")).expect("the node's key");
    let signer = TicketSigner::from_pkcs8(&key).expect("a key");
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    signer.sign(&Ticket {
        id: TicketId::from_bytes([7; 16]),
        tenant: "demo".parse::<TenantId>().expect("an id"),
        consult: consult.parse::<ConsultId>().expect("an id"),
        person: Pii::new(PATIENT.id.to_owned()),
        role: Role::Patient,
        display_name: Pii::new(PATIENT.name.to_owned()),
        node: None,
        waits: false,
        break_glass: None,
        issued_at_unix_s: now_s - 7_200,
        not_before_unix_s: None,
        expires_at_unix_s: now_s - 3_600,
    })
}

/// What one connection says, and how that has to end.
struct Case {
    says: Vec<Message>,
    code: &'static str,
    close_code: u16,
}

fn case(says: impl IntoIterator<Item = Message>, code: &'static str, close_code: u16) -> Case {
    Case { says: says.into_iter().collect(), code, close_code }
}

fn hello(ticket: &str) -> Message {
    Message::text(json!({ "type": "hello", "ticket": ticket }).to_string())
}

async fn cases(node: &Node, back_end: &BackEnd, consult: &str) -> Vec<Case> {
    let no_sdp = Message::text(json!({ "type": "offer", "sdp": "hello" }).to_string());
    let revoked = back_end.ticket(consult, NURSE).await;
    back_end.revoke(consult, &revoked).await;
    let (first, second) =
        (back_end.ticket(consult, NURSE).await, back_end.ticket(consult, INTERPRETER).await);
    let ended = back_end.consult().await;
    let of_ended = back_end.ticket(&ended, NURSE).await;
    back_end.end(&ended).await;
    let chatter = (0..80).map(|_| Message::Ping(Vec::new().into()));
    let tampered = first.token.replacen('.', ".e", 1);
    vec![
        case([hello("not-a-ticket")], "ticket_invalid", 4401),
        case([hello(&tampered)], "ticket_invalid", 4401),
        case([hello(&expired_ticket(node, consult))], "ticket_expired", 4402),
        case([hello(&revoked.token)], "ticket_revoked", 4405),
        case([hello(&of_ended.token)], "ticket_revoked", 4405),
        case([hello(&first.token), no_sdp.clone()], "offer_invalid", 4422),
        case([hello(&first.token)], "ticket_in_use", 4409),
        case([hello(&second.token), hello(&second.token)], "message_unexpected", 4406),
        case([no_sdp], "message_unexpected", 4406),
        case([Message::text("{")], "message_malformed", 4400),
        case([Message::text("[]")], "message_malformed", 4400),
        case([Message::text(r#"{"type":"hello","ticket":"x","more":1}"#)], "message_malformed", 4400),
        case([Message::text(r#"{"type":"hello","resume_token":"x"}"#)], "ticket_invalid", 4401),
        case([Message::binary(vec![0xff; 32])], "message_malformed", 4400),
        case([Message::text(r#"{"type":"sing"}"#)], "message_unknown", 4404),
        case([Message::text(" ".repeat(MESSAGE_BYTES_MAX + 1))], "message_too_large", 4413),
        case([Message::text(" ".repeat(4 * MESSAGE_BYTES_MAX))], "message_too_large", 4413),
        case(chatter, "too_many_messages", 4429),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_has_its_code_is_counted_and_harms_nobody() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let mut witnesses = Witnesses::meet(&node, &back_end, &consult).await;
    let mut silent = Signal::open(node.address()).await;
    let mut codes = Vec::new();
    for Case { says, code, close_code } in cases(&node, &back_end, &consult).await {
        let before = Metrics::of(node.address()).await.errors(code);
        let mut signal = Signal::open(node.address()).await;
        for frame in says {
            signal.say_frame(frame).await;
        }
        assert_eq!(signal.expect_fatal().await, (code.to_owned(), close_code));
        let after = Metrics::of(node.address()).await.errors(code);
        assert_eq!(after, before + 1.0, "{code} is counted");
        codes.push(code);
    }
    assert_eq!(silent.expect_fatal().await, ("hello_timeout".into(), 4408));
    witnesses.noticed_nothing().await;
    // Its end closes the pipe that the log comes through: only then is it whole.
    let log = node.stop().log;
    for code in codes {
        assert!(log.contains(code), "{code} is logged");
    }
    assert_log_is_clean(&log);
}

/// No names, no person ids, no tickets.
fn assert_log_is_clean(log: &str) {
    assert!(!log.is_empty());
    for word in ["Testname", "ehr-person", "eyJ", "resume_token\":\"", "ice-pwd"] {
        assert!(!log.contains(word), "{word} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_tab_is_refused_and_the_resume_token_supersedes_the_first() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let mut witnesses = Witnesses::meet(&node, &back_end, &consult).await;
    let ticket = back_end.ticket(&consult, NURSE).await;
    let mut first = Participant::join(node.address(), &ticket.token, Plan::publisher(33, 3)).await;

    let mut second = Signal::open(node.address()).await;
    second.hello(&ticket.token).await;
    assert_eq!(second.expect_fatal().await, ("ticket_in_use".into(), 4409));

    let hello = json!({ "type": "hello", "resume_token": first.resume_token });
    let mut third = Participant::enter(node.address(), &hello, Plan::publisher(33, 3)).await;
    assert_eq!(third.number, first.number);
    assert_ne!(third.resume_token, first.resume_token);
    assert_eq!(first.signal.expect("leave").await["reason"], "replaced");
    assert_eq!(first.signal.expect_close().await, 4001);
    third.expect_publishers(&witnesses.numbers()).await;
    third.expect_media().await;

    let mut fourth = Signal::open(node.address()).await;
    fourth.say(&hello).await;
    assert_eq!(fourth.expect_fatal().await, ("ticket_in_use".into(), 4409), "a token opens once");
    witnesses.noticed_nothing().await;
    assert_log_is_clean(&node.stop().log);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_is_told_what_is_wrong_and_stays_or_goes_as_documented() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let mut witnesses = Witnesses::meet(&node, &back_end, &consult).await;
    let ticket = back_end.ticket(&consult, INTERPRETER).await;
    let mut guest = Participant::join(node.address(), &ticket.token, Plan::publisher(33, 3)).await;

    guest.signal.say(&json!({ "type": "admit", "participant": 1 })).await;
    let error = guest.expect("error").await;
    assert_eq!((&error["code"], &error["fatal"]), (&json!("forbidden"), &json!(false)));
    guest.signal.say(&json!({ "type": "offer", "sdp": "v=0\r\n" })).await;
    let error = guest.expect("error").await;
    assert_eq!((&error["code"], &error["fatal"]), (&json!("offer_invalid"), &json!(false)));
    guest.expect_publishers(&witnesses.numbers()).await;
    guest.expect_media().await;
    assert_eq!(guest.peer.state(), RTC_CONNECTED);

    back_end.revoke(&consult, &ticket).await;
    assert_eq!(guest.signal.expect_fatal().await, ("ticket_revoked".into(), 4405));
    support::for_ms(500).await;
    guest.peer.take_arrivals();
    support::for_ms(500).await;
    assert!(guest.peer.arrivals().is_empty(), "who was sent away receives nothing any more");
    witnesses.noticed_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_room_lets_nobody_in_by_mistake() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult_with(&json!({ "waiting_room": true })).await;
    let (staff, patient) =
        (back_end.ticket(&consult, PROVIDER).await, back_end.ticket(&consult, PATIENT).await);
    let mut staff = Participant::join(node.address(), &staff.token, Plan::publisher(31, 3)).await;
    let mut waiting = Signal::open(node.address()).await;
    waiting.hello(&patient.token).await;
    waiting.expect("waiting").await;
    let lobby = staff.signal.expect("lobby").await;
    assert_eq!(lobby["waiting"][0]["display_name"], PATIENT.name);
    waiting.say(&json!({ "type": "offer", "sdp": "v=0\r\n" })).await;
    assert_eq!(waiting.expect_fatal().await, ("message_unexpected".into(), 4406));
    assert!(!waiting.drain().iter().any(|heard| matches!(heard, Heard::Message(_))));
}
