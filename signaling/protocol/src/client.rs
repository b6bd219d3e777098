//! What clients say, one JSON object a WebSocket text message.

use media_model::{ParticipantNumber, Pii, SlotPool, Source, limits::TRANSPORT_MEDIA_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::ErrorCode,
    limits::{MESSAGE_BYTES_MAX, SDP_BYTES_MAX, TOKEN_BYTES_MAX, is_chat},
};

/// A message from a client.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// The first message: who I am. Exactly one of the two.
    Hello(Hello),
    /// My SDP offer; answered by `answer`. A later offer that cannot be answered leaves the media as it was and the
    /// connection open; a first one ends it.
    Offer(Offer),
    /// One of my sources has become silent or dark, or is so no longer.
    Mute {
        /// Which.
        source: Source,
        /// The new state.
        muted: bool,
        /// With `muted: false` after a `muted`: its `by`. Without it a mute by staff stays, and you are told `muted` again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        muted_by: Option<ParticipantNumber>,
    },
    /// Lets somebody in who waits. Staff only.
    Admit {
        /// Who, by the number in `lobby`.
        participant: ParticipantNumber,
    },
    /// Sends somebody out for good, also from the waiting room: ends their connections at once and takes their ticket and resume
    /// token back. Staff only, and nobody themselves.
    Remove {
        /// Who, by the number in `layout` or `lobby`.
        participant: ParticipantNumber,
    },
    /// Silences or darkens one of somebody else's sources, who is told and may turn it on again; nobody else can do that for them. Staff only.
    MuteOther {
        /// Who, by the number in `layout`.
        participant: ParticipantNumber,
        /// Which of theirs.
        source: Source,
    },
    /// A line of text for everyone who is admitted, which comes back to you as well once it is written down. Observers,
    /// and who came by break-glass, do not write.
    Chat {
        /// At most 2,000 characters.
        text: Pii<String>,
    },
    /// Goodbye. The server closes with 1000.
    Leave {},
}

/// Proof of who is calling.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// A ticket from the control API: opens once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Pii<String>>,
    /// The resume token from the last `welcome`: supersedes the earlier connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<Pii<String>>,
}

/// An SDP offer and what its lines are for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The offer (RFC 8829), as `setLocalDescription` left it. Candidates are not needed: the server is ICE-lite.
    pub sdp: String,
    /// The `sendonly` lines.
    #[serde(default)]
    pub tracks: Vec<OfferedTrack>,
    /// The `recvonly` lines.
    #[serde(default)]
    pub slots: Vec<OfferedSlot>,
}

/// A line on which the client sends.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferedTrack {
    /// `a=mid` of the line.
    pub mid: String,
    /// What it carries.
    pub source: Source,
    /// Whether nothing is sent on it yet.
    pub muted: bool,
}

/// A line on which the client receives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferedSlot {
    /// `a=mid` of the line.
    pub mid: String,
    /// The pool of the slot pair that it is half of.
    pub pool: SlotPool,
    /// The pair's place in its pool, from 0.
    pub index: u8,
}

/// Reads one message.
///
/// Errors: [`ErrorCode::MessageTooLarge`], [`ErrorCode::MessageMalformed`], and [`ErrorCode::MessageUnknown`] for
/// an object whose `type` this version does not know.
pub fn parse_client_message(text: &str) -> Result<ClientMessage, ErrorCode> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(ErrorCode::MessageTooLarge);
    }
    match serde_json::from_str::<ClientMessage>(text) {
        Ok(message) if message.is_within_limits() => Ok(message),
        Ok(_) => Err(ErrorCode::MessageMalformed),
        Err(_) => Err(why_malformed(text)),
    }
}

/// The `type` alone; everything else is skipped.
#[derive(Deserialize)]
struct TypeOnly<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

fn why_malformed(text: &str) -> ErrorCode {
    match serde_json::from_str::<TypeOnly<'_>>(text) {
        Ok(TypeOnly { kind }) if !ClientMessage::TYPES.contains(&kind.as_ref()) => ErrorCode::MessageUnknown,
        _ => ErrorCode::MessageMalformed,
    }
}

impl ClientMessage {
    /// Every `type` that a client may say.
    pub const TYPES: [&'static str; 8] =
        ["hello", "offer", "mute", "admit", "remove", "mute_other", "chat", "leave"];

    fn is_within_limits(&self) -> bool {
        match self {
            Self::Hello(hello) => hello.is_within_limits(),
            Self::Offer(offer) => {
                offer.sdp.len() <= SDP_BYTES_MAX
                    && offer.tracks.len() + offer.slots.len() <= TRANSPORT_MEDIA_MAX
            }
            Self::Chat { text } => is_chat(text.reveal()),
            Self::Mute { .. }
            | Self::Admit { .. }
            | Self::Remove { .. }
            | Self::MuteOther { .. }
            | Self::Leave {} => true,
        }
    }
}

impl Hello {
    fn is_within_limits(&self) -> bool {
        let token = match (&self.ticket, &self.resume_token) {
            (Some(token), None) | (None, Some(token)) => token,
            _ => return false,
        };
        token.reveal().len() <= TOKEN_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CHAT_CHARS_MAX;

    #[test]
    fn a_message_that_does_not_parse_is_told_from_one_that_is_unknown() {
        let long = format!(r#"{{"type":"chat","text":"{}"}}"#, "ä".repeat(CHAT_CHARS_MAX + 1));
        let large = format!(r#"{{"type":"chat","text":"{}"}}"#, "x".repeat(MESSAGE_BYTES_MAX));
        let cases = [
            ("", ErrorCode::MessageMalformed),
            ("[]", ErrorCode::MessageMalformed),
            ("{}", ErrorCode::MessageMalformed),
            (r#"{"type":7}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"dance"}"#, ErrorCode::MessageUnknown),
            (r#"{"type":"dance","type":"leave"}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"leave","why":"bored"}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"hello"}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"hello","ticket":"a","resume_token":"b"}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"hello","ticket":"a","ticket":"b"}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"admit","participant":0}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"chat","text":" "}"#, ErrorCode::MessageMalformed),
            (r#"{"type":"chat","text":"a\u001b[2J"}"#, ErrorCode::MessageMalformed),
            (&long, ErrorCode::MessageMalformed),
            (&large, ErrorCode::MessageTooLarge),
        ];
        for (text, code) in cases {
            let short: String = text.chars().take(60).collect();
            assert_eq!(parse_client_message(text).map(|_| ()), Err(code), "{short}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_harm() {
        let text = format!("{}{}", r#"{"type":"chat","text":"#, "[".repeat(100_000));
        assert_eq!(parse_client_message(&text).map(|_| ()), Err(ErrorCode::MessageMalformed));
    }

    #[test]
    fn sources_are_called_alike_in_the_protocol_and_in_the_audit_log() {
        for source in Source::ALL {
            assert_eq!(serde_json::to_value(source).expect("a name"), source.as_str());
        }
    }

    #[test]
    fn good_messages_are_read() {
        let full = "ä".repeat(CHAT_CHARS_MAX);
        let good = [
            r#"{"type":"leave"}"#.to_owned(),
            r#"{"type":"hello","ticket":"a"}"#.to_owned(),
            r#"{"type":"mute","source":"screen_audio","muted":true}"#.to_owned(),
            r#"{"type":"mute","source":"camera","muted":false,"muted_by":1}"#.to_owned(),
            r#"{"type":"mute_other","participant":2,"source":"microphone"}"#.to_owned(),
            r#"{"type":"offer","sdp":"v=0"}"#.to_owned(),
            r#"{"text":"two\nlines","type":"chat"}"#.to_owned(),
            format!(r#"{{"type":"chat","text":"{full}"}}"#),
        ];
        for text in good {
            assert!(parse_client_message(&text).is_ok(), "{text}");
        }
    }
}
