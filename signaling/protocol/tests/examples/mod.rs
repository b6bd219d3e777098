//! One example a message, from the Rust types.

use media_model::{ConsultId, ParticipantNumber, Pii, Role, SlotIndex, SlotPool, Source};
use serde::Serialize;
use signaling_protocol::{
    client::{ClientMessage, Hello, Offer, OfferedSlot, OfferedTrack},
    error::ErrorCode,
    limits::SLOTS_INITIAL,
    server::{
        GoodbyeReason, Layout, LineId, Participant, Person, Reoffer, ReofferReason, ServerMessage,
        SlotAssignment, SlotCounts, Welcome,
    },
};

fn number(number: u32) -> ParticipantNumber {
    ParticipantNumber::new(number).expect("not zero")
}

fn person(participant: u32, role: Role, display_name: &str) -> Person {
    let display_name = Pii::new(display_name.into());
    Person { participant: number(participant), role, display_name, break_glass: false }
}

/// `type` and JSON of each.
fn with_types<T: Serialize>(messages: Vec<T>) -> Vec<(String, String)> {
    let with_type = |message: T| {
        let value = serde_json::to_value(&message).expect("a message is JSON");
        let kind = value["type"].as_str().expect("a message has a type").to_owned();
        (kind, serde_json::to_string_pretty(&value).expect("a message is JSON"))
    };
    messages.into_iter().map(with_type).collect()
}

pub fn client() -> Vec<(String, String)> {
    let track = |mid: &str, source, muted| OfferedTrack { mid: mid.into(), source, muted };
    let slot = |mid: &str| OfferedSlot { mid: mid.into(), pool: SlotPool::Camera, index: 0 };
    with_types(vec![
        ClientMessage::Hello(Hello {
            ticket: Some(Pii::new("eyJhbGciOiJFZERTQSIs…".into())),
            resume_token: None,
        }),
        ClientMessage::Offer(Offer {
            sdp: "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n…".into(),
            tracks: vec![track("0", Source::Microphone, false), track("1", Source::Camera, true)],
            slots: vec![slot("2"), slot("3")],
        }),
        ClientMessage::Mute { source: Source::Microphone, muted: false, muted_by: Some(number(1)) },
        ClientMessage::Admit { participant: number(3) },
        ClientMessage::Remove { participant: number(3) },
        ClientMessage::MuteOther { participant: number(3), source: Source::Microphone },
        ClientMessage::Chat { text: Pii::new("Can you hear me?".into()) },
        ClientMessage::Leave {},
    ])
}

pub fn server() -> Vec<(String, String)> {
    let participant = |person, live| Participant { person, live };
    with_types(vec![
        ServerMessage::Welcome(Welcome {
            consult: ConsultId::from_bytes(*b"an example of it"),
            participant: number(1),
            role: Role::Provider,
            display_name: Pii::new("Dr. Example".into()),
            slots: SLOTS_INITIAL,
            resume_token: Pii::new("eyJhbGciOiJFZERTQSIs…".into()),
            api_token: Some(Pii::new("eyJhbGciOiJFZERTQSIs…".into())),
        }),
        ServerMessage::Waiting {},
        ServerMessage::Answer { sdp: "v=0\r\no=- 2251799813685248 1 IN IP4 0.0.0.0\r\n…".into() },
        ServerMessage::Reoffer(Reoffer {
            reason: ReofferReason::Slots,
            slots: SlotCounts { camera: 5, ..SLOTS_INITIAL },
            ice_restart: false,
        }),
        ServerMessage::Layout(Layout {
            revision: 7,
            slots: vec![SlotAssignment {
                slot: SlotIndex { pool: SlotPool::Camera, index: 0 },
                publisher: number(2),
                tracks: vec![Source::Microphone, Source::Camera],
            }],
            participants: vec![
                participant(person(1, Role::Provider, "Dr. Example"), vec![Source::Microphone]),
                participant(
                    person(2, Role::Patient, "Pat Example"),
                    vec![Source::Microphone, Source::Camera],
                ),
            ],
        }),
        ServerMessage::Lobby { waiting: vec![person(3, Role::Guardian, "Sam Example")] },
        ServerMessage::Chat {
            id: LineId::from_bytes(*b"one line of chat"),
            from: number(2),
            text: Pii::new("Yes, I can.".into()),
            at_ms: 1_800_000_000_000,
        },
        ServerMessage::Muted { source: Source::Microphone, by: number(1) },
        ServerMessage::Error {
            code: ErrorCode::OfferInvalid,
            message: "every live line needs rtcp-mux".into(),
            fatal: false,
        },
        ServerMessage::Leave { reason: GoodbyeReason::ConsultEnded },
    ])
}
