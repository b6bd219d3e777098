//! One participant's conversation with Janus' VideoRoom, without the WebSocket: texts in, texts and steps out.
//!
//! ```text
//! Session -> PublisherHandle -> Room -> Joined -> PublishingAnswer -> OthersUp -> SubscriberHandle -> SubscriptionOffer
//!                                                                                           Subscribed <- Started <-'
//! ```
//!
//! As Janus' own page does it, a participant has one handle to publish and one for everything it receives, each with a transport
//! of its own. A publisher can be subscribed to once its transport is up; Janus tells the others then. Our clients
//! subscribe to all others at once, so that nobody's description is renegotiated while it measures.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::target::description::{self, Description, Near};
use crate::{plan::Kind, target::TargetError};

/// Who talks, and with what.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Number of the room: the consult's.
    pub room: u64,
    /// The participant's number, unique in the room; from one up.
    pub number: u64,
    /// Those whose tracks this one receives.
    pub publishers: BTreeSet<u64>,
    /// Our end of the transport that publishes.
    pub uplink: Near,
    /// Our end of the transport that receives.
    pub downlink: Near,
    /// What is published, and under which SSRC. May be nothing.
    pub tracks: Vec<(Kind, u32)>,
}

/// A track that comes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Whose it is.
    pub number: u64,
    /// Which of the two.
    pub kind: Kind,
    /// What Janus sends it as.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Send this text.
    Say(String),
    /// Connect the transport that publishes.
    ConnectUplink(Description),
    /// Connect the transport that receives, on which these come.
    ConnectDownlink(Description, Vec<Incoming>),
    /// Nothing more to arrange: once both transports are up, media flows.
    Subscribed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Session,
    PublisherHandle,
    Room,
    Joined,
    PublishingAnswer,
    OthersUp,
    SubscriberHandle,
    SubscriptionOffer,
    Started,
    Nothing,
}

/// The conversation so far.
#[derive(Debug)]
pub struct Dialogue {
    seat: Seat,
    awaiting: Awaiting,
    session: u64,
    publisher: u64,
    subscriber: u64,
    /// Others whom Janus has called publishers.
    up: BTreeSet<u64>,
    transactions: u64,
}

/// Janus' code for a room that somebody made before us.
const ROOM_EXISTS: u64 = 427;

/// As many as Janus lets publish in a room.
const PUBLISHERS_MAX: usize = 100;

impl Dialogue {
    /// The conversation and its first text.
    pub fn begin(seat: Seat) -> (Self, Step) {
        let mut dialogue = Self {
            seat,
            awaiting: Awaiting::Session,
            session: 0,
            publisher: 0,
            subscriber: 0,
            up: BTreeSet::new(),
            transactions: 0,
        };
        let first = dialogue.say(json!({ "janus": "create" }));
        (dialogue, first)
    }

    /// What keeps the session when nothing else is said for a minute.
    pub fn keepalive(&mut self) -> Step {
        self.say(json!({ "janus": "keepalive" }))
    }

    /// Takes a text from Janus.
    ///
    /// # Errors
    /// What Janus refused, or what cannot be understood. The conversation is over then.
    pub fn handle(&mut self, text: &str) -> Result<Vec<Step>, TargetError> {
        let message: Value = serde_json::from_str(text).map_err(|_| odd(text))?;
        let data = &message["plugindata"]["data"];
        self.remember_publishers(data);
        match message["janus"].as_str().unwrap_or_default() {
            "success" => self.on_success(&message),
            "event" => self.on_event(&message),
            "error" => Err(refused(&message["error"]["code"], &message["error"]["reason"])),
            "hangup" => Err(refused(&Value::Null, &message["reason"])),
            "timeout" => Err(refused(&Value::Null, &json!("the session timed out"))),
            // ack, webrtcup, media, slowlink, keepalives' answers: nothing depends on them.
            _ => Ok(Vec::new()),
        }
        .and_then(|steps| self.then_subscribe(steps))
    }

    fn on_success(&mut self, message: &Value) -> Result<Vec<Step>, TargetError> {
        let id = || message["data"]["id"].as_u64().ok_or_else(|| odd(&message.to_string()));
        let step = match self.awaiting {
            Awaiting::Session => {
                self.session = id()?;
                self.awaiting = Awaiting::PublisherHandle;
                self.attach()
            }
            Awaiting::PublisherHandle => {
                self.publisher = id()?;
                self.awaiting = Awaiting::Room;
                self.make_room()
            }
            Awaiting::Room => {
                let data = &message["plugindata"]["data"];
                if data["error_code"].is_u64() && data["error_code"] != ROOM_EXISTS {
                    return Err(refused(&data["error_code"], &data["error"]));
                }
                self.awaiting = Awaiting::Joined;
                self.join()
            }
            Awaiting::SubscriberHandle => {
                self.subscriber = id()?;
                self.awaiting = Awaiting::SubscriptionOffer;
                self.subscribe()
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![step])
    }

    fn on_event(&mut self, message: &Value) -> Result<Vec<Step>, TargetError> {
        let data = &message["plugindata"]["data"];
        if data["error_code"].is_u64() {
            return Err(refused(&data["error_code"], &data["error"]));
        }
        let description = message["jsep"]["sdp"].as_str().map(description::read).transpose()?;
        match (self.awaiting, data["videoroom"].as_str().unwrap_or_default(), description) {
            (Awaiting::Joined, "joined", _) if self.seat.tracks.is_empty() => {
                self.awaiting = Awaiting::OthersUp;
                Ok(Vec::new())
            }
            (Awaiting::Joined, "joined", _) => {
                self.awaiting = Awaiting::PublishingAnswer;
                Ok(vec![self.publish()])
            }
            (Awaiting::PublishingAnswer, _, Some(answer)) => {
                self.awaiting = Awaiting::OthersUp;
                Ok(vec![Step::ConnectUplink(answer)])
            }
            (Awaiting::SubscriptionOffer, _, Some(offer)) => {
                self.awaiting = Awaiting::Started;
                let incoming = incoming(&data["streams"], &offer)?;
                Ok(vec![self.start(&offer), Step::ConnectDownlink(offer, incoming)])
            }
            (Awaiting::Started, "event", _) if data["started"].is_string() => {
                self.awaiting = Awaiting::Nothing;
                Ok(vec![Step::Subscribed])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Janus lists publishers when one joins, and again whenever one's transport is up.
    fn remember_publishers(&mut self, data: &Value) {
        let listed = data["publishers"].as_array().into_iter().flatten();
        self.up.extend(listed.filter_map(|publisher| publisher["id"].as_u64()));
    }

    fn then_subscribe(&mut self, mut steps: Vec<Step>) -> Result<Vec<Step>, TargetError> {
        let is_due = self.awaiting == Awaiting::OthersUp && self.seat.publishers.is_subset(&self.up);
        if is_due && self.seat.publishers.is_empty() {
            self.awaiting = Awaiting::Nothing;
            steps.push(Step::Subscribed);
        } else if is_due {
            self.awaiting = Awaiting::SubscriberHandle;
            steps.push(self.attach());
        }
        Ok(steps)
    }

    fn attach(&mut self) -> Step {
        self.say(json!({ "janus": "attach", "plugin": "janus.plugin.videoroom" }))
    }

    /// Whoever comes first makes the room; to the others Janus says that it exists.
    fn make_room(&mut self) -> Step {
        let body = json!({
            "request": "create",
            "room": self.seat.room,
            "publishers": PUBLISHERS_MAX,
            "is_private": true,
            "bitrate": 0,
            "transport_wide_cc_ext": false,
            "audiocodec": "opus",
            "videocodec": "vp8",
        });
        self.message(self.publisher, body, None)
    }

    fn join(&mut self) -> Step {
        let (room, number) = (self.seat.room, self.seat.number);
        let body = json!({ "request": "join", "ptype": "publisher", "room": room, "id": number });
        self.message(self.publisher, body, None)
    }

    fn publish(&mut self) -> Step {
        let sdp = description::publishing_offer(&self.seat.uplink, &self.seat.tracks);
        let jsep = json!({ "type": "offer", "sdp": sdp, "trickle": false });
        self.message(self.publisher, json!({ "request": "publish" }), Some(jsep))
    }

    fn subscribe(&mut self) -> Step {
        let streams: Vec<Value> =
            self.seat.publishers.iter().map(|number| json!({ "feed": number })).collect();
        let body =
            json!({ "request": "join", "ptype": "subscriber", "room": self.seat.room, "streams": streams });
        self.message(self.subscriber, body, None)
    }

    fn start(&mut self, offer: &Description) -> Step {
        let sdp = description::subscribing_answer(&self.seat.downlink, offer);
        let jsep = json!({ "type": "answer", "sdp": sdp, "trickle": false });
        self.message(self.subscriber, json!({ "request": "start" }), Some(jsep))
    }

    fn message(&mut self, handle: u64, body: Value, jsep: Option<Value>) -> Step {
        let mut request = json!({ "janus": "message", "handle_id": handle, "body": body });
        if let Some(jsep) = jsep {
            request["jsep"] = jsep;
        }
        self.say(request)
    }

    fn say(&mut self, mut request: Value) -> Step {
        self.transactions += 1;
        request["transaction"] = json!(self.transactions.to_string());
        if self.session != 0 {
            request["session_id"] = json!(self.session);
        }
        Step::Say(request.to_string())
    }
}

/// Joins what Janus says of the streams (whose each line is) with its offer (what it is sent as).
fn incoming(streams: &Value, offer: &Description) -> Result<Vec<Incoming>, TargetError> {
    let streams = streams.as_array().map(Vec::as_slice).unwrap_or_default();
    let owner = |mid: &str| streams.iter().find(|stream| stream["mid"] == mid)?["feed_id"].as_u64();
    let one = |line: &description::Line| {
        let number = owner(&line.mid)?;
        Some(Incoming { number, kind: line.kind, ssrc: line.ssrc?, payload_type: line.payload_type })
    };
    offer.lines.iter().map(one).collect::<Option<_>>().ok_or_else(|| odd(&json!(streams).to_string()))
}

fn refused(code: &Value, reason: &Value) -> TargetError {
    TargetError::Refused { what: "VideoRoom", said: format!("{code} {reason}") }
}

fn odd(text: &str) -> TargetError {
    TargetError::Refused { what: "Janus said something that makes no sense", said: text.to_owned() }
}

#[cfg(test)]
mod tests;
