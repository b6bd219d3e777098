//! One WebSocket connection as a pure state machine: messages, notices and the time go in, outputs come out.
//!
//! ```text
//!                  hello                waits=true                admitted
//! AwaitingHello ─────────> Entering ───────────────> Waiting ───────────────┐
//!       │                     │ ^                                           │
//!       │                     │ └───────────────────────────────────────────┘
//!       │                     │ welcome                 offer, answer
//!       │                     └────────────> Admitted ─────────────────> Negotiated ──┐ offer, answer
//!       │                                       │                          │   ^──────┘
//!       └── timeout, error, leave, goodbye ─────┴───> Gone <───────────────┘
//! ```
//!
//! The shell (`websocket.rs`) calls a `handle_*`, then drains [`Session::poll_output`], then sleeps until
//! [`Session::poll_timeout`] or the next input.

mod rate;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Instant};

use media_model::{ParticipantNumber, Pii, Source};
use signaling_protocol::{
    client::{ClientMessage, Hello, Offer, parse_client_message},
    error::ErrorCode,
    limits::{HELLO_TIMEOUT, MESSAGES_BURST_MAX, MESSAGES_PER_SECOND_MAX},
    server::{GoodbyeReason, Layout, LineId, Person, Reoffer, ReofferReason, ServerMessage, Welcome},
};

pub(crate) use self::rate::TokenBucket;
use crate::limits::{PING_INTERVAL, REOFFER_INTERVAL, SILENCE_MAX};

/// Normal closure and going away (RFC 6455 §7.4.1).
const CLOSE_NORMAL: u16 = 1000;
const CLOSE_GOING_AWAY: u16 = 1001;

/// What the consult tells one of its connections.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Somebody let this person in.
    Admitted {
        /// Who.
        by: ParticipantNumber,
    },
    /// Who waits.
    Lobby(Vec<Person>),
    /// A line of text.
    Chat { id: LineId, from: ParticipantNumber, text: Pii<String>, at_ms: u64 },
    /// Somebody of the staff muted one of this person's sources.
    Muted { source: Source, by: ParticipantNumber },
    /// What was asked is not done, because of this; the connection stays.
    Objected(ErrorCode),
    /// Who is in which slot.
    Layout(Layout),
    /// Another offer is needed.
    Reoffer(Reoffer),
    /// The connection ends because of this.
    Refused(ErrorCode),
    /// The connection ends in good order.
    Goodbye(GoodbyeReason),
}

/// What the shell is to do.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send this message.
    Send(ServerMessage),
    /// Send a WebSocket ping.
    Ping,
    /// Check who this is and call [`Session::handle_entry`].
    Enter(Hello),
    /// Write down that the person was admitted and call [`Session::handle_entry`].
    Welcome {
        /// Who admitted.
        by: ParticipantNumber,
    },
    /// Answer the offer and call [`Session::handle_answer`].
    Negotiate(Offer),
    /// Pass to the consult.
    Mute { source: Source, muted: bool, muted_by: Option<ParticipantNumber> },
    /// Pass to the consult.
    Admit(ParticipantNumber),
    /// Pass to the consult.
    Remove(ParticipantNumber),
    /// Pass to the consult.
    MuteOther(ParticipantNumber, Source),
    /// Pass to the consult.
    Chat(Pii<String>),
    /// Count this error, and log its code.
    Erred(ErrorCode),
    /// Send a close frame with this code and end; `departed` when the person wants to be gone, not only the socket.
    Close { code: u16, departed: bool },
}

/// How an entry went.
#[derive(Debug)]
pub(crate) enum Entry {
    /// In.
    Welcome(Welcome),
    /// Known, and to be let in by somebody.
    Waiting,
}

/// What the connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitingHello { until: Instant },
    Entering,
    Waiting,
    Admitted,
    Negotiated,
    Gone,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    bucket: TokenBucket,
    heard_at: Instant,
    ping_at: Instant,
    /// The newest request for an offer that was not sent yet; a newer one replaces it.
    reoffer_due: Option<Reoffer>,
    /// A request that was sent and not answered by an offer.
    reoffer_open: bool,
    reoffer_not_before: Instant,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A connection that was accepted just now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            state: State::AwaitingHello { until: now + HELLO_TIMEOUT },
            bucket: TokenBucket::new(now, MESSAGES_BURST_MAX, MESSAGES_PER_SECOND_MAX),
            heard_at: now,
            ping_at: now + PING_INTERVAL,
            reoffer_due: None,
            reoffer_open: false,
            reoffer_not_before: now,
            outputs: VecDeque::new(),
        }
    }

    /// A text message came.
    pub(crate) fn handle_text(&mut self, now: Instant, text: &str) {
        if !self.heard(now) {
            return;
        }
        match parse_client_message(text) {
            Ok(message) => self.handle_message(message),
            Err(code) => self.fail(code),
        }
    }

    /// A binary message came: there are none in this protocol.
    pub(crate) fn handle_binary(&mut self, now: Instant) {
        if self.heard(now) {
            self.fail(ErrorCode::MessageMalformed);
        }
    }

    /// A ping or pong came. Pings are limited like everything else.
    pub(crate) fn handle_control(&mut self, now: Instant) {
        self.heard(now);
    }

    /// The WebSocket refused a message because of its size.
    pub(crate) fn handle_oversize(&mut self) {
        self.fail(ErrorCode::MessageTooLarge);
    }

    fn handle_message(&mut self, message: ClientMessage) {
        use State::{Admitted, AwaitingHello, Negotiated};
        match (self.state, message) {
            (State::Gone, _) => {}
            (AwaitingHello { .. }, ClientMessage::Hello(hello)) => {
                self.state = State::Entering;
                self.outputs.push_back(Output::Enter(hello));
            }
            (Admitted | Negotiated, ClientMessage::Offer(offer)) => {
                self.outputs.push_back(Output::Negotiate(offer));
            }
            // Every track starts as its offer says: before there is an offer there is nothing to mute.
            (Admitted, ClientMessage::Mute { .. }) => {}
            (Negotiated, ClientMessage::Mute { source, muted, muted_by }) => {
                self.outputs.push_back(Output::Mute { source, muted, muted_by });
            }
            (Admitted | Negotiated, ClientMessage::Admit { participant }) => {
                self.outputs.push_back(Output::Admit(participant));
            }
            (Admitted | Negotiated, ClientMessage::Remove { participant }) => {
                self.outputs.push_back(Output::Remove(participant));
            }
            (Admitted | Negotiated, ClientMessage::MuteOther { participant, source }) => {
                self.outputs.push_back(Output::MuteOther(participant, source));
            }
            (Admitted | Negotiated, ClientMessage::Chat { text }) => {
                self.outputs.push_back(Output::Chat(text))
            }
            (_, ClientMessage::Leave {}) => self.close(CLOSE_NORMAL, true),
            _ => self.fail(ErrorCode::MessageUnexpected),
        }
    }

    /// The answer to [`Output::Enter`] and [`Output::Welcome`].
    pub(crate) fn handle_entry(&mut self, entry: Result<Entry, ErrorCode>) {
        if self.state != State::Entering {
            return;
        }
        match entry {
            Ok(Entry::Welcome(welcome)) => {
                self.state = State::Admitted;
                self.send(ServerMessage::Welcome(welcome));
            }
            Ok(Entry::Waiting) => {
                self.state = State::Waiting;
                self.send(ServerMessage::Waiting {});
            }
            Err(code) => self.fail(code),
        }
    }

    /// The answer to [`Output::Negotiate`].
    ///
    /// A later offer that cannot be answered leaves the media as it was, and so the connection stays; without a
    /// first one there is nothing to stay for.
    pub(crate) fn handle_answer(&mut self, now: Instant, answer: Result<String, ErrorCode>) {
        match (self.state, answer) {
            (State::Admitted | State::Negotiated, Ok(sdp)) => {
                self.state = State::Negotiated;
                self.reoffer_open = false;
                self.send(ServerMessage::Answer { sdp });
                self.flush_reoffer(now);
            }
            (State::Negotiated, Err(ErrorCode::OfferInvalid)) => {
                self.reoffer_open = false;
                self.object(ErrorCode::OfferInvalid);
            }
            (State::Gone, _) => {}
            (_, Err(code)) => self.fail(code),
            (_, Ok(_)) => self.fail(ErrorCode::Internal),
        }
    }

    /// The role may not do what was asked; nothing happened.
    pub(crate) fn handle_forbidden(&mut self) {
        if self.state != State::Gone {
            self.object(ErrorCode::Forbidden);
        }
    }

    /// The consult says something.
    pub(crate) fn handle_notice(&mut self, now: Instant, notice: Notice) {
        if self.state == State::Gone {
            return;
        }
        match notice {
            Notice::Admitted { by } => {
                if self.state == State::Waiting {
                    self.state = State::Entering;
                    self.outputs.push_back(Output::Welcome { by });
                }
            }
            Notice::Lobby(waiting) => self.send(ServerMessage::Lobby { waiting }),
            Notice::Chat { id, from, text, at_ms } => {
                self.send(ServerMessage::Chat { id, from, text, at_ms });
            }
            Notice::Muted { source, by } => self.send(ServerMessage::Muted { source, by }),
            Notice::Objected(code) => self.object(code),
            Notice::Layout(layout) => self.send(ServerMessage::Layout(layout)),
            Notice::Reoffer(reoffer) => {
                if reoffer.reason == ReofferReason::Path {
                    // Whatever was asked before was asked of a transport that is gone.
                    (self.reoffer_open, self.reoffer_not_before) = (false, now);
                }
                self.reoffer_due = Some(reoffer);
                self.flush_reoffer(now);
            }
            Notice::Refused(code) => self.fail(code),
            Notice::Goodbye(reason) => {
                self.send(ServerMessage::Leave { reason });
                self.close(reason.close_code(), false);
            }
        }
    }

    /// The consult no longer knows this connection, or the connection does not take what it is sent.
    pub(crate) fn handle_cut(&mut self) {
        if self.state != State::Gone {
            self.close(CLOSE_GOING_AWAY, false);
        }
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Gone => return,
            State::AwaitingHello { until } if now >= until => return self.fail(ErrorCode::HelloTimeout),
            _ => {}
        }
        if now >= self.heard_at + SILENCE_MAX {
            return self.close(CLOSE_GOING_AWAY, false);
        }
        if now >= self.ping_at {
            self.ping_at = now + PING_INTERVAL;
            self.outputs.push_back(Output::Ping);
        }
        self.flush_reoffer(now);
    }

    /// When [`Session::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Instant {
        let mut at = self.ping_at.min(self.heard_at + SILENCE_MAX);
        if let State::AwaitingHello { until } = self.state {
            at = at.min(until);
        }
        if self.reoffer_due.is_some() && self.may_reoffer() {
            at = at.min(self.reoffer_not_before);
        }
        at
    }

    /// The next thing to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes note of a frame; false when nobody is to look at it.
    fn heard(&mut self, now: Instant) -> bool {
        self.heard_at = now;
        if self.state == State::Gone {
            return false;
        }
        if !self.bucket.take(now) {
            self.fail(ErrorCode::TooManyMessages);
            return false;
        }
        true
    }

    fn may_reoffer(&self) -> bool {
        self.state == State::Negotiated && !self.reoffer_open
    }

    fn flush_reoffer(&mut self, now: Instant) {
        if !self.may_reoffer() || now < self.reoffer_not_before {
            return;
        }
        if let Some(reoffer) = self.reoffer_due.take() {
            self.reoffer_open = true;
            self.reoffer_not_before = now + REOFFER_INTERVAL;
            self.send(ServerMessage::Reoffer(reoffer));
        }
    }

    fn send(&mut self, message: ServerMessage) {
        self.outputs.push_back(Output::Send(message));
    }

    /// Says what was wrong and goes on.
    fn object(&mut self, code: ErrorCode) {
        self.say_error(code, false);
    }

    /// Says what was wrong and closes.
    fn fail(&mut self, code: ErrorCode) {
        if self.state == State::Gone {
            return;
        }
        self.say_error(code, true);
        self.close(code.close_code(), false);
    }

    fn say_error(&mut self, code: ErrorCode, fatal: bool) {
        self.outputs.push_back(Output::Erred(code));
        self.send(ServerMessage::Error { code, message: explain(code).to_owned(), fatal });
    }

    fn close(&mut self, code: u16, departed: bool) {
        self.state = State::Gone;
        self.outputs.push_back(Output::Close { code, departed });
    }
}

/// A code's meaning, for a developer's eyes.
pub(crate) const fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::MessageMalformed => "not JSON, or a known message with missing, extra or wrong fields",
        ErrorCode::MessageUnknown => "no message of this protocol version has this type",
        ErrorCode::MessageTooLarge => "larger than the protocol's limit",
        ErrorCode::TooManyMessages => "faster than the protocol's limit",
        ErrorCode::MessageUnexpected => "not expected in this state of the connection",
        ErrorCode::HelloTimeout => "no hello in time",
        ErrorCode::TicketInvalid => "not a ticket of this server",
        ErrorCode::TicketExpired => "the ticket's time has passed or has not come",
        ErrorCode::TicketRevoked => "the ticket was taken back, or its consult has ended",
        ErrorCode::TicketInUse => "the ticket was used already; come back with the resume token",
        ErrorCode::OfferInvalid => "not SDP, or SDP that cannot be answered",
        ErrorCode::ConsultFull => "the consult has as many people as it can have",
        ErrorCode::NodeFull => "the node can carry no further consult now",
        ErrorCode::Forbidden => "not allowed for this role or ticket",
        ErrorCode::ChatBusy => {
            "lines before this one are still being written down; nobody gets it, say it again later"
        }
        ErrorCode::ChatNotKept => "a line could not be written down; nobody got it",
        ErrorCode::Internal => "something failed on the server's side",
    }
}
