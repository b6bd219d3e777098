//! What the server says, one JSON object a WebSocket text message.

use media_model::{ConsultId, ParticipantNumber, Pii, Role, SlotIndex, Source, random_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;

/// A message from the server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// `hello` was good.
    Welcome(Welcome),
    /// You are known but not let in yet; `welcome` follows when somebody admits you.
    Waiting {},
    /// The answer to the last `offer`.
    Answer {
        /// SDP answer (RFC 8829).
        sdp: String,
    },
    /// Please offer again.
    Reoffer(Reoffer),
    /// Who is in which slot. Replaces every earlier one.
    Layout(Layout),
    /// Who waits to be let in. Staff only; replaces every earlier one.
    Lobby {
        /// Everyone who waits, longest first.
        waiting: Vec<Person>,
    },
    /// Somebody wrote a line. It is kept; everyone gets the lines in the order in which they are.
    Chat {
        /// Which line: the control API calls it the same.
        id: LineId,
        /// Who.
        from: ParticipantNumber,
        /// What.
        text: Pii<String>,
        /// When the server took it, in milliseconds since 1970-01-01T00:00:00Z.
        at_ms: u64,
    },
    /// Somebody of the staff has muted one of your sources: turn it off, as if you had, also where it is only being opened. You may turn it
    /// on again, when the person wants to. Comes at once, and until then again with the first offer of each connection, before its `answer`.
    Muted {
        /// Which.
        source: Source,
        /// Who did.
        by: ParticipantNumber,
    },
    /// What you sent was refused; where `fatal`, the connection closes next.
    Error {
        /// Machine-readable reason.
        code: ErrorCode,
        /// The same for a developer to read; never contains personal data.
        message: String,
        /// Whether the connection ends.
        fatal: bool,
    },
    /// The server says goodbye and closes.
    Leave {
        /// Why.
        reason: GoodbyeReason,
    },
}

/// Everything a client needs to make its offer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Welcome {
    /// The consult.
    pub consult: ConsultId,
    /// Your number in it.
    pub participant: ParticipantNumber,
    /// Your role in it.
    pub role: Role,
    /// The name that others see.
    pub display_name: Pii<String>,
    /// How many slot pairs to offer.
    pub slots: SlotCounts,
    /// Comes back with `hello` after a broken connection. Replaces earlier ones with your first message after this.
    pub resume_token: Pii<String>,
    /// For the control API of this server, as a bearer token: good for this visit alone, and for four hours. Absent where you may use
    /// nothing there, as when you came by break-glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_token: Option<Pii<String>>,
}

random_id! {
    /// A line of chat.
    LineId, "line"
}

impl JsonSchema for LineId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LineId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
            "description": "A line of chat: 32 lower-case hexadecimal digits.",
        })
    }
}

/// Numbers of slot pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlotCounts {
    /// People.
    pub camera: u8,
    /// Screens.
    pub screen: u8,
}

/// A request for another offer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Reoffer {
    /// What it is for.
    pub reason: ReofferReason,
    /// How many slot pairs the offer should have; never fewer than before.
    pub slots: SlotCounts,
    /// Whether the offer needs new ICE credentials (RFC 8445 §9); those of a new `RTCPeerConnection` are new anyway.
    pub ice_restart: bool,
}

/// Why the server asks for another offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReofferReason {
    /// There are more people or screens than slots.
    Slots,
    /// Somebody present cannot decode what you send.
    Codec,
    /// The media transport was lost, or its shard was restarted: offer from a new `RTCPeerConnection`.
    Path,
}

/// The picture of the room.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Layout {
    /// Counts up. An older one than seen before is to be ignored.
    pub revision: u32,
    /// Slots in use.
    pub slots: Vec<SlotAssignment>,
    /// Everyone who is admitted, you included.
    pub participants: Vec<Participant>,
}

/// One slot in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlotAssignment {
    /// Which slot pair.
    #[serde(flatten)]
    pub slot: SlotIndex,
    /// Whom it shows: the CSRC of its packets. Show nothing until the newest CSRC says the same.
    pub publisher: ParticipantNumber,
    /// Which of that person's sources it carries: of `microphone` and `camera`, or of `screen` and `screen_audio`, those
    /// that they publish, muted or not.
    pub tracks: Vec<Source>,
}

/// Somebody who is admitted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Participant {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// What they publish and have not muted.
    pub live: Vec<Source>,
}

/// A person as the others see them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// Number in the consult.
    pub participant: ParticipantNumber,
    /// Role in the consult.
    pub role: Role,
    /// Display name.
    pub display_name: Pii<String>,
    /// They have no part in the visit: they came by break-glass, in an emergency, and everybody is to see that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// Why the server ends a connection in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// The consult was ended. Closes with 1000.
    ConsultEnded,
    /// The same person came back on another connection. Closes with 4001.
    Replaced,
    /// Somebody of the staff sent you out; neither ticket nor resume token opens any more. Closes with 4003.
    Removed,
    /// The node is going down: come back soon. Closes with 1001.
    ServerShutdown,
    /// Your media connection could not be set up, or was lost twice. Closes with 4002.
    MediaLost,
}

impl GoodbyeReason {
    /// The WebSocket close code that follows (RFC 6455 §7.4.1; §7.4.2: 4000 to 4999 are private).
    pub const fn close_code(self) -> u16 {
        match self {
            Self::ConsultEnded => 1000,
            Self::ServerShutdown => 1001,
            Self::Replaced => 4001,
            Self::MediaLost => 4002,
            Self::Removed => 4003,
        }
    }
}
