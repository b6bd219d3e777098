//! Error codes and WebSocket close codes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was wrong with what a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or a known message with wrong fields.
    MessageMalformed,
    /// A `type` that this version does not know.
    MessageUnknown,
    /// Larger than the limit.
    MessageTooLarge,
    /// Faster than the limit.
    TooManyMessages,
    /// A message that makes no sense now, such as an offer before `hello`.
    MessageUnexpected,
    /// No `hello` within 10 s.
    HelloTimeout,
    /// Not a ticket of ours: signature, type or audience.
    TicketInvalid,
    /// A ticket whose time has passed, or has not come.
    TicketExpired,
    /// A ticket that was taken back.
    TicketRevoked,
    /// A ticket that somebody has already come in with.
    TicketInUse,
    /// Not SDP, or SDP that cannot be answered.
    OfferInvalid,
    /// The consult has as many people as it can have.
    ConsultFull,
    /// The node can carry no further consult now.
    NodeFull,
    /// The role may not do that.
    Forbidden,
    /// Too many of your lines of chat wait to be written down: nobody gets this one.
    ChatBusy,
    /// A line of chat could not be written down: nobody got the oldest of yours that has not come back.
    ChatNotKept,
    /// Something failed on our side.
    Internal,
}

impl ErrorCode {
    /// Every code, for documents and tests.
    pub const ALL: [Self; 17] = [
        Self::MessageMalformed,
        Self::MessageUnknown,
        Self::MessageTooLarge,
        Self::TooManyMessages,
        Self::MessageUnexpected,
        Self::HelloTimeout,
        Self::TicketInvalid,
        Self::TicketExpired,
        Self::TicketRevoked,
        Self::TicketInUse,
        Self::OfferInvalid,
        Self::ConsultFull,
        Self::NodeFull,
        Self::Forbidden,
        Self::ChatBusy,
        Self::ChatNotKept,
        Self::Internal,
    ];

    /// The code in JSON and in the `code` label of `consilium_signaling_errors_total`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessageMalformed => "message_malformed",
            Self::MessageUnknown => "message_unknown",
            Self::MessageTooLarge => "message_too_large",
            Self::TooManyMessages => "too_many_messages",
            Self::MessageUnexpected => "message_unexpected",
            Self::HelloTimeout => "hello_timeout",
            Self::TicketInvalid => "ticket_invalid",
            Self::TicketExpired => "ticket_expired",
            Self::TicketRevoked => "ticket_revoked",
            Self::TicketInUse => "ticket_in_use",
            Self::OfferInvalid => "offer_invalid",
            Self::ConsultFull => "consult_full",
            Self::NodeFull => "node_full",
            Self::Forbidden => "forbidden",
            Self::ChatBusy => "chat_busy",
            Self::ChatNotKept => "chat_not_kept",
            Self::Internal => "internal",
        }
    }

    /// The WebSocket close code when the error ends the connection (RFC 6455 §7.4.2: 4000 to 4999 are private).
    pub const fn close_code(self) -> u16 {
        match self {
            Self::MessageMalformed => 4400,
            Self::TicketInvalid => 4401,
            Self::TicketExpired => 4402,
            Self::Forbidden => 4403,
            Self::MessageUnknown => 4404,
            Self::TicketRevoked => 4405,
            Self::MessageUnexpected => 4406,
            Self::HelloTimeout => 4408,
            Self::TicketInUse => 4409,
            Self::ConsultFull => 4410,
            Self::MessageTooLarge => 4413,
            Self::OfferInvalid => 4422,
            Self::TooManyMessages => 4429,
            Self::ChatBusy => 4430,
            Self::Internal => 4500,
            Self::ChatNotKept => 4501,
            Self::NodeFull => 4503,
        }
    }
}
