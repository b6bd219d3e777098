//! One participant's signaling: `hello`, the offer, and whatever comes until the end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use signaling_protocol::{
    Pii,
    client::{ClientMessage, Hello},
    error::ErrorCode,
    server::{Layout, ServerMessage, SlotCounts},
};
use tokio::{sync::watch, time::timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{
    JOIN_PATIENCE,
    entry::{Steps, Tries, enter},
    sdp::{Answer, Line, Offering},
    wire::{Signaling, Wire},
};
use crate::{
    media::{MediaPlane, TransportHandle},
    plan::{IceCredentials, Keying, Kind, ReceivePlan, Shown, TransportPlan},
    target::{Comeback, JOIN_STEPS, Tally, TargetError, WantedParticipant},
};

const NAME_PREFIX: &str = "Load ";

/// Somebody who has joined.
pub(super) struct Participant {
    socket: WebSocketStream<Wire>,
    signaling: Signaling,
    tally: Arc<Tally>,
    /// With the newest resume token.
    hello: Hello,
    offering: Offering,
    lines: Vec<Line>,
    version: u32,
    receives: bool,
    /// SSRC of each slot line.
    slots: Vec<(Line, u32)>,
    transport: TransportHandle,
    layout: Option<Layout>,
    /// Set, there is no goodbye.
    vanishes: Arc<AtomicBool>,
}

/// The display name that stands for a number of the harness.
pub(super) fn name(number: u32) -> String {
    format!("{NAME_PREFIX}{number}")
}

impl Participant {
    /// Joins and connects; where the node is full, tries again as a widget does.
    pub(super) async fn join(
        signaling: &Signaling,
        tally: &Arc<Tally>,
        ticket: String,
        person: &WantedParticipant,
        media: &MediaPlane,
    ) -> Result<(Self, [f64; JOIN_STEPS.len()]), TargetError> {
        let mut hello = Hello { ticket: Some(Pii::new(ticket)), resume_token: None };
        let (begin, random) = (Instant::now(), Random::draw());
        let mut tries = Tries::new(tally, random.next(1));
        loop {
            let mut steps = Steps::begin(begin);
            match Self::come_in(signaling, tally, &mut hello, &mut steps, person, media).await {
                Ok(mut joined) => {
                    let ice = joined.connect().await?;
                    return Ok((joined, steps.end(ice)));
                }
                Err(error) => tries.again(error).await?,
            }
        }
    }

    /// Joins up to the answer, and begins to connect.
    async fn come_in(
        signaling: &Signaling,
        tally: &Arc<Tally>,
        hello: &mut Hello,
        steps: &mut Steps,
        person: &WantedParticipant,
        media: &MediaPlane,
    ) -> Result<Self, TargetError> {
        let (mut socket, slots) = enter(signaling, hello, steps).await?;
        let random = Random::draw();
        let offering = Offering {
            session_id: u64::from(random.next(1)) << 20 | u64::from(person.number),
            ice: IceCredentials { ufrag: random.text(0, 8), password: random.text(8, 24) },
            fingerprint: media.fingerprint(),
            audio_ssrc: person.audio.then(|| random.next(2) | 1 << 30),
            video_ssrc: person.video.then(|| random.next(3) | 1 << 30 | 1 << 29),
        };
        let slots = if person.receives { slots } else { SlotCounts { camera: 0, screen: 0 } };
        let lines = offering.lines(&[], slots);
        say(&mut socket, &ClientMessage::Offer(offering.offer(&lines, 1))).await?;
        let mut layout = None;
        let answer = loop {
            match hear(&mut socket).await? {
                ServerMessage::Answer { sdp } => break read(&sdp)?,
                ServerMessage::Layout(newer) => layout = Some(newer),
                other => expected("answer", other)?,
            }
        };
        steps.next();
        let receives = receive_plans(&lines, &answer, 0);
        let mut transport = media.start(plan(person, &offering, &lines, &answer, receives.clone()));
        // What was sent to somebody whose consult does not come up is not lost.
        transport.count_losses(false);
        let mut joined = Self {
            socket,
            signaling: signaling.clone(),
            tally: Arc::clone(tally),
            hello: hello.clone(),
            offering,
            lines,
            version: 1,
            receives: person.receives,
            slots: receives.iter().map(|(line, stream)| (*line, stream.ssrc)).collect(),
            transport,
            layout,
            vanishes: Arc::default(),
        };
        joined.show();
        Ok(joined)
    }

    /// Waits for media while layouts come. Tells how long ICE took.
    async fn connect(&mut self) -> Result<Duration, TargetError> {
        loop {
            tokio::select! {
                connected = self.transport.connected() => return Ok(connected?),
                message = hear(&mut self.socket) => self.message(message?).await?,
            }
        }
    }

    /// Stays until the server ends it, and comes back whenever the connection is broken.
    pub(super) async fn stay(
        mut self,
        vanishes: Arc<AtomicBool>,
        mut breaks: watch::Receiver<u32>,
        comebacks: Arc<Mutex<Vec<Comeback>>>,
    ) {
        self.vanishes = vanishes;
        self.transport.count_losses(true);
        loop {
            let done = tokio::select! {
                message = hear(&mut self.socket) => match message {
                    Ok(message) => self.message(message).await,
                    Err(error) => Err(error),
                },
                Ok(()) = breaks.changed() => self.come_back().await.map(|comeback| {
                    if let Ok(mut comebacks) = comebacks.lock() {
                        comebacks.push(comeback);
                    }
                }),
            };
            if let Err(error) = done {
                eprintln!("somebody was lost: {error}");
                return;
            }
        }
    }

    /// Breaks the connection without a goodbye, and comes back with the resume token. Media goes on meanwhile.
    async fn come_back(&mut self) -> Result<Comeback, TargetError> {
        let begin = Instant::now();
        *self.socket.get_mut() = Wire::Gone;
        let mut tries = Tries::new(&self.tally, Random::draw().next(1));
        loop {
            let resumed = timeout(JOIN_PATIENCE, self.resume(begin)).await;
            match resumed.unwrap_or(Err(TargetError::Timeout("a return"))) {
                Ok(()) => return Ok(Comeback { at: Instant::now(), took: begin.elapsed() }),
                Err(error) => tries.again(error).await?,
            }
        }
    }

    async fn resume(&mut self, begin: Instant) -> Result<(), TargetError> {
        let (socket, slots) = enter(&self.signaling, &mut self.hello, &mut Steps::begin(begin)).await?;
        self.socket = socket;
        self.offer(slots).await?;
        loop {
            let message = hear(&mut self.socket).await?;
            let is_answer = matches!(message, ServerMessage::Answer { .. });
            self.message(message).await?;
            if is_answer {
                return Ok(());
            }
        }
    }

    /// Offers once more, with so many slots.
    async fn offer(&mut self, slots: SlotCounts) -> Result<(), TargetError> {
        let slots = if self.receives { slots } else { SlotCounts { camera: 0, screen: 0 } };
        self.lines = self.offering.lines(&self.lines, slots);
        self.version += 1;
        let offer = self.offering.offer(&self.lines, self.version);
        say(&mut self.socket, &ClientMessage::Offer(offer)).await
    }

    async fn message(&mut self, message: ServerMessage) -> Result<(), TargetError> {
        match message {
            ServerMessage::Layout(layout) => {
                if self.layout.as_ref().is_none_or(|known| known.revision < layout.revision) {
                    self.layout = Some(layout);
                    self.show();
                }
                Ok(())
            }
            ServerMessage::Reoffer(reoffer) if !reoffer.ice_restart => self.offer(reoffer.slots).await,
            ServerMessage::Answer { sdp } => {
                let further = receive_plans(&self.lines, &read(&sdp)?, self.slots.len());
                self.slots.extend(further.iter().map(|(line, stream)| (*line, stream.ssrc)));
                self.transport.receive(further.into_iter().map(|(_, stream)| stream).collect());
                self.show();
                Ok(())
            }
            other => expected("a layout", other),
        }
    }

    /// Tells the media plane what the newest layout says.
    fn show(&mut self) {
        let Some(layout) = &self.layout else { return };
        for (line, ssrc) in &self.slots {
            self.transport.show(*ssrc, shown(layout, *line));
        }
    }
}

impl Drop for Participant {
    /// Says `leave`, so that the node does not keep the place for somebody who might come back. There is nothing to wait
    /// with here, so the frame (RFC 6455 §5.2, text, masked with zeros) goes straight to what is below the WebSocket.
    fn drop(&mut self) {
        if self.vanishes.load(Relaxed) {
            return;
        }
        const LEAVE: &[u8; 16] = br#"{"type":"leave"}"#;
        let mut frame = vec![0x81, 0x80 | LEAVE.len() as u8, 0, 0, 0, 0];
        frame.extend(LEAVE);
        self.socket.get_mut().leave(frame);
    }
}

/// Whom a layout puts into a line.
fn shown(layout: &Layout, line: Line) -> Option<Shown> {
    let Line::Slot(_, pool, index) = line else { return None };
    let slot = layout.slots.iter().find(|slot| slot.slot.pool == pool && slot.slot.index == index)?;
    if !slot.tracks.contains(&line.source()) {
        return None;
    }
    let person = layout.participants.iter().find(|one| one.person.participant == slot.publisher)?;
    let sender = person.person.display_name.reveal().strip_prefix(NAME_PREFIX)?.parse().ok()?;
    Some(Shown { sender, csrc: Some(slot.publisher.csrc()) })
}

/// The streams of slot lines, without the first so many.
fn receive_plans(lines: &[Line], answer: &Answer, known: usize) -> Vec<(Line, ReceivePlan)> {
    let slots = lines.iter().zip(&answer.lines).filter(|(line, _)| matches!(line, Line::Slot(..)));
    let stream = |(line, answered): (&Line, &super::sdp::AnswerLine)| {
        let ssrc = answered.ssrc.filter(|_| answered.is_live)?;
        let (kind, rtx, nack) = (line.kind(), answered.rtx(), answered.nack);
        Some((*line, ReceivePlan { kind, ssrc, rtx, nack, transport_cc_id: None, shown: None }))
    };
    slots.filter_map(stream).skip(known).collect()
}

fn plan(
    person: &WantedParticipant,
    offering: &Offering,
    lines: &[Line],
    answer: &Answer,
    receives: Vec<(Line, ReceivePlan)>,
) -> TransportPlan {
    let track = |(line, answered): (&Line, &super::sdp::AnswerLine)| {
        let ssrc = match line {
            Line::Track(Kind::Audio) => offering.audio_ssrc,
            Line::Track(Kind::Video) => offering.video_ssrc,
            Line::Slot(..) => None,
        };
        answered.send_plan(line.kind(), ssrc.filter(|_| answered.is_live)?)
    };
    TransportPlan {
        participant: person.number,
        remote: answer.candidate,
        local: None,
        keying: Keying::Webrtc {
            ice_local: offering.ice.clone(),
            ice_remote: answer.ice.clone(),
            fingerprint_remote: answer.fingerprint,
        },
        sends: lines.iter().zip(&answer.lines).filter_map(track).collect(),
        receives: receives.into_iter().map(|(_, stream)| stream).collect(),
        rtcp: true,
    }
}

fn read(sdp: &str) -> Result<Answer, TargetError> {
    Answer::read(sdp).ok_or_else(|| TargetError::Refused { what: "an answer", said: sdp.to_owned() })
}

/// Errors and goodbyes end it; everything else is passed over.
pub(super) fn expected(what: &'static str, message: ServerMessage) -> Result<(), TargetError> {
    match message {
        ServerMessage::Error { code: ErrorCode::NodeFull, .. } => Err(TargetError::Full),
        ServerMessage::Error { .. } | ServerMessage::Leave { .. } => {
            Err(TargetError::Refused { what, said: format!("{message:?}") })
        }
        _ => Ok(()),
    }
}

pub(super) async fn say(
    socket: &mut WebSocketStream<Wire>,
    message: &ClientMessage,
) -> Result<(), TargetError> {
    let refused = |said: String| TargetError::Refused { what: "a message", said };
    let text = serde_json::to_string(message).map_err(|error| refused(error.to_string()))?;
    socket.send(Message::text(text)).await.map_err(|error| refused(error.to_string()))
}

pub(super) async fn hear(socket: &mut WebSocketStream<Wire>) -> Result<ServerMessage, TargetError> {
    let refused = |said: String| TargetError::Refused { what: "a message", said };
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(|error| refused(error.to_string()));
            }
            Some(Ok(Message::Close(frame))) => return Err(refused(format!("closed: {frame:?}"))),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(refused(error.to_string())),
            None => return Err(refused("the connection ended".to_owned())),
        }
    }
}

/// Random bytes for credentials and SSRCs.
struct Random([u8; 48]);

impl Random {
    fn draw() -> Self {
        let mut bytes = [0; 48];
        // Where the system has no randomness, equal names of different people do no harm here.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        Self(bytes)
    }

    /// `length` of `ice-char` (RFC 8839 §5.4).
    fn text(&self, start: usize, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let bytes = self.0.iter().skip(start).take(length);
        bytes.map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
    }

    /// A number below 2^29, a multiple of four.
    fn next(&self, place: usize) -> u32 {
        let bytes = self.0.as_chunks::<4>().0.get(8 + place).copied().unwrap_or_default();
        u32::from_be_bytes(bytes) >> 3 & !3
    }
}
